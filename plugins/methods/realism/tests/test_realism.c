/* test_realism.c — the official code's steps of sigma, gradients, fixed shares, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../latent-recovery/tests/diamond.h"

#include "../../great-circle-walk/sphere.c"
#include "../objective.c"

#include <stdio.h>
#include <string.h>

static void set_up(harness *h, fixture *f, const char *iterations)
{
    open_method(h, "method/realism", f->model, f->device);
    harness_set(h, "tolerance", "0");
    harness_set(h, "iterations", iterations);
    harness_set(h, "start", "0.6");
    harness_set(h, "minimum", "0.5");
    harness_set(h, "maximum", "0.75");
    harness_input(h, "z", "start.z", "z", fixture_expected(f, "z0"));
    harness_input(h, "proto", "proto.z", "z", fixture_expected(f, "proto_it30"));
}

/* The official latents are those its last sigma but one makes; here they are those of the sigma that is
 * told. */
static void steps_are_the_official_ones(void **state)
{
    (void)state;
    static const int steps[] = {4, 5, 29, 30};
    fixture f;
    open_official(&f);
    for (int k = 0; k < 4; k++) {
        harness h;
        char text[32];
        snprintf(text, sizeof text, "%d", steps[k]);
        set_up(&h, &f, text);
        test_must(harness_run(&h));
        snprintf(text, sizeof text, steps[k] % 5 == 4 ? "improved_it%d" : "sigma_it%d",
                 steps[k] % 5 == 4 ? steps[k] + 1 : steps[k]);
        near(text, harness_output(&h, steps[k] % 5 == 4 ? "z" : "sigma"), fixture_expected(&f, text), 1e-4);
        if (steps[k] == 30)
            assert_true(harness_metric(&h, "sigma", "largest") == 0.75);
        harness_close(&h);
    }
    fixture_close(&f);
}

static void the_gradient_agrees_with_differences(void **state)
{
    (void)state;
    fixture f;
    open_official(&f);
    for (int k = 0; k < 2; k++) {
        lw_graph *g = lw_graph_create();
        const lw_tensor *at = fixture_expected(&f, "sigma_it5");
        lw_value sigma = lw_input(g, "x", at->shape);
        lw_value z =
            realism_between(g, fixture_constant(&f, g, "z0"), fixture_constant(&f, g, "proto_it30"), sigma);
        check_slope(g, f.device, sigma, realism_objective(g, f.model, k ? -1 : 0, k, z), at, 2e-5, 2e-2);
        lw_graph_destroy(g);
    }
    fixture_close(&f);
}

static lw_status move(harness *h, lw_model *model, lw_device *device, const lw_tensor *z,
                      const lw_tensor *proto, const char *sigma)
{
    open_method(h, "method/realism", model, device);
    if (sigma)
        harness_set(h, "sigma", sigma);
    harness_input(h, "z", "start.z", "z", z);
    harness_input(h, "proto", "proto.mean", "z", proto);
    return harness_run(h);
}

/* Equation 8 at its ends, and with one protoimage for all. */
static void a_share_of_ones_choice_is_taken_by_all(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    lw_tensor *z = normal_rows(3, 6, 1), *protos = normal_rows(3, 6, 2), *one = normal_rows(1, 6, 3);
    lw_tensor *z_on_sphere = sphere_copy(z), *protos_on_sphere = sphere_copy(protos),
              *one_on_sphere = sphere_copy(one);
    harness h;
    test_must(move(&h, model, device, z, protos, "0"));
    near("sigma 0", harness_output(&h, "z"), z_on_sphere, 1e-6);
    assert_int_equal(json_array_size(h.step->notes), 0); /* the user has decided */
    harness_close(&h);
    test_must(move(&h, model, device, z, protos, "1"));
    near("sigma 1", harness_output(&h, "z"), protos_on_sphere, 1e-6);
    harness_close(&h);
    test_must(move(&h, model, device, z, one, "0.5"));
    for (int n = 0; n < 3; n++) {
        float half[6];
        for (int i = 0; i < 6; i++)
            half[i] = (z_on_sphere->data[6 * n + i] + one_on_sphere->data[i]) / 2;
        sphere_project(half, 1, 6);
        for (int i = 0; i < 6; i++)
            assert_float_equal(harness_output(&h, "z")->data[6 * n + i], half[i], 1e-6);
        assert_true(harness_output(&h, "sigma")->data[n] == 0.5f);
    }
    harness_close(&h);
    lw_tensor *const all[] = {z, protos, one, z_on_sphere, protos_on_sphere, one_on_sphere};
    for (int i = 0; i < 6; i++)
        lw_tensor_destroy(all[i]);
    lwi_model_destroy(model);
}

static void what_cannot_be_is_refused(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    lw_tensor *z = normal_rows(3, 6, 1), *two = normal_rows(2, 6, 2), *one = normal_rows(1, 6, 3);
    harness h;
    assert_int_equal(move(&h, model, device, z, two, NULL), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "2 protoimages for 3 latents"));
    harness_close(&h);
    assert_int_equal(move(&h, model, device, z, one, NULL), LW_OK);
    const char *note = json_string_value(json_array_get(h.step->notes, 0));
    assert_true(note && strstr(note, "does not look at how much a batch varies"));
    harness_set(&h, "minimum", "0.8");
    harness_set(&h, "maximum", "0.2");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "minimum: 0.8 is more than the maximum, 0.2"));
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(two);
    lw_tensor_destroy(one);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_the_official_ones),
        cmocka_unit_test(the_gradient_agrees_with_differences),
        cmocka_unit_test(a_share_of_ones_choice_is_taken_by_all),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, test_open_device, test_close_device);
}
