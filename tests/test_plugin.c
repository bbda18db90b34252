/* Parameters from text and back, arguments, typed ports, and the registry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include <stdio.h>
#include <string.h>

#include "latentwalk/latentwalk.h"
#include "plugin/args.h"
#include "plugin/ports.h"
#include "plugin/registry.h"

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const char *const forms[] = {"non-saturating", "wasserstein", "hinge", NULL};
static const char *const spaces[] = {"z", "w", "w+", NULL};
static const lw_param params[] = {
    {"points", LW_PARAM_INT, NULL, "10", 2, 100, NULL, "Points of a walk."},
    {"rate", LW_PARAM_FLOAT, NULL, "1e-4", 0, 1, NULL, "Learning rate."},
    {"smooth", LW_PARAM_BOOL, NULL, "false", 0, 0, NULL, "Average along the walk."},
    {"form", LW_PARAM_CHOICE, NULL, "hinge", 0, 0, forms, "Which loss."},
    {"title", LW_PARAM_STRING, NULL, "", 0, 0, NULL, "What to write above."},
    {"model", LW_PARAM_MODEL, NULL, NULL, 0, 0, NULL, "The model to walk in."},
    {"hidden", LW_PARAM_INTS, NULL, "[512, 512]", 1, 4096, NULL, "Hidden sizes."},
    {"scales", LW_PARAM_FLOATS, NULL, "", 0, 0, NULL, "Scales."},
    {"names", LW_PARAM_STRINGS, NULL, "[a, \"b c\"]", 0, 0, NULL, "Names."},
    {"losses", LW_PARAM_LOSSES, NULL, "", 0, 0, NULL, "What to minimise."},
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
static const lw_plugin loss_plugin = {.prefix = {.kind = LW_KIND_LOSS, .name = "shortness"}};

static void assert_says(const char *part)
{
    if (!strstr(lw_error_text(), part))
        fail_msg("expected '%s' in: %s", part, lw_error_text());
}

static lw_args *make_args(void)
{
    lw_args *args = lwi_args_create(&plugin);
    assert_non_null(args);
    return args;
}

/* --- parameters ----------------------------------------------------------------------------- */

static void the_descriptor_is_consistent(void **state)
{
    (void)state;
    if (lwi_descriptor_check(&plugin) != LW_OK)
        fail_msg("%s", lw_error_text());
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lw_int(args, "points"), 10);
    assert_true(lw_float(args, "rate") == 1e-4);
    assert_false(lw_bool(args, "smooth"));
    assert_string_equal(lw_text(args, "form"), "hinge");
    assert_int_equal(lw_list_count(args, "hidden"), 2);
    assert_int_equal(lw_list_int(args, "hidden", 1), 512);
    assert_string_equal(lw_list_text(args, "names", 1), "b c");
    assert_null(lw_text(args, "title"));
    assert_false(lw_is_set(args, "title"));
    assert_false(lw_is_given(args, "points"));
    lwi_args_destroy(args);
}

static void values_out_of_range_name_the_range(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "points", "1", true), LW_INVALID);
    assert_says("parameter 'points' is '1': expected an integer from 2 to 100");
    assert_int_equal(lwi_args_set_text(args, "points", "2.5", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "points", "99999999999999999999", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "points", "", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "rate", "nan", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "rate", "1e999", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "rate", "0x1p-3", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "hidden", "[512, 0]", true), LW_INVALID);
    assert_says("'0': expected a list of integers, each from 1 to 4096");
    assert_int_equal(lw_int(args, "points"), 10); /* what was there stays */
    lwi_args_destroy(args);
}

static void a_misspelt_choice_gets_a_suggestion(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "form", "wassertein", true), LW_INVALID);
    assert_says("one of non-saturating, wasserstein, hinge; did you mean 'wasserstein'?");
    lwi_args_destroy(args);
}

static void a_misspelt_key_gets_a_suggestion(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "poinst", "3", true), LW_NOT_FOUND);
    assert_says("method/walker has no parameter 'poinst'; did you mean 'points'?");
    assert_int_equal(lwi_args_set_text(args, "entirely-else", "3", true), LW_NOT_FOUND);
    assert_says("it has: points, rate, smooth");
    lwi_args_destroy(args);
}

static void texts_read_back_to_the_same_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text, *same;
    } rows[] = {
        {"points", "+7", "7"},
        {"rate", "0.1", "0.1"},
        {"rate", "0.30000000000000004", "0.30000000000000004"},
        {"rate", "1E-7", "1e-07"},
        {"smooth", "True", "true"},
        {"title", "a: b, \"c\"", "a: b, \"c\""},
        {"hidden", "[ 1,2 , 3 ]", "[1, 2, 3]"},
        {"hidden", "[]", "[]"},
        {"scales", "[0.5, -1]", "[0.5, -1]"},
        {"names", "['it''s', \"say \\\"hi\\\"\", x]", "[\"it's\", \"say \\\"hi\\\"\", x]"},
    };
    lw_args *args = make_args();
    for (size_t i = 0; i < LW_COUNT(rows); i++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(lwi_args_set_text(args, rows[i].key, again ? rows[i].same : rows[i].text, true),
                             LW_OK);
            char *text = lwi_args_text(args, rows[i].key);
            assert_string_equal(text, rows[i].same);
            lw_free(text);
        }
    }
    lwi_args_destroy(args);
}

