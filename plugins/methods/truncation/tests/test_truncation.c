/* test_truncation.c — where latents lie after truncation, in each space, and what cannot be truncated. */
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

enum { COUNT = 3, SIZE = 4, LAYERS = 4 };

typedef struct setup {
    lw_device *device;
    lw_model *mapped, *plain;
} setup;

/* Tiny; the mean of w is (1, 2, 3, 4). `more` are further arguments. */
static lw_model *mapped_model(const char *psi, const char *cutoff)
{
    lw_model *model =
        test_model("mapped", LW_PART_GENERATOR, "generator/stylegan2",
                   (const char *[]){"widths=[4, 4]", "z_dim=4", "w_dim=4", "mapping_width=4",
                                    "mapping_layers=1", psi ? psi : cutoff, psi ? cutoff : NULL, NULL});
    lw_store_set(lw_model_store(model, LW_PART_GENERATOR), "mapping.w_avg", LW_SHAPE(SIZE),
                 (const float[]){1, 2, 3, 4});
    return model;
}

static int open(void **state)
{
    static setup s;
    s.device = lw_device_open("cpu", "native");
    s.mapped = mapped_model(NULL, NULL);
    s.plain = test_model("plain", LW_PART_GENERATOR, "generator/dcgan",
                         (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    *state = &s;
    return 0;
}

static int close(void **state)
{
    setup *s = *state;
    lwi_model_destroy(s->mapped);
    lwi_model_destroy(s->plain);
    lw_device_close(s->device);
    return 0;
}

/* Settings as "key", "text", …, NULL. */
static lw_status truncate(harness *h, const setup *s, const char *space, const lw_tensor *latents,
                          const char *const *settings)
{
    harness_open(h, "method/truncation");
    h->device = s->device;
    h->model = strcmp(space, "z") == 0 ? s->plain : s->mapped;
    harness_set(h, "model", "m");
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
    harness_input(h, "latents", "walk.walk", space, latents);
    return harness_run(h);
}

static lw_tensor *normal(lw_shape shape)
{
    lw_tensor *t = lw_tensor_create(shape);
    lw_normal((lw_stream){.seed = 1}, 0, (size_t)lw_shape_count(shape), t->data);
    return t;
}

/* What the generator does by its own arguments, w [COUNT, SIZE] -> [COUNT, (LAYERS,) SIZE]. */
static lw_tensor *by_the_generator(const setup *s, lw_model *model, const lw_tensor *w)
{
    lw_graph *g = lw_graph_create();
    lw_output(g, "w", lw_truncate(g, model, lw_input(g, "x", w->shape)));
    lw_program *program = lw_compile(g, s->device);
    assert_non_null(program);
    test_must(lw_program_write(program, "x", w->data, COUNT * SIZE));
    test_must(lw_program_run(program));
    lw_tensor *out = lw_program_read_tensor(program, "w");
    lw_program_destroy(program);
    lw_graph_destroy(g);
    return out;
}

static void w_is_drawn_to_its_mean_as_the_generator_does(void **state)
{
    const setup *s = *state;
    harness h;
    lw_model *own = mapped_model("truncation_psi=0.6", NULL);
    lw_tensor *w = normal(LW_SHAPE(COUNT, SIZE)), *expected = by_the_generator(s, own, w);
    test_must(truncate(&h, s, "w", w, (const char *[]){"psi", "0.6", NULL}));
    const lw_tensor *out = harness_output(&h, "latents");
    assert_true(lw_shape_equal(out->shape, w->shape));
    for (int i = 0; i < COUNT * SIZE; i++) {
        assert_float_equal(out->data[i], 0.6 * w->data[i] + 0.4 * (i % SIZE + 1), 1e-6);
        assert_float_equal(out->data[i], expected->data[i], 1e-6);
    }
    harness_close(&h);
    lw_tensor_destroy(w);
    lw_tensor_destroy(expected);
    lwi_model_destroy(own);
}

static void the_models_own_truncation_does_not_matter(void **state)
{
    setup s = *(setup *)*state;
    harness h;
    lw_tensor *w = normal(LW_SHAPE(COUNT, SIZE));
    s.mapped = mapped_model("truncation_psi=0.3", "truncation_cutoff=0");
    test_must(truncate(&h, &s, "w", w, (const char *[]){"psi", "0", NULL}));
    for (int i = 0; i < COUNT * SIZE; i++)
        assert_float_equal(harness_output(&h, "latents")->data[i], (i % SIZE + 1), 1e-6);
    harness_close(&h);
    lw_tensor_destroy(w);
    lwi_model_destroy(s.mapped);
}

static void the_cutoff_leaves_the_last_layers_of_wplus(void **state)
{
    const setup *s = *state;
    harness h;
    lw_model *own = mapped_model("truncation_psi=0.6", "truncation_cutoff=3");
    lw_tensor *w = normal(LW_SHAPE(COUNT, SIZE)), *expected = by_the_generator(s, own, w),
              *plus = lw_tensor_create(LW_SHAPE(COUNT, LAYERS, SIZE));
    for (int i = 0; i < COUNT * LAYERS * SIZE; i++)
        plus->data[i] = w->data[i / (LAYERS * SIZE) * SIZE + i % SIZE];
    test_must(truncate(&h, s, "w+", plus, (const char *[]){"psi", "0.6", "cutoff", "3", NULL}));
    assert_true(lw_shape_equal(expected->shape, plus->shape));
    for (int i = 0; i < COUNT * LAYERS * SIZE; i++)
        assert_float_equal(harness_output(&h, "latents")->data[i], expected->data[i], 1e-6);
    harness_close(&h);
    lw_tensor_destroy(w);
    lw_tensor_destroy(plus);
    lw_tensor_destroy(expected);
    lwi_model_destroy(own);
}

/* Of the normal law cut at 1 the deviation is 0.5396 (1 - 2 φ(1) / (2 Φ(1) - 1), its root). */
static void z_is_redrawn_within_the_threshold(void **state)
{
    const setup *s = *state;
    enum { MANY = 5000 };
    harness h;
    lw_tensor *z = normal(LW_SHAPE(MANY, SIZE));
    test_must(truncate(&h, s, "z", z, (const char *[]){"psi", "1", "threshold", "1", NULL}));
    const float *out = harness_output(&h, "latents")->data;
    double sum = 0, squares = 0;
    int changed = 0;
    for (int i = 0; i < MANY * SIZE; i++) {
        assert_true(fabs((double)out[i]) <= 1);
        assert_true(fabs((double)z->data[i]) > 1 || out[i] == z->data[i]);
        changed += out[i] != z->data[i];
        sum += out[i];
        squares += pow(out[i], 2);
    }
    assert_true(fabs(sum / (MANY * SIZE)) < 0.02);
    assert_true(fabs(sqrt(squares / (MANY * SIZE)) - 0.5396) < 0.01);
    assert_true(fabs((double)changed / (MANY * SIZE) - 0.3173) < 0.02);
    harness_close(&h);
    lw_tensor_destroy(z);
}

static void z_is_clipped_and_scaled(void **state)
{
    const setup *s = *state;
    harness h;
    lw_tensor *z = lw_tensor_create(LW_SHAPE(1, 2, SIZE)); /* a walk of two points */
    memcpy(z->data, (const float[]){-3, -0.5f, 0, 0.5f, 1, 2, -1, 9}, 8 * sizeof(float));
    test_must(
        truncate(&h, s, "z", z, (const char *[]){"psi", "0.5", "threshold", "1", "beyond", "clip", NULL}));
    const float expected[] = {-0.5f, -0.25f, 0, 0.25f, 0.5f, 0.5f, -0.5f, 0.5f};
    for (int i = 0; i < 2 * SIZE; i++)
        assert_float_equal(harness_output(&h, "latents")->data[i], expected[i], 1e-7);
    harness_close(&h);
    lw_tensor_destroy(z);
}

static void mistakes_are_told(void **state)
{
    const setup *s = *state;
    harness h;
    lw_tensor *flat = normal(LW_SHAPE(COUNT, SIZE)), *plus = normal(LW_SHAPE(COUNT, LAYERS, SIZE));
    assert_int_equal(truncate(&h, s, "w", flat, (const char *[]){"cutoff", "2", NULL}), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "only w+ has"));
    harness_close(&h);
    assert_int_equal(truncate(&h, s, "w+", plus, (const char *[]){"cutoff", "5", NULL}), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "has 4 layers"));
    harness_close(&h);
    assert_int_equal(truncate(&h, s, "w", flat, (const char *[]){"threshold", "1", NULL}), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "elements of z"));
    harness_close(&h);
    lw_tensor_destroy(flat);
    lw_tensor_destroy(plus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w_is_drawn_to_its_mean_as_the_generator_does),
        cmocka_unit_test(the_models_own_truncation_does_not_matter),
        cmocka_unit_test(the_cutoff_leaves_the_last_layers_of_wplus),
        cmocka_unit_test(z_is_redrawn_within_the_threshold),
        cmocka_unit_test(z_is_clipped_and_scaled),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, open, close);
}
