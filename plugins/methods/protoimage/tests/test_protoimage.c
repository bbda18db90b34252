/* test_protoimage.c — the official code's steps, gradients, and what is done without a critic that looks at
 * variety. */
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
    open_method(h, "method/protoimage", f->model, f->device);
    harness_set(h, "tolerance", "0");
    harness_set(h, "iterations", iterations);
    harness_input(h, "z", "start.z", "z", fixture_expected(f, "z0"));
    harness_input(h, "recovered", "recover.z", "z", fixture_expected(f, "z1"));
}

/* Float32 and float64 differ by 3e-7 after 1 step and by 3e-5 after 5 (config.json). */
static void steps_are_the_official_ones(void **state)
{
    (void)state;
    static const char *const steps[] = {"1", "5"};
    static const double tolerance[] = {1e-5, 2e-4};
    fixture f;
    open_official(&f);
    for (int k = 0; k < 2; k++) {
        harness h;
        char name[32];
        set_up(&h, &f, steps[k]);
        test_must(harness_run(&h));
        snprintf(name, sizeof name, "proto_it%s", steps[k]);
        near(name, harness_output(&h, "z"), fixture_expected(&f, name), tolerance[k]);
        harness_close(&h);
    }
    fixture_close(&f);
}

static void steps_with_deviations_are_the_official_ones(void **state)
{
    (void)state;
    fixture f;
    harness h;
    open_official(&f);
    set_up(&h, &f, "5");
    harness_set(&h, "lambda", "0.2");
    harness_set(&h, "gamma", "1");
    harness_set(&h, "delta", "3");
    test_must(harness_run(&h));
    near("proto_wgangp_it5", harness_output(&h, "z"), fixture_expected(&f, "proto_wgangp_it5"), 2e-4);

    const lw_tensor *found = harness_output(&h, "z"), *mean = harness_output(&h, "mean");
    lw_tensor *by_hand = lw_tensor_create(LW_SHAPE(1, 512));
    for (int i = 0; i < 4 * 512; i++)
        by_hand->data[i % 512] += found->data[i] / 4;
    sphere_project(by_hand->data, 1, 512);
    near("the mean", mean, by_hand, 1e-5);
    lw_tensor_destroy(by_hand);
    harness_close(&h);
    fixture_close(&f);
}

static void the_gradient_agrees_with_differences(void **state)
{
    (void)state;
    fixture f;
    open_official(&f);
    for (int k = 0; k < 2; k++) {
        const proto_weights weights = {k ? 0.2 : 3, k ? 1 : 0, k ? 3 : 0};
        lw_graph *g = lw_graph_create();
        lw_tensor *at = normal_rows(4, 512, 5);
        lw_value q = lw_input(g, "x", at->shape), z0 = fixture_constant(&f, g, "z0");
        lw_value next = proto_step(g, z0, fixture_constant(&f, g, "z1"), q);
        check_slope(g, f.device, q, proto_objective(g, f.model, weights, next, z0), at, 4e-3, 2e-2);
        lw_graph_destroy(g);
        lw_tensor_destroy(at);
    }
    fixture_close(&f);
}

/* d = 0: the point stays where it is, and nothing is divided by nothing. */
static void a_walk_that_stands_still_stays(void **state)
{
    lw_device *device = *state;
    lw_graph *g = lw_graph_create();
    lw_tensor *z = normal_rows(2, 6, 1), *q = normal_rows(2, 6, 2);
    sphere_project(z->data, 2, 6);
    lw_value at = lw_constant(g, z->shape, z->data);
    lw_output(g, "next", proto_step(g, at, at, lw_constant(g, q->shape, q->data)));
    lw_program *program = lw_compile(g, device);
    assert_non_null(program);
    test_must(lw_program_run(program));
    lw_tensor *next = lw_program_read_tensor(program, "next");
    near("the point", next, z, 1e-6);
    lw_tensor_destroy(next);
    lw_tensor_destroy(z);
    lw_tensor_destroy(q);
    lw_program_destroy(program);
    lw_graph_destroy(g);
}

/* A critic that sees each image by itself has no low score for protoimages: `steps` of the walk are taken,
 * and it is said. */
static void without_a_critic_of_variety_the_walk_is_followed(void **state)
{
    lw_device *device = *state;
    lw_model *model = tiny_dcgan();
    lw_tensor *z = normal_rows(3, 6, 1), *recovered = normal_rows(3, 6, 2);
    harness h;
    open_method(&h, "method/protoimage", model, device);
    harness_set(&h, "steps", "2");
    harness_input(&h, "z", "start.z", "z", z);
    harness_input(&h, "recovered", "recover.z", "z", recovered);
    test_must(harness_run(&h));
    const char *note = json_string_value(json_array_get(h.step->notes, 0));
    assert_non_null(note);
    assert_non_null(strstr(note, "the critic of model 'tiny' does not look at how much a batch varies"));
    sphere_project(z->data, 3, 6);
    sphere_project(recovered->data, 3, 6);
    for (int n = 0; n < 3; n++) {
        float at[6];
        sphere_step(z->data + 6 * n, recovered->data + 6 * n, at, 6);
        sphere_step(recovered->data + 6 * n, at, z->data + 6 * n, 6);
    }
    near("the second step", harness_output(&h, "z"), z, 1e-5);

    harness_set(&h, "gamma", "1"); /* that it can search with, if there are two to compare */
    harness_set(&h, "batch", "1");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "at least 2 latents"));
    harness_set(&h, "batch", "3");
    harness_set(&h, "iterations", "2");
    test_must(harness_run(&h));
    assert_int_equal(json_array_size(h.step->notes), 0);
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(recovered);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_the_official_ones),
        cmocka_unit_test(steps_with_deviations_are_the_official_ones),
        cmocka_unit_test(the_gradient_agrees_with_differences),
        cmocka_unit_test(a_walk_that_stands_still_stays),
        cmocka_unit_test(without_a_critic_of_variety_the_walk_is_followed),
    };
    return cmocka_run_group_tests(tests, test_open_device, test_close_device);
}