static void broken_lists_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"1, 2",  "[1",    "[1 2]", "[1,,2]", "[,]",
                                        "[[1]]", "[1] x", "[\"a]", "{}",     "["};
    lw_args *args = make_args();
    for (size_t i = 0; i < LW_COUNT(texts); i++)
        assert_int_equal(lwi_args_set_text(args, "hidden", texts[i], true), LW_INVALID);
    lwi_args_destroy(args);
}

static void all_missing_parameters_are_named(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_complete(args), LW_INVALID);
    assert_says("method/walker must be given 'model' (the name of a model)");
    assert_int_equal(lwi_args_set_text(args, "model", "faces", true), LW_OK);
    assert_int_equal(lwi_args_complete(args), LW_OK);
    lwi_args_destroy(args);
}

static void asking_for_the_wrong_type_is_an_error(void **state)
{
    (void)state;
    lw_args *args = make_args();
    lw_error_clear();
    assert_int_equal(lw_int(args, "rate"), 0);
    assert_says("asks for parameter 'rate' as integer, but its table says number");
    assert_null(lw_text(args, "nothing"));
    assert_says("has no parameter 'nothing'");
    assert_int_equal(lw_list_int(args, "hidden", 2), 0);
    assert_says("item 2 of parameter 'hidden', which has 2");
    lwi_args_destroy(args);
}

static void points_are_named_by_a_list_or_by_their_index(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "hidden", "[]", true), LW_OK);
    assert_int_equal(lw_check_point_names(args, "hidden", 3), LW_OK);
    assert_int_equal(lw_point_name(args, "hidden", 2), 2);
    assert_int_equal(lwi_args_set_text(args, "hidden", "[10, 20, 50]", true), LW_OK);
    assert_int_equal(lw_check_point_names(args, "hidden", 3), LW_OK);
    assert_int_equal(lw_point_name(args, "hidden", 2), 50);
    assert_int_equal(lw_check_point_names(args, "hidden", 4), LW_INVALID);
    assert_says("hidden: 3 names for 4 points; give one for each");
    lwi_args_destroy(args);
}

static void detected_sizes_must_agree_with_given_ones(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lw_args_set_int(args, "points", 20), LW_OK);
    assert_int_equal(lw_int(args, "points"), 20);
    assert_false(lw_is_given(args, "points"));
    assert_int_equal(lwi_args_set_text(args, "points", "30", true), LW_OK);
    assert_int_equal(lw_args_set_int(args, "points", 30), LW_OK);
    assert_int_equal(lw_args_set_int(args, "points", 20), LW_INVALID);
    assert_says("given as 30, but the weights have 20");
    lwi_args_destroy(args);
}

static void detected_values_are_compared_as_values(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "rate", "1.0e-1", true), LW_OK);
    assert_int_equal(lwi_args_set_text(args, "hidden", "[64,32]", true), LW_OK);
    assert_int_equal(lw_args_set_float(args, "rate", 0.1), LW_OK);
    assert_int_equal(lw_args_set_ints(args, "hidden", (const int64_t[]){64, 32}, 2), LW_OK);
    assert_int_equal(lw_args_set_text(args, "hidden", "[64, 32]"), LW_OK);
    assert_int_equal(lw_args_set_ints(args, "hidden", (const int64_t[]){64, 32, 16}, 3), LW_INVALID);
    assert_says("given as [64, 32], but the weights have [64, 32, 16]");
    assert_int_equal(lw_args_set_float(args, "rate", 0.25), LW_INVALID);
    assert_says("given as 0.1, but the weights have 0.25");
    lwi_args_destroy(args);
}

static void detected_values_are_checked_like_given_ones(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lw_args_set_float(args, "rate", NAN), LW_INVALID);
    assert_int_equal(lw_args_set_ints(args, "hidden", (const int64_t[]){64, 0}, 2), LW_INVALID);
    assert_int_equal(lw_args_set_float(args, "rate", 0.015625), LW_OK);
    assert_float_equal(lw_float(args, "rate"), 0.015625, 0);
    lwi_args_destroy(args);
}

