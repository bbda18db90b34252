/* test_apply_directions.c — official walks, grids by sample and by direction, layers, mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include "../walk.c"

#include <math.h>
#include <string.h>

static void near(const float *found, const float *expected, int count)
{
    for (int i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[i]) < 1e-3))
            fail_msg("element %d is %.7g, not %.7g", i, (double)found[i], (double)expected[i]);
}

/* interfacegan 8da3fc0f, linear_interpolate: codes [1, D] go to distances from the boundary, W+ by
 * offsets. */
static void walks_are_those_of_the_official_code(void **state)
{
    (void)state;
    fixture f;
    float point[24], plus[5 * 24], displacement[5 * 24];
    fixture_open(&f, "method_interfacegan", "native");
    for (int t = 0; t < 10; t++) {
        walk_point(fixture_expected(&f, "latent_codes")->data, fixture_expected(&f, "boundary0")->data, 1, 24,
                   -3 + 6.0 * t / 9, true, point);
        near(point, fixture_expected(&f, "interp_z0_b0")->data + t * 24, 24);
    }
    for (int l = 0; l < 5; l++)
        memcpy(displacement + l * 24, fixture_expected(&f, "boundary1")->data, 24 * sizeof(float));
    for (int t = 0; t < 7; t++) {
        walk_point(fixture_expected(&f, "wp")->data, displacement, 5, 24, -2 + t, false, plus);
        near(plus, fixture_expected(&f, "interp_wp_b1")->data + t * 5 * 24, 5 * 24);
    }
    fixture_close(&f);
}

/* --- the step ----------------------------------------------------------------------------------------- */
enum { N = 2, K = 2, Z = 6, W = 4, L = 4 };

typedef struct setup {
    lw_device *device;
    lw_model *model, *plain;
    lw_tensor *z, *directions, *of_z;
} setup;

static int open(void **state)
{
    static setup s;
    s.device = lw_device_open("cpu", "native");
    s.model = test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                         (const char *[]){"widths=[4, 4]", "z_dim=6", "w_dim=4", "mapping_layers=1", NULL});
    s.plain = test_model("p", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=6", "width=2", "depth=1", NULL});
    s.z = lw_tensor_create(LW_SHAPE(N, Z));
    lw_normal((lw_stream){.seed = 1}, 0, N * Z, s.z->data);
    s.directions =
        lw_tensor_create(LW_SHAPE(K, L, W)); /* the first moves all layers by 2, the second layer 2 by 3 */
    s.of_z = lw_tensor_create(LW_SHAPE(1, Z));
    for (int l = 0; l < L; l++)
        s.directions->data[l * W + 1] = 2;
    s.directions->data[(L + 2) * W] = 3;
    s.of_z->data[4] = 0.5f;
    *state = &s;
    return 0;
}

static int close(void **state)
{
    setup *s = *state;
    lw_tensor_destroy(s->z);
    lw_tensor_destroy(s->directions);
    lw_tensor_destroy(s->of_z);
    lwi_model_destroy(s->model);
    lwi_model_destroy(s->plain);
    lw_device_close(s->device);
    return 0;
}

static void prepare(harness *h, const setup *s, const lw_tensor *directions, const char *const *settings)
{
    harness_open(h, "method/apply-directions");
    h->device = s->device;
    h->model = s->model;
    harness_set(h, "model", "m");
    harness_set(h, "steps", "3");
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
    harness_input(h, "z", "start.z", "z", s->z);
    harness_input(h, "directions", "sefa.directions", "direction", directions);
}

/* Element i of layer l of point t of walk m. */
static float at(const harness *h, int m, int t, int l, int i)
{
    return harness_output(h, "walk")->data[((m * 3 + t) * L + l) * W + i];
}

static void must_run(harness *h)
{
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static void every_latent_is_moved_along_every_direction(void **state)
{
    harness h;
    prepare(&h, *state, ((setup *)*state)->directions, (const char *[]){"start", "-1", "end", "1", NULL});
    must_run(&h);
    assert_true(lw_shape_equal(harness_output(&h, "walk")->shape, LW_SHAPE(N * K, 3, L, W)));
    assert_true(lw_shape_equal(harness_output(&h, "images")->shape, LW_SHAPE(N * K, 3, 3, 8, 8)));
    for (int n = 0; n < N; n++)
        for (int l = 0; l < L; l++)
            for (int i = 0; i < W; i++) {
                float middle = at(&h, n * K, 1, l, i);
                assert_float_equal(at(&h, n * K + 1, 1, l, i), middle, 1e-6); /* the latent itself */
                assert_float_equal(at(&h, n * K, 2, l, i), middle + (i == 1 ? 2 : 0), 1e-5);
                assert_float_equal(at(&h, n * K + 1, 0, l, i), middle - (l == 2 && i == 0 ? 3 : 0), 1e-5);
            }
    harness_close(&h);
}

static void walks_can_be_sorted_by_direction(void **state)
{
    harness by_sample, by_direction;
    prepare(&by_sample, *state, ((setup *)*state)->directions, (const char *[]){NULL});
    prepare(&by_direction, *state, ((setup *)*state)->directions, (const char *[]){"by", "direction", NULL});
    must_run(&by_sample);
    must_run(&by_direction);
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++)
            assert_memory_equal(harness_output(&by_sample, "walk")->data + (n * K + k) * 3 * L * W,
                                harness_output(&by_direction, "walk")->data + (k * N + n) * 3 * L * W,
                                3 * L * W * sizeof(float));
    harness_close(&by_sample);
    harness_close(&by_direction);
}

