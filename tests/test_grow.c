/* test_grow.c — a progressive GAN built as far as one resolution agrees with the whole network at that level
 * of detail. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "reference.h"

#define CLOSE 1e-6 /* the level of detail and the fade are rounded apart */

static lw_model *networks(const char *layout, const char *lod)
{
    char chosen[32], level[32];
    snprintf(chosen, sizeof chosen, "layout=%s", layout);
    snprintf(level, sizeof level, "lod=%s", lod);
    const char *const g[] = {chosen, level, "widths=[4, 3, 2]", "z_dim=4", NULL};
    const char *const d[] = {chosen, level, "widths=[4, 3, 2]", "features=4", "group=2", NULL};
    lw_model *model = test_model("faces", LW_PART_GENERATOR, "generator/pggan", g);
    test_model_part(model, LW_PART_DISCRIMINATOR, "discriminator/pggan", d);
    return model;
}

static lw_value noise(lw_graph *g, lw_shape shape)
{
    float *data = lw_alloc((size_t)lw_shape_count(shape), sizeof *data);
    lw_normal((lw_stream){.seed = 2}, 0, (size_t)lw_shape_count(shape), data);
    lw_value v = lw_constant(g, shape, data);
    lw_free(data);
    return v;
}

static void expect_same(lw_graph *g, lw_value a, lw_value b)
{
    test_must(lw_graph_status(g));
    reference *r = reference_create(g);
    assert_true(lw_shape_equal(lw_shape_of(g, a), lw_shape_of(g, b)));
    const double *x = reference_value(r, a), *y = reference_value(r, b);
    assert_non_null(x);
    assert_non_null(y);
    for (int64_t i = 0; i < lw_shape_count(lw_shape_of(g, a)); i++)
        if (!(fabs(x[i] - y[i]) <= CLOSE))
            fail_msg("element %lld: %.9g and %.9g", (long long)i, x[i], y[i]);
    reference_destroy(r);
}

/* At 16 / 2^level pixels, the last doubling at `fade`: level of detail level + 1 - fade. */
static void compare(const char *layout, const char *lod, int64_t side, double fade)
{
    lw_model *model = networks(layout, lod);
    lw_graph *g = lw_graph_create();
    const lw_build_options grown = {
        .size = sizeof grown, .resolution = side, .fade = fade < 1 ? lw_scalar(g, fade) : (lw_value){0}};
    lw_value z = noise(g, LW_SHAPE(2, 4)), photo = noise(g, LW_SHAPE(4, 3, 16, 16));
    lw_value image = lw_generate_with(g, model, z, &grown);
    lw_value small = photo;
    if (side < 16) {
        image = lw_upsample_nearest2d(g, image, (int)(16 / side));
        small = lw_avg_pool2d(g, photo, (int)(16 / side));
    }
    expect_same(g, image, lw_generate(g, model, z));
    expect_same(g, lw_discriminate_with(g, model, small, &grown), lw_discriminate(g, model, photo));
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

static void every_stage_is_a_level_of_detail(void **state)
{
    (void)state;
    static const char *const layouts[] = {"genforce", "zoo", "tf"};
    for (int i = 0; i < 3; i++) {
        compare(layouts[i], "2", 4, 1);
        compare(layouts[i], "1.75", 8, 0.25);
        compare(layouts[i], "1", 8, 1);
        compare(layouts[i], "0.25", 16, 0.75);
        compare(layouts[i], "0", 16, 1);
    }
}

static void a_resolution_the_network_does_not_have_is_an_error(void **state)
{
    (void)state;
    lw_model *model = networks("genforce", "0");
    lw_graph *g = lw_graph_create();
    lw_generate(g, model, noise(g, LW_SHAPE(2, 4)), .resolution = 12);
    assert_int_equal(lw_graph_status(g), LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "does not grow to images of 12 px"));
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

static void a_network_that_does_not_grow_says_so(void **state)
{
    (void)state;
    const char *const with[] = {"depth=1", "width=2", "z_dim=4", NULL};
    lw_model *model = test_model("faces", LW_PART_GENERATOR, "generator/dcgan", with);
    lw_graph *g = lw_graph_create();
    lw_generate(g, model, noise(g, LW_SHAPE(2, 4)), .resolution = 8);
    assert_int_equal(lw_graph_status(g), LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "does not provide `grow`"));
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_is_a_level_of_detail),
        cmocka_unit_test(a_resolution_the_network_does_not_have_is_an_error),
        cmocka_unit_test(a_network_that_does_not_grow_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
