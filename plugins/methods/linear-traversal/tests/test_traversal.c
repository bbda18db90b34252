/* test_traversal.c — what all traversals share: spaces, aims, steps, the points kept, mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <string.h>

enum { WALKS = 3, Z = 6, W = 5 };

typedef struct setup {
    lw_device *device;
    lw_model *mapped, *plain; /* with W, and with Z only */
    lw_tensor *z, *target;
} setup;

static int open(void **state)
{
    static setup s;
    s.device = lw_device_open("cpu", "native");
    s.mapped = test_model(
        "mapped", LW_PART_GENERATOR, "generator/stylegan2",
        (const char *[]){"widths=[4]", "z_dim=6", "w_dim=5", "mapping_width=6", "mapping_layers=2", NULL});
    s.plain = test_model("plain", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=6", "width=2", "depth=1", NULL});
    s.z = lw_tensor_create(LW_SHAPE(WALKS, Z));
    s.target = lw_tensor_create(LW_SHAPE(WALKS, Z));
    lw_normal((lw_stream){.seed = 1}, 0, WALKS * Z, s.z->data);
    lw_normal((lw_stream){.seed = 2}, 0, WALKS * Z, s.target->data);
    *state = &s;
    return 0;
}

static int close(void **state)
{
    setup *s = *state;
    lw_tensor_destroy(s->z);
    lw_tensor_destroy(s->target);
    lwi_model_destroy(s->mapped);
    lwi_model_destroy(s->plain);
    lw_device_close(s->device);
    return 0;
}

/* Settings as "key", "text", …, NULL. */
static void prepare(harness *h, const setup *s, const char *id, bool mapped, const char *const *settings)
{
    harness_open(h, id);
    h->device = s->device;
    h->model = mapped ? s->mapped : s->plain;
    harness_set(h, "model", "m");
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
    harness_input(h, "z", "start.z", "z", s->z);
}

static void walk(harness *h)
{
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static const float *point(const harness *h, int n, int t)
{
    const lw_tensor *walks = harness_output(h, "walk");
    return walks->data + (n * walks->shape.dim[1] + t) * walks->shape.dim[2];
}

static double apart(const float *a, const float *b, int size)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += pow((double)a[i] - b[i], 2);
    return sqrt(sum);
}

static double series_last(const harness *h, const char *name)
{
    for (int i = 0; i < h->step->series_count; i++)
        if (strcmp(h->step->series[i].name, name) == 0)
            return h->step->series[i].value[h->step->series[i].count - 1];
    fail_msg("no series '%s'", name);
    return 0;
}

static void a_straight_walk_goes_on_by_the_distance(void **state)
{
    harness h;
    prepare(&h, *state, "method/linear-traversal", false,
            (const char *[]){"iterations", "4", "distance", "0.5", NULL});
    walk(&h);
    assert_true(lw_shape_equal(harness_output(&h, "walk")->shape, LW_SHAPE(WALKS, 5, Z)));
    for (int n = 0; n < WALKS; n++)
        for (int t = 1; t < 5; t++) {
            assert_true(fabs(apart(point(&h, n, t), point(&h, n, t - 1), Z) - 0.5) < 1e-5);
            assert_true(fabs(apart(point(&h, n, t), point(&h, n, 0), Z) - 0.5 * t) < 1e-5);
        }
    assert_memory_equal(point(&h, 1, 0), ((setup *)*state)->z->data + Z, Z * sizeof(float));
    assert_true(apart(point(&h, 0, 1), point(&h, 0, 0), Z) > 0);
    assert_true(fabs(series_last(&h, "cosine to the aim") - 1) < 1e-6);
    assert_true(fabs(series_last(&h, "step length") - 0.5) < 1e-5);
    assert_true(series_last(&h, "step length \xc2\xb1") < 1e-5);
    assert_true(fabs(series_last(&h, "distance along the aim") - 2) < 1e-5);
    harness_close(&h);
}

static void walks_go_through_w_where_there_is_a_mapping(void **state)
{
    harness h;
    prepare(&h, *state, "method/linear-traversal", true,
            (const char *[]){"iterations", "2", "distance", "0.5", NULL});
    walk(&h);
    assert_true(lw_shape_equal(harness_output(&h, "walk")->shape, LW_SHAPE(WALKS, 3, W)));
    assert_true(lw_shape_equal(harness_output(&h, "images")->shape, LW_SHAPE(WALKS, 3, 3, 4, 4)));
    lwi_port_type type;
    assert_int_equal(lwi_resolve(&h.bindings, &h.plugin->outputs[0], &type), LW_OK);
    assert_string_equal(type.space, "w");
    harness_close(&h);
    prepare(&h, *state, "method/linear-traversal", false, (const char *[]){"iterations", "2", NULL});
    walk(&h);
    assert_int_equal(lwi_resolve(&h.bindings, &h.plugin->outputs[0], &type), LW_OK);
    assert_string_equal(type.space, "z");
    harness_close(&h);
}

static void a_walk_to_a_target_stops_there(void **state)
{
    setup *s = *state;
    harness h;
    prepare(&h, s, "method/linear-traversal", false,
            (const char *[]){"iterations", "20", "distance", "0.7", NULL});
    harness_input(&h, "target", "end.z", "z", s->target);
    walk(&h);
    for (int n = 0; n < WALKS; n++) {
        assert_true(apart(point(&h, n, 20), s->target->data + n * Z, Z) < 1e-5);
        double whole = apart(point(&h, n, 0), s->target->data + n * Z, Z);
        assert_true(fabs(apart(point(&h, n, 1), s->target->data + n * Z, Z) - (whole - 0.7)) < 1e-5);
    }
    harness_close(&h);
}

static void random_steps_are_as_long_and_face_the_aim(void **state)
{
    setup *s = *state;
    harness h;
    prepare(&h, s, "method/random-traversal", false,
            (const char *[]){"iterations", "5", "distance", "0.3", NULL});
    harness_input(&h, "target", "end.z", "z", s->target);
    walk(&h);
    for (int n = 0; n < WALKS; n++)
        for (int t = 0; t < 5; t++) {
            double ahead = 0, turn = 0;
            for (int i = 0; i < Z; i++) {
                double step = (double)point(&h, n, t + 1)[i] - point(&h, n, t)[i];
                ahead += step * ((double)s->target->data[n * Z + i] - point(&h, n, t)[i]);
                turn += t ? step * ((double)point(&h, n, t)[i] - point(&h, n, t - 1)[i]) : 0;
            }
            assert_true(fabs(apart(point(&h, n, t + 1), point(&h, n, t), Z) - 0.3) < 1e-5);
            assert_true(ahead >= 0);
            assert_true(turn < 0.3 * 0.3 * 0.999); /* each its own direction */
        }
    harness_close(&h);
}

static void aims_say_where_each_walk_was_to_go(void **state)
{
    setup *s = *state;
    harness h;
    for (int k = 0; k < 3; k++) { /* onwards, backwards, to the target */
        prepare(&h, s, "method/linear-traversal", false,
                (const char *[]){"iterations", "3", "distance", k == 1 ? "-0.5" : "0.5", NULL});
        if (k == 2)
            harness_input(&h, "target", "end.z", "z", s->target);
        walk(&h);
        const lw_tensor *aims = harness_output(&h, "aims");
        assert_true(lw_shape_equal(aims->shape, LW_SHAPE(WALKS, Z)));
        for (int n = 0; n < WALKS; n++)
            for (int i = 0; i < Z; i++)
                assert_float_equal(point(&h, n, 3)[i], point(&h, n, 0)[i] + 1.5 * aims->data[n * Z + i],
                                   1e-5);
        harness_close(&h);
    }
}

static void a_found_direction_is_followed_by_all(void **state)
{
    setup *s = *state;
    harness h;
    lw_tensor *found =
        lw_tensor_create(LW_SHAPE(2, Z)); /* the second: (0, 3, 0, …), of which the length is nothing */
    found->data[0] = 1;
    found->data[Z + 1] = 3;
    prepare(&h, s, "method/linear-traversal", false,
            (const char *[]){"iterations", "2", "distance", "-0.5", "direction", "1", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found);
    walk(&h);
    for (int n = 0; n < WALKS; n++)
        for (int i = 0; i < Z; i++)
            assert_float_equal(point(&h, n, 2)[i], s->z->data[n * Z + i] - (i == 1 ? 1 : 0), 1e-6);
    harness_close(&h);
    prepare(&h, s, "method/linear-traversal", false,
            (const char *[]){"iterations", "2", "direction", "2", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found);
    assert_int_equal(harness_run(&h), LW_INVALID);
    harness_close(&h);
    prepare(&h, s, "method/linear-traversal", true, (const char *[]){"iterations", "2", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found); /* of Z, but the walk is in W */
    assert_int_equal(harness_run(&h), LW_SHAPE);
    harness_close(&h);
    lw_tensor_destroy(found);
}

static void a_direction_of_w_must_move_all_layers(void **state)
{
    setup *s = *state;
    harness h;
    int64_t layers = lw_model_dim(s->mapped, "num_ws");
    lw_tensor *found = lw_tensor_create(LW_SHAPE(1, layers, W));
    for (int64_t l = 0; l < layers; l++)
        found->data[l * W + 2] = 2;
    prepare(&h, s, "method/linear-traversal", true,
            (const char *[]){"iterations", "1", "distance", "1", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found);
    walk(&h);
    for (int i = 0; i < W; i++)
        assert_float_equal(point(&h, 0, 1)[i], point(&h, 0, 0)[i] + (i == 2 ? 1 : 0), 1e-6);
    harness_close(&h);
    found->data[2] = 0; /* the first layer stays */
    prepare(&h, s, "method/linear-traversal", true, (const char *[]){"iterations", "1", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found);
    assert_int_equal(harness_run(&h), LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "apply-directions"));
    harness_close(&h);
    lw_tensor_destroy(found);
}

static void points_are_kept_after_the_steps_listed(void **state)
{
    harness all, some;
    prepare(&all, *state, "method/random-traversal", true, (const char *[]){"iterations", "6", NULL});
    prepare(&some, *state, "method/random-traversal", true,
            (const char *[]){"iterations", "6", "keep", "[1, 4, 6]", NULL});
    walk(&all);
    walk(&some);
    assert_true(lw_shape_equal(harness_output(&some, "walk")->shape, LW_SHAPE(WALKS, 3, W)));
    for (int n = 0; n < WALKS; n++)
        for (int k = 0; k < 3; k++)
            assert_memory_equal(point(&some, n, k), point(&all, n, (const int[]){1, 4, 6}[k]),
                                W * sizeof(float));
    harness_close(&all);
    harness_close(&some);
}

static void the_local_basis_stays_that_of_the_start(void **state)
{
    harness h;
    prepare(&h, *state, "method/local-basis", true,
            (const char *[]){"iterations", "3", "distance", "0.4", "basis", "0", "cutoff", "0", NULL});
    walk(&h);
    for (int n = 0; n < WALKS; n++)
        assert_true(fabs(apart(point(&h, n, 3), point(&h, n, 0), W) - 1.2) < 1e-5);
    harness_close(&h);
    setup *s = *state;
    prepare(&h, s, "method/local-basis", true,
            (const char *[]){"iterations", "1", "distance", "0.1", "cutoff", "0", NULL});
    harness_input(&h, "target", "end.z", "z", s->target);
    walk(&h);
    assert_true(series_last(&h, "cosine to the aim") > 0.999); /* straight along what was chosen */
    harness_close(&h);
}

static void mistakes_are_told(void **state)
{
    setup *s = *state;
    harness h;
    lw_tensor *found = lw_tensor_create(LW_SHAPE(1, Z));
    found->data[0] = 1;
    prepare(&h, s, "method/linear-traversal", false, (const char *[]){"iterations", "2", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found);
    harness_input(&h, "target", "end.z", "z", s->target);
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "both `target` and `direction`"));
    harness_close(&h);
    const char *const lists[] = {"[2, 1]", "[1, 1]", "[0, 3]"};
    for (int i = 0; i < 3; i++) {
        prepare(&h, s, "method/linear-traversal", false,
                (const char *[]){"iterations", "2", "keep", lists[i], NULL});
        assert_int_equal(harness_run(&h), LW_INVALID);
        assert_non_null(strstr(lw_error_text(), "keep: "));
        harness_close(&h);
    }
    found->data[0] = 0;
    prepare(&h, s, "method/linear-traversal", false, (const char *[]){"iterations", "2", NULL});
    harness_input(&h, "direction", "sefa.directions", "direction", found);
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "zero"));
    harness_close(&h);
    lw_tensor_destroy(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_straight_walk_goes_on_by_the_distance),
        cmocka_unit_test(walks_go_through_w_where_there_is_a_mapping),
        cmocka_unit_test(a_walk_to_a_target_stops_there),
        cmocka_unit_test(random_steps_are_as_long_and_face_the_aim),
        cmocka_unit_test(aims_say_where_each_walk_was_to_go),
        cmocka_unit_test(a_found_direction_is_followed_by_all),
        cmocka_unit_test(a_direction_of_w_must_move_all_layers),
        cmocka_unit_test(points_are_kept_after_the_steps_listed),
        cmocka_unit_test(the_local_basis_stays_that_of_the_start),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, open, close);
}
