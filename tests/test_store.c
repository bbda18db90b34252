/* test_store.c — stores of named tensors, as the host and the runtime use them; batches of rows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "errors.h"
#include "store.h"
#include "tensor/store_internal.h"

/* --- the set of tensors ---------------------------------------------------------------------- */

static void batches_are_all_full_and_the_last_ends_where_the_rows_do(void **state)
{
    (void)state;
    for (int64_t batch = 0; batch < 3; batch++)
        assert_int_equal(lw_batch_first(batch, 4, 10), ((const int64_t[]){0, 4, 6})[batch]);
    assert_int_equal(lw_batch_first(1, 5, 10), 5);
    assert_int_equal(lw_batch_first(0, 10, 10), 0);
}

static void tensors_keep_their_order_and_values(void **state)
{
    (void)state;
    lw_store *store = example_store();
    assert_int_equal(lw_store_count(store), 3);
    assert_string_equal(lw_store_name(store, 0), "b.weight");
    assert_string_equal(lw_store_name(store, 2), "step");
    assert_null(lw_store_name(store, 3));
    assert_float_equal(lw_store_get(store, "a.bias")->data[1], 8, 0);
    assert_true(lw_store_has(store, "step") && !lw_store_has(store, "stop"));
    lw_store_destroy(store);
}

static void an_absent_tensor_is_not_found(void **state)
{
    (void)state;
    lw_shape shape;
    lw_store *store = example_store();
    assert_null(lw_store_get(store, "none"));
    assert_int_equal(lw_error_status(), LW_NOT_FOUND);
    assert_int_equal(lw_store_shape(store, "none", &shape), LW_NOT_FOUND);
    lw_store_destroy(store);
}

static void a_replaced_tensor_keeps_its_shape(void **state)
{
    (void)state;
    lw_store *store = example_store();
    assert_int_equal(lw_store_set(store, "a.bias", LW_SHAPE(3), (float[]){1, 2, 3}), LW_OK);
    assert_float_equal(lw_store_get(store, "a.bias")->data[2], 3, 0);
    assert_int_equal(lw_store_set(store, "a.bias", LW_SHAPE(1, 3), (float[]){1, 2, 3}), LW_SHAPE);
    assert_error_contains("[3]");
    assert_error_contains("[1, 3]");
    lw_store_destroy(store);
}

static void impossible_names_and_shapes_are_refused(void **state)
{
    (void)state;
    lw_store *store = lw_store_create();
    float value = 1;
    assert_int_equal(lw_store_set(store, "", LW_SCALAR, &value), LW_INVALID);
    assert_int_equal(lw_store_set(store, "__metadata__", LW_SCALAR, &value), LW_INVALID);
    assert_int_equal(lw_store_set(store, "x", LW_SHAPE(-1), &value), LW_SHAPE);
    assert_int_equal(lw_store_set(store, "x", LW_SHAPE(1, 1, 1, 1, 1, 1, 1), &value), LW_SHAPE);
    assert_int_equal(lw_store_count(store), 0);
    lw_store_destroy(store);
}

static void thousands_of_names_are_found_and_entries_stay_where_they_are(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    char name[32];
    lw_store *store = lw_store_create();
    lw_store_set(store, "first", LW_SCALAR, (float[]){-1});
    lwi_entry *first = lwi_store_entry(store, "first");
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        assert_int_equal(lw_store_set(store, name, LW_SCALAR, (float[]){(float)i}), LW_OK);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        assert_float_equal(lw_store_get(store, name)->data[0], (float)i, 0);
    }
    assert_ptr_equal(lwi_store_entry(store, "first"), first);
    lw_store_destroy(store);
}

static void merge_copies_what_has_the_prefix_under_the_rest_of_its_name(void **state)
{
    (void)state;
    lw_store *from = example_store(), *to = lw_store_create();
    assert_int_equal(lw_store_merge(to, from, "a."), LW_OK);
    assert_int_equal(lw_store_count(to), 1);
    assert_float_equal(lw_store_get(to, "bias")->data[0], 7, 0);
    lw_store_destroy(from);
    lw_store_destroy(to);
}