static void losses_keep_plugin_weight_and_arguments(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(
        lwi_args_add_loss(args, "losses", "short", &loss_plugin, 0.5, lwi_args_create(&loss_plugin)), LW_OK);
    lw_args *copy = lwi_args_copy(args);
    assert_non_null(copy);
    lwi_args_destroy(args);
    assert_int_equal(lwi_args_loss_count(copy, "losses"), 1);
    const lwi_loss_item *item = lwi_args_loss(copy, "losses", 0);
    assert_string_equal(item->id, "short");
    assert_ptr_equal(item->plugin, &loss_plugin);
    assert_true(item->weight == 0.5);
    assert_null(lwi_args_loss(copy, "losses", 1));
    assert_int_equal(lwi_args_add_loss(copy, "points", "x", &loss_plugin, 1, lwi_args_create(&loss_plugin)),
                     LW_INVALID);
    assert_int_equal(lwi_args_add_loss(copy, "losses", "x", &plugin, 1, lwi_args_create(&plugin)),
                     LW_INVALID);
    lwi_args_destroy(copy);
}

static void running_out_of_memory_is_an_error_and_no_leak(void **state)
{
    (void)state;
    int failures = 0;
    for (int n = 0; n < 200; n++) {
        lw_alloc_fail_after(n);
        lw_args *args = lwi_args_create(&plugin);
        lw_args *copy = args ? lwi_args_copy(args) : NULL;
        char *text = copy ? lwi_args_text(copy, "names") : NULL;
        lw_alloc_fail_after(-1);
        failures += text == NULL;
        lw_free(text);
        lwi_args_destroy(copy);
        lwi_args_destroy(args);
    }
    assert_in_range(failures, 20, 199);
}

/* --- ports ---------------------------------------------------------------------------------- */

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
    it.args = make_args();
    lw_dims_set(&it.dims, "z_dim", 100);
    lw_dims_set(&it.dims, "channels", 3);
    lw_dims_set(&it.dims, "height", 64);
    lw_dims_set(&it.dims, "width", 64);
    lwi_bindings_init(&it.b, "walk", it.args, &it.dims, "faces");
    return &it;
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
    assert_says("expected latent[8, 100], got w[9, 100]");
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
    assert_says("expected image[…, 3, 64, 64], got image[8, 10, 1, 64, 64]");
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
    assert_says("'start.z' belongs to model 'cars', but this step works on model 'faces'");
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
    assert_says("step 'walk', output 'moved': expected latent[8, 100], got [7, 100]");
    lwi_args_destroy(it->args);
}

/* --- the registry --------------------------------------------------------------------------- */

static void folders_that_do_not_exist_are_no_error(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, "/nowhere/at/all"), LW_OK);
    assert_int_equal(lwi_registry_scan_list(registry, "/nowhere::/nor/here:"), LW_OK);
    assert_int_equal(lwi_registry_count(registry), 0);
    assert_null(lwi_registry_find(registry, "sink/good"));
    assert_says("searched: '/nowhere/at/all', '/nowhere', '/nor/here'");
    lwi_registry_destroy(registry);
}

static void a_misspelt_id_gets_a_suggestion(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, LW_BUILD_DIR "/tests/bad"), LW_OK);
    assert_null(lwi_registry_load(registry, "sink/goood"));
    assert_says("there is no plugin 'sink/goood'; did you mean 'sink/good'?");
    assert_null(lwi_registry_load(registry, "good"));
    assert_says("there is no plugin 'good'; did you mean 'sink/good'?");
    lwi_registry_destroy(registry);
}

static void a_folder_scanned_twice_gives_no_duplicates(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, LW_BUILD_DIR "/tests/bad"), LW_OK);
    size_t count = lwi_registry_count(registry);
    assert_int_equal(lwi_registry_scan(registry, LW_BUILD_DIR "/tests/../tests/bad"), LW_OK);
    assert_int_equal(lwi_registry_count(registry), count);
    const lwi_entry *entry = lwi_registry_find(registry, "sink/good");
    assert_non_null(entry);
    assert_string_equal(entry->version, "1.0.0");
    assert_string_equal(entry->licence, "Apache-2.0");
    assert_string_equal(entry->summary, "A plugin without fault");
    lwi_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_is_consistent),
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(values_out_of_range_name_the_range),
        cmocka_unit_test(a_misspelt_choice_gets_a_suggestion),
        cmocka_unit_test(a_misspelt_key_gets_a_suggestion),
        cmocka_unit_test(texts_read_back_to_the_same_values),
        cmocka_unit_test(broken_lists_are_refused),
        cmocka_unit_test(all_missing_parameters_are_named),
        cmocka_unit_test(asking_for_the_wrong_type_is_an_error),
        cmocka_unit_test(points_are_named_by_a_list_or_by_their_index),
        cmocka_unit_test(detected_sizes_must_agree_with_given_ones),
        cmocka_unit_test(detected_values_are_compared_as_values),
        cmocka_unit_test(detected_values_are_checked_like_given_ones),
        cmocka_unit_test(losses_keep_plugin_weight_and_arguments),
        cmocka_unit_test(running_out_of_memory_is_an_error_and_no_leak),
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
        cmocka_unit_test(folders_that_do_not_exist_are_no_error),
        cmocka_unit_test(a_misspelt_id_gets_a_suggestion),
        cmocka_unit_test(a_folder_scanned_twice_gives_no_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
