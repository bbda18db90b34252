/* test_ports.c — typed ports: what fits, what follows, and what is said otherwise. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "errors.h"
#include "latentwalk/latentwalk.h"
#include "plugin/args.h"
#include "plugin/ports.h"
#include "plugin/registry.h"

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const char *const spaces[] = {"z", "w", "w+", NULL};
static const lw_param params[] = {
    {"points", LW_PARAM_INT, NULL, "10", 2, 100, NULL, "Points of a walk."},
    {"model", LW_PARAM_MODEL, NULL, NULL, 0, 0, NULL, "The model to walk in."},
    {"space", LW_PARAM_CHOICE, NULL, "z", 0, 0, spaces, "Where."},
};
static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", 0, 0, "Where walks start."},
    {"any", "latent[N, z_dim]", 1, 0, "Latents of any space."},
    {"images", "image[…, channels, height, width]", 1, 0, "Pictures."},
    {"more", "any[...]", 1, 1, "Whatever there is."},
    {"pairs", "scores[N, T]", 1, 1, "Scores."},
};
static const lw_port outputs[] = {
    {"walks", "z[N, points, z_dim]", 0, 0, "The walks."},
    {"moved", "latent[N, z_dim]", 0, 0, "In the space of the input."},
    {"quality", "scores[…, K]", 0, 0, "One for each picture."},
};
static const lw_runner runner = {.size = sizeof runner, .run = run};
static const lw_plugin plugin = {
    .prefix = {.kind = LW_KIND_METHOD, .name = "walker"},
    .param_stride = sizeof(lw_param),
    .port_stride = sizeof(lw_port),
    LW_PARAMS(params),
    LW_INPUTS(inputs),
    LW_OUTPUTS(outputs),
    .functions = &runner,
};

static const lw_port *input(const char *name)
{
    return lwi_input_find(&plugin, name);
}
static const lw_port *output(const char *name)
{
    return lwi_output_find(&plugin, name);
}

static lwi_port_type type_of(const char *text)
{
    lwi_port_type type;
    if (lwi_port_parse(text, &type) != LW_OK)
        fail_msg("%s", lw_error_text());
    return type;
}

static lw_status unify(lwi_bindings *b, const char *port, const char *type, const char *model,
                       const char *source)
{
    lwi_port_type actual = type_of(type);
    snprintf(actual.model, sizeof actual.model, "%s", model);
    return lwi_unify(b, input(port), &actual, source);
}

static void assert_resolves(lwi_bindings *b, const char *port, const char *expected)
{
    lwi_port_type type;
    char text[LWI_PORT_TEXT];
    assert_int_equal(lwi_resolve(b, output(port), &type), LW_OK);
    assert_string_equal(lwi_port_text(&type, text), expected);
}

typedef struct bench {
    lw_args *args;
    lw_dims dims;
    lwi_bindings b;
} bench;

/* A step 'walk' on a model 'faces' with z_dim 100 and 3 x 64 x 64 pictures. */
static bench *make_bench(void)
{
    static bench it;
    memset(&it, 0, sizeof it);
    it.args = lwi_args_create(&plugin);
    assert_non_null(it.args);
    lw_dims_set(&it.dims, "z_dim", 100);
    lw_dims_set(&it.dims, "channels", 3);
    lw_dims_set(&it.dims, "height", 64);
    lw_dims_set(&it.dims, "width", 64);
    lwi_bindings_init(&it.b, "walk", it.args, &it.dims, "faces");
    return &it;
}

static void the_descriptor_with_ports_is_consistent(void **state)
{
    (void)state;
    if (lwi_descriptor_check(&plugin) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static void port_types_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"z[N, 100]", "w+[N, num_ws, w_dim]",
                                        "image[…, channels, height, width]", "scores[]",
                                        "dataset[N, 3, 8, 8]"};
    char text[LWI_PORT_TEXT];
    for (size_t i = 0; i < LW_COUNT(texts); i++) {
        lwi_port_type type = type_of(texts[i]);
        assert_string_equal(lwi_port_text(&type, text), texts[i]);
    }
}

static void bad_port_types_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",       "z",           "y[N]",   "z[N",        "z[N,]", "z[,N]", "z[0]",
        "z[N] ",  "z[1x]",       "z[a b]", "z[…, N, …]", "z[-1]", "[N]",   "z[a,b,c,d,e,f,g]",
        "z[N/2]", "image[N, C!]"};
    lwi_port_type type;
    for (size_t i = 0; i < LW_COUNT(texts); i++)
        assert_int_equal(lwi_port_parse(texts[i], &type), LW_FORMAT);
}

static void dims_come_from_parameters_models_and_other_ports(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(unify(&it->b, "z", "z[8, 100]", "faces", "start.z"), LW_OK);
    assert_resolves(&it->b, "walks", "z[8, 10, 100]");
    lwi_args_destroy(it->args);
}

static void a_wrong_space_or_shape_shows_both_types(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(unify(&it->b, "z", "w[8, 512]", "faces", "start.w"), LW_SHAPE);
    assert_string_equal(lw_error_text(),
                        "step 'walk', input 'z': expected z[N, 100], got w[8, 512] from 'start.w'");
    assert_int_equal(unify(&it->b, "z", "z[8, 101]", "faces", "start.z"), LW_SHAPE);
    assert_int_equal(unify(&it->b, "z", "z[8, 1, 100]", "faces", "start.z"), LW_SHAPE);
    lwi_args_destroy(it->args);
}

