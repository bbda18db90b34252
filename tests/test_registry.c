/* test_registry.c — which plugins there are in folders, and which of them an id means. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "errors.h"
#include "latentwalk/latentwalk.h"
#include "plugin/registry.h"

static void folders_that_do_not_exist_are_no_error(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, "/nowhere/at/all"), LW_OK);
    assert_int_equal(lwi_registry_scan_list(registry, "/nowhere::/nor/here:"), LW_OK);
    assert_int_equal(lwi_registry_count(registry), 0);
    assert_null(lwi_registry_find(registry, "sink/good"));
    assert_error_contains("searched: '/nowhere/at/all', '/nowhere', '/nor/here'");
    lwi_registry_destroy(registry);
}

static void a_misspelt_id_gets_a_suggestion(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, LW_BUILD_DIR "/tests/bad"), LW_OK);
    assert_null(lwi_registry_load(registry, "sink/goood"));
    assert_error_contains("there is no plugin 'sink/goood'; did you mean 'sink/good'?");
    assert_null(lwi_registry_load(registry, "good"));
    assert_error_contains("there is no plugin 'good'; did you mean 'sink/good'?");
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
        cmocka_unit_test(folders_that_do_not_exist_are_no_error),
        cmocka_unit_test(a_misspelt_id_gets_a_suggestion),
        cmocka_unit_test(a_folder_scanned_twice_gives_no_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