static void the_hash_depends_on_values_names_and_shapes(void **state)
{
    (void)state;
    char a[17], b[17];
    lw_store *one = example_store(), *two = example_store();
    assert_int_equal(lw_store_hash(one, a), LW_OK);
    assert_int_equal(lw_store_hash(two, b), LW_OK);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 16);
    lw_store_set(two, "step", LW_SCALAR, (float[]){43});
    lw_store_hash(two, b);
    assert_string_not_equal(a, b);
    lw_store_set(two, "step", LW_SCALAR, (float[]){42});
    lw_store_set(two, "empty", LW_SHAPE(0), NULL);
    lw_store_hash(two, b);
    assert_string_not_equal(a, b);
    lw_store_destroy(one);
    lw_store_destroy(two);
}

/* --- the device's side, as the runtime uses it ----------------------------------------------- */

static int releases;

static lw_status read_ninety_nine(lwi_entry *entry)
{
    entry->tensor->data[0] = 99;
    return LW_OK;
}

static lw_status lose_the_device(lwi_entry *entry)
{
    (void)entry;
    return lw_fail(LW_DEVICE, "the device is gone");
}

static void count_release(lwi_entry *entry)
{
    (void)entry;
    releases++;
}

static void get_reads_back_what_the_device_changed(void **state)
{
    (void)state;
    lw_store *store = example_store();
    lwi_entry *entry = lwi_store_entry(store, "step");
    entry->host_stale = true;
    entry->read_back = read_ninety_nine;
    assert_float_equal(lw_store_get(store, "step")->data[0], 99, 0);
    assert_false(entry->host_stale);
    lw_store_destroy(store);
}

static void get_reports_a_failed_read_back(void **state)
{
    (void)state;
    lw_store *store = example_store();
    lwi_entry *entry = lwi_store_entry(store, "step");
    entry->host_stale = true;
    entry->read_back = lose_the_device;
    assert_null(lw_store_get(store, "step"));
    assert_int_equal(lw_error_status(), LW_DEVICE);
    assert_error_contains("step");
    lw_store_destroy(store);
}

static void set_makes_the_device_stale_and_counts_a_version(void **state)
{
    (void)state;
    lw_store *store = example_store();
    lwi_entry *entry = lwi_store_entry(store, "step");
    uint64_t version = entry->version;
    entry->host_stale = true;
    entry->device_stale = false;
    lw_store_set(store, "step", LW_SCALAR, (float[]){1});
    assert_true(entry->device_stale && !entry->host_stale);
    assert_int_equal(entry->version, version + 1);
    lw_store_destroy(store);
}

static void destroy_releases_the_device_copies(void **state)
{
    (void)state;
    lw_store *store = example_store();
    releases = 0;
    lwi_store_entry(store, "step")->release = count_release;
    lw_store_destroy(store);
    assert_int_equal(releases, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_all_full_and_the_last_ends_where_the_rows_do),
        cmocka_unit_test(tensors_keep_their_order_and_values),
        cmocka_unit_test(an_absent_tensor_is_not_found),
        cmocka_unit_test(a_replaced_tensor_keeps_its_shape),
        cmocka_unit_test(impossible_names_and_shapes_are_refused),
        cmocka_unit_test(thousands_of_names_are_found_and_entries_stay_where_they_are),
        cmocka_unit_test(merge_copies_what_has_the_prefix_under_the_rest_of_its_name),
        cmocka_unit_test(the_hash_depends_on_values_names_and_shapes),
        cmocka_unit_test(get_reads_back_what_the_device_changed),
        cmocka_unit_test(get_reports_a_failed_read_back),
        cmocka_unit_test(set_makes_the_device_stale_and_counts_a_version),
        cmocka_unit_test(destroy_releases_the_device_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