static void latents_can_have_a_direction_each(void **state)
{
    setup *s = *state;
    harness h;
    prepare(&h, s, s->directions, (const char *[]){"by", "pair", NULL});
    must_run(&h);
    assert_true(lw_shape_equal(harness_output(&h, "walk")->shape, LW_SHAPE(N, 3, L, W)));
    assert_float_equal(at(&h, 0, 2, 0, 1) - at(&h, 0, 0, 0, 1), 12, 1e-5); /* six deviations of 2 */
    assert_float_equal(at(&h, 1, 2, 2, 0) - at(&h, 1, 0, 2, 0), 18, 1e-5); /* of 3, in layer 2 alone */
    assert_float_equal(at(&h, 1, 2, 0, 1) - at(&h, 1, 0, 0, 1), 0, 1e-5);
    harness_close(&h);
    prepare(&h, s, s->of_z, (const char *[]){"space", "z", "by", "pair", NULL});
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "there are 2 latents and 1 directions"));
    harness_close(&h);
}

static void layers_and_units_narrow_what_is_moved(void **state)
{
    harness h;
    prepare(&h, *state, ((setup *)*state)->directions,
            (const char *[]){"layers", "[2, 3]", "unit", "length", "start", "0", "end", "5", NULL});
    must_run(&h);
    for (int l = 0; l < L; l++) {
        assert_float_equal(at(&h, 0, 2, l, 1) - at(&h, 0, 0, l, 1), l >= 2 ? 5 : 0, 1e-5);
        assert_float_equal(at(&h, 1, 2, l, 0) - at(&h, 1, 0, l, 0), l == 2 ? 5 : 0, 1e-5);
    }
    harness_close(&h);
}

static void amounts_can_be_counted_from_the_boundary(void **state)
{
    setup *s = *state;
    harness h;
    prepare(&h, s, s->of_z, (const char *[]){"space", "z", "origin", "boundary", "unit", "length", NULL});
    must_run(&h);
    const lw_tensor *walk = harness_output(&h, "walk");
    assert_true(lw_shape_equal(walk->shape, LW_SHAPE(N, 3, Z)));
    for (int m = 0; m < N; m++)
        for (int t = 0; t < 3; t++)
            for (int i = 0; i < Z; i++)
                assert_float_equal(walk->data[(m * 3 + t) * Z + i],
                                   i == 4 ? -3 + 3 * t : s->z->data[m * Z + i], 1e-5);
    harness_close(&h);
}

static void walks_can_keep_the_norm_of_their_latents(void **state)
{
    setup *s = *state;
    harness h;
    prepare(&h, s, s->of_z,
            (const char *[]){"space", "z", "preserve", "norm", "start", "-30", "end", "30", NULL});
    must_run(&h);
    const lw_tensor *walk = harness_output(&h, "walk");
    for (int m = 0; m < N; m++)
        for (int t = 0; t < 3; t++) {
            const float *point = walk->data + (m * 3 + t) * Z, *from = s->z->data + m * Z;
            double length = 0, wanted = 0;
            for (int i = 0; i < Z; i++) {
                length += (double)point[i] * point[i];
                wanted += (double)from[i] * from[i];
                if (t == 1) /* an amount of 0 */
                    assert_float_equal(point[i], from[i], 1e-5);
                else if (i > 0 && i != 4) /* towards the direction, and the rest shrinks alike */
                    assert_float_equal(point[i] * from[0], from[i] * point[0], 1e-4);
            }
            assert_float_equal(length, wanted, 1e-4 * wanted);
            assert_true(t == 1 || (point[4] > 0) == (t == 2));
        }
    harness_close(&h);
}

static void expect(harness *h, lw_status status, const char *text)
{
    assert_int_equal(harness_run(h), status);
    if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
    harness_close(h);
}

static void mistakes_are_told(void **state)
{
    setup *s = *state;
    harness h;
    prepare(&h, s, s->directions, (const char *[]){"layers", "[0, 4]", NULL});
    expect(&h, LW_INVALID, "the layers 0 to 3");
    prepare(&h, s, s->directions, (const char *[]){"layers", "[1]", NULL});
    expect(&h, LW_INVALID, "not 1 numbers");
    prepare(&h, s, s->directions, (const char *[]){"layers", "[0, 1]", NULL});
    expect(&h, LW_INVALID, "direction 1 moves none");
    prepare(&h, s, s->of_z, (const char *[]){NULL});
    expect(&h, LW_SHAPE, "of the other space");
    prepare(&h, s, s->of_z, (const char *[]){"space", "z", "layers", "[0, 0]", NULL});
    expect(&h, LW_INVALID, "only w+ has layers");
    prepare(&h, s, s->of_z, (const char *[]){NULL});
    h.model = s->plain;
    expect(&h, LW_UNSUPPORTED, "set `space: z`");
    prepare(&h, s, s->directions, (const char *[]){"preserve", "norm", NULL});
    expect(&h, LW_INVALID, "only latents in Z are normal");
    s->of_z->data[4] = NAN;
    prepare(&h, s, s->of_z, (const char *[]){"space", "z", NULL});
    expect(&h, LW_NUMERIC, "direction 0 is not finite");
    s->of_z->data[4] = 0.5f;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_are_those_of_the_official_code),
        cmocka_unit_test(every_latent_is_moved_along_every_direction),
        cmocka_unit_test(walks_can_be_sorted_by_direction),
        cmocka_unit_test(latents_can_have_a_direction_each),
        cmocka_unit_test(layers_and_units_narrow_what_is_moved),
        cmocka_unit_test(amounts_can_be_counted_from_the_boundary),
        cmocka_unit_test(walks_can_keep_the_norm_of_their_latents),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, open, close);
}
