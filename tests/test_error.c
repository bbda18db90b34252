/* What base.h promises: error chains, checked memory, "did you mean". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "latentwalk/base.h"

static void fail_keeps_one_message_and_returns_its_status(void **state)
{
    (void)state;
    lw_fail(LW_IO, "first");
    assert_int_equal(lw_fail(LW_SHAPE, "%d is not %s", 3, "four"), LW_SHAPE);
    assert_int_equal(lw_error_status(), LW_SHAPE);
    assert_string_equal(lw_error_message(0), "3 is not four");
    assert_null(lw_error_message(1));
    assert_null(lw_error_message(-1));
}

static void wrap_puts_the_outer_message_first(void **state)
{
    (void)state;
    lw_fail(LW_FORMAT, "byte 7 is bad");
    assert_int_equal(lw_wrap("while reading '%s'", "x.bin"), LW_FORMAT);
    lw_wrap("while loading the model");
    assert_string_equal(lw_error_message(0), "while loading the model");
    assert_string_equal(lw_error_message(1), "while reading 'x.bin'");
    assert_string_equal(lw_error_message(2), "byte 7 is bad");
    assert_string_equal(lw_error_text(), "while loading the model: while reading 'x.bin': byte 7 is bad");
}

static void a_message_may_quote_the_error_it_replaces(void **state)
{
    (void)state;
    lw_fail(LW_IO, "inner");
    lw_fail(LW_INVALID, "outer of %s", lw_error_message(0));
    assert_string_equal(lw_error_text(), "outer of inner");
}

static void a_deep_chain_keeps_its_root_and_its_outermost_message(void **state)
{
    (void)state;
    lw_fail(LW_DEVICE, "root");
    for (int i = 0; i < 50; i++)
        lw_wrap("level %d", i);
    int depth = 0;
    while (lw_error_message(depth + 1))
        depth++;
    assert_string_equal(lw_error_message(0), "level 49");
    assert_string_equal(lw_error_message(depth), "root");
    assert_int_equal(lw_error_status(), LW_DEVICE);
}

static void an_overlong_message_is_cut_with_dots(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lw_fail(LW_INVALID, "%s", text);
    size_t length = strlen(lw_error_message(0));
    assert_true(length > 100 && length < sizeof text - 1);
    assert_string_equal(lw_error_message(0) + length - 3, "...");
}

static void clear_forgets_the_error(void **state)
{
    (void)state;
    lw_fail(LW_IO, "gone");
    lw_error_clear();
    assert_int_equal(lw_error_status(), LW_OK);
    assert_null(lw_error_message(0));
    assert_string_equal(lw_error_text(), "");
}

static void *fail_elsewhere(void *unused)
{
    (void)unused;
    lw_fail(LW_IO, "of the other thread");
    return NULL;
}

static void each_thread_has_its_own_error(void **state)
{
    (void)state;
    pthread_t thread;
    lw_fail(LW_SHAPE, "mine");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(lw_error_message(0), "mine");
}

static void statuses_have_names_that_stay_valid(void **state)
{
    (void)state;
    const char *invalid = lw_status_name(LW_INVALID), *not_found = lw_status_name(LW_NOT_FOUND);
    assert_string_equal(invalid, "invalid");
    assert_string_equal(not_found, "not_found");
    assert_string_equal(lw_status_text(LW_MEMORY), "out of memory");
    assert_string_equal(lw_status_name((lw_status)999), "unknown");
}

static void memory_is_zeroed_and_zero_bytes_are_not_null(void **state)
{
    (void)state;
    unsigned char *bytes = lw_alloc(64, 1);
    for (int i = 0; i < 64; i++)
        assert_int_equal(bytes[i], 0);
    lw_free(bytes);
    void *nothing = lw_alloc(0, 8);
    assert_non_null(nothing);
    lw_free(nothing);
}

static void a_size_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(lw_alloc(SIZE_MAX / 2, 3));
    assert_int_equal(lw_error_status(), LW_MEMORY);
    assert_null(lw_resize(NULL, SIZE_MAX / 2, 3));
}

static void the_chosen_allocation_fails_and_only_that(void **state)
{
    (void)state;
    lw_alloc_fail_after(1);
    void *first = lw_alloc(1, 1), *second = lw_alloc(1, 1), *third = lw_alloc(1, 1);
    lw_alloc_fail_after(-1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    lw_free(first);
    lw_free(third);
    lw_alloc_fail_after(0);
    assert_null(lw_format("%d", 1));
    lw_alloc_fail_after(-1);
    assert_int_equal(lw_error_status(), LW_MEMORY);
}

static void format_makes_text_of_any_length(void **state)
{
    (void)state;
    char *text = lw_format("%0*d", 3000, 7);
    assert_int_equal(strlen(text), 3000);
    assert_int_equal(text[2999], '7');
    lw_free(text);
}

static void closest_finds_slips_of_the_finger(void **state)
{
    (void)state;
    static const char *const names[] = {"dcgan", "wgan-gp", "learning_rate", "batch", NULL};
    assert_string_equal(lw_closest("dcgna", names), "dcgan");
    assert_string_equal(lw_closest("wgangp", names), "wgan-gp");
    assert_string_equal(lw_closest("learing_rat", names), "learning_rate");
    assert_string_equal(lw_closest("batches", names), "batch");
}

static void closest_keeps_quiet_about_the_unlike(void **state)
{
    (void)state;
    static const char *const names[] = {"dcgan", "batch", NULL};
    assert_null(lw_closest("stylegan", names));
    assert_null(lw_closest("", names));
    assert_null(lw_closest("ba", (const char *const[]){"zz", NULL}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_keeps_one_message_and_returns_its_status),
        cmocka_unit_test(wrap_puts_the_outer_message_first),
        cmocka_unit_test(a_message_may_quote_the_error_it_replaces),
        cmocka_unit_test(a_deep_chain_keeps_its_root_and_its_outermost_message),
        cmocka_unit_test(an_overlong_message_is_cut_with_dots),
        cmocka_unit_test(clear_forgets_the_error),
        cmocka_unit_test(each_thread_has_its_own_error),
        cmocka_unit_test(statuses_have_names_that_stay_valid),
        cmocka_unit_test(memory_is_zeroed_and_zero_bytes_are_not_null),
        cmocka_unit_test(a_size_that_overflows_is_refused),
        cmocka_unit_test(the_chosen_allocation_fails_and_only_that),
        cmocka_unit_test(format_makes_text_of_any_length),
        cmocka_unit_test(closest_finds_slips_of_the_finger),
        cmocka_unit_test(closest_keeps_quiet_about_the_unlike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