static void one_symbol_means_one_number(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(unify(&it->b, "z", "z[8, 100]", "faces", "start.z"), LW_OK);
    assert_int_equal(unify(&it->b, "any", "w[9, 100]", "faces", "start.w"), LW_SHAPE);
    assert_error_contains("expected latent[8, 100], got w[9, 100]");
    assert_int_equal(unify(&it->b, "any", "w[8, 100]", "faces", "start.w"), LW_OK);
    lwi_args_destroy(it->args);
}

static void what_is_not_known_yet_fits_and_stays_symbolic(void **state)
{
    (void)state;
    bench *it = make_bench();
    lwi_port_type actual = type_of("z[M, 100]");
    snprintf(actual.dim[0].name, sizeof actual.dim[0].name, "load.N");
    assert_int_equal(lwi_unify(&it->b, input("z"), &actual, "load.z"), LW_OK);
    assert_resolves(&it->b, "walks", "z[load.N, 10, 100]");
    assert_int_equal(unify(&it->b, "any", "z[5, 100]", "faces", "b.z"), LW_OK);
    assert_resolves(&it->b, "walks", "z[5, 10, 100]");
    assert_resolves(&it->b, "quality", "scores[…, walk.K]");
    lwi_args_destroy(it->args);
}

static void latent_follows_its_input_or_the_space_parameter(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_resolves(&it->b, "moved", "z[walk.N, 100]");
    assert_int_equal(lwi_args_set_text(it->args, "space", "w", true), LW_OK);
    assert_resolves(&it->b, "moved", "w[walk.N, 100]");
    assert_int_equal(unify(&it->b, "any", "w+[4, 100]", "faces", "a.w"), LW_OK);
    assert_resolves(&it->b, "moved", "w+[4, 100]");
    assert_int_equal(unify(&it->b, "any", "image[4, 100]", "faces", "a.i"), LW_SHAPE);
    lwi_args_destroy(it->args);
}

static void the_rest_stands_for_any_number_of_dims(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(unify(&it->b, "images", "image[8, 10, 3, 64, 64]", "", "a.x"), LW_OK);
    assert_resolves(&it->b, "quality", "scores[8, 10, walk.K]");
    assert_int_equal(unify(&it->b, "images", "image[3, 64, 64]", "", "a.x"), LW_OK);
    assert_int_equal(unify(&it->b, "images", "image[8, 10, 1, 64, 64]", "", "a.x"), LW_SHAPE);
    assert_error_contains("expected image[…, 3, 64, 64], got image[8, 10, 1, 64, 64]");
    assert_int_equal(unify(&it->b, "images", "image[64, 64]", "", "a.x"), LW_SHAPE);
    assert_int_equal(unify(&it->b, "images", "image[…, 64, 64]", "", "a.x"), LW_OK);
    assert_int_equal(unify(&it->b, "images", "image[…, 32, 32]", "", "a.x"), LW_SHAPE);
    lwi_args_destroy(it->args);
}

static void entries_of_a_many_port_need_not_agree(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(unify(&it->b, "pairs", "scores[2, 3]", "", "a.s"), LW_OK);
    assert_int_equal(unify(&it->b, "pairs", "scores[4, 5]", "", "b.s"), LW_OK);
    assert_int_equal(unify(&it->b, "more", "z[4, 5]", "faces", "b.z"), LW_OK);
    assert_int_equal(unify(&it->b, "more", "image[4, 5]", "", "b.i"), LW_OK);
    assert_int_equal(unify(&it->b, "more", "dataset[N, 3, 8, 8]", "", "b.d"), LW_SHAPE);
    lwi_args_destroy(it->args);
}

static void latents_of_another_model_are_refused(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(unify(&it->b, "z", "z[8, 100]", "cars", "start.z"), LW_INVALID);
    assert_error_contains("'start.z' belongs to model 'cars', but this step works on model 'faces'");
    assert_int_equal(unify(&it->b, "more", "z[8, 100]", "cars", "start.z"), LW_OK); /* any: only looked at */
    lwi_port_type type;
    assert_int_equal(lwi_resolve(&it->b, output("walks"), &type), LW_OK);
    assert_string_equal(type.model, "faces");
    lwi_args_destroy(it->args);
}

static void outputs_must_have_the_promised_shape(void **state)
{
    (void)state;
    bench *it = make_bench();
    assert_int_equal(lwi_check_output(&it->b, output("walks"), LW_SHAPE(8, 10, 100)), LW_OK);
    assert_int_equal(lwi_check_output(&it->b, output("moved"), LW_SHAPE(7, 100)), LW_SHAPE);
    assert_error_contains("step 'walk', output 'moved': expected latent[8, 100], got [7, 100]");
    lwi_args_destroy(it->args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_with_ports_is_consistent),
        cmocka_unit_test(port_types_are_written_as_they_are_read),
        cmocka_unit_test(bad_port_types_are_refused),
        cmocka_unit_test(dims_come_from_parameters_models_and_other_ports),
        cmocka_unit_test(a_wrong_space_or_shape_shows_both_types),
        cmocka_unit_test(one_symbol_means_one_number),
        cmocka_unit_test(what_is_not_known_yet_fits_and_stays_symbolic),
        cmocka_unit_test(latent_follows_its_input_or_the_space_parameter),
        cmocka_unit_test(the_rest_stands_for_any_number_of_dims),
        cmocka_unit_test(entries_of_a_many_port_need_not_agree),
        cmocka_unit_test(latents_of_another_model_are_refused),
        cmocka_unit_test(outputs_must_have_the_promised_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
