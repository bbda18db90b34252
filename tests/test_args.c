/* test_args.c — parameters from text and back, and arguments. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "errors.h"
#include "latentwalk/latentwalk.h"
#include "plugin/args.h"
#include "plugin/registry.h"

static lw_status run(struct lw_step *step)
{
    (void)step;
    return LW_OK;
}

static const char *const forms[] = {"non-saturating", "wasserstein", "hinge", NULL};
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
};
static const lw_runner runner = {.size = sizeof runner, .run = run};
static const lw_plugin plugin = {
    .prefix = {.kind = LW_KIND_METHOD, .name = "walker"},
    .param_stride = sizeof(lw_param),
    .port_stride = sizeof(lw_port),
    LW_PARAMS(params),
    .functions = &runner,
};
static const lw_plugin loss_plugin = {.prefix = {.kind = LW_KIND_LOSS, .name = "shortness"}};

static lw_args *make_args(void)
{
    lw_args *args = lwi_args_create(&plugin);
    assert_non_null(args);
    return args;
}

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
    assert_error_contains("parameter 'points' is '1': expected an integer from 2 to 100");
    assert_int_equal(lwi_args_set_text(args, "points", "2.5", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "points", "99999999999999999999", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "points", "", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "rate", "nan", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "rate", "1e999", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "rate", "0x1p-3", true), LW_INVALID);
    assert_int_equal(lwi_args_set_text(args, "hidden", "[512, 0]", true), LW_INVALID);
    assert_error_contains("'0': expected a list of integers, each from 1 to 4096");
    assert_int_equal(lw_int(args, "points"), 10); /* what was there stays */
    lwi_args_destroy(args);
}

static void a_misspelt_choice_gets_a_suggestion(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "form", "wassertein", true), LW_INVALID);
    assert_error_contains("one of non-saturating, wasserstein, hinge; did you mean 'wasserstein'?");
    lwi_args_destroy(args);
}

static void a_misspelt_key_gets_a_suggestion(void **state)
{
    (void)state;
    lw_args *args = make_args();
    assert_int_equal(lwi_args_set_text(args, "poinst", "3", true), LW_NOT_FOUND);
    assert_error_contains("method/walker has no parameter 'poinst'; did you mean 'points'?");
    assert_int_equal(lwi_args_set_text(args, "entirely-else", "3", true), LW_NOT_FOUND);
    assert_error_contains("it has: points, rate, smooth");
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
    assert_error_contains("method/walker must be given 'model' (the name of a model)");
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
    assert_error_contains("asks for parameter 'rate' as integer, but its table says number");
    assert_null(lw_text(args, "nothing"));
    assert_error_contains("has no parameter 'nothing'");
    assert_int_equal(lw_list_int(args, "hidden", 2), 0);
    assert_error_contains("item 2 of parameter 'hidden', which has 2");
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
    assert_error_contains("hidden: 3 names for 4 points; give one for each");
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
    assert_error_contains("given as 30, but the weights have 20");
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
    assert_error_contains("given as [64, 32], but the weights have [64, 32, 16]");
    assert_int_equal(lw_args_set_float(args, "rate", 0.25), LW_INVALID);
    assert_error_contains("given as 0.1, but the weights have 0.25");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
