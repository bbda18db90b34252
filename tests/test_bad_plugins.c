/* Every kind of bad plugin is refused with the field that is wrong and the remedy, and the host lives on.
 * tests/bad has plugins that are wrong by their source; the others are copies of good.so with bytes
 * patched. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "latentwalk/latentwalk.h"
#include "plugin/prefix.h"
#include "plugin/registry.h"

#define BAD(name) LW_BUILD_DIR "/tests/bad/" name ".so"

static char folder[] = "/tmp/latentwalk-bad-XXXXXX";
static uint8_t *good; /* the bytes of good.so */
static size_t good_size, prefix_at;

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || lw_file_read(BAD("good"), 0, &good, &good_size) != LW_OK)
        return -1;
    for (prefix_at = 0; prefix_at + 512 < good_size; prefix_at++)
        if (memcmp(good + prefix_at, LW_PLUGIN_MAGIC, 8) == 0)
            return 0;
    return -1;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"patched.so", "other.so", "text.so", "empty.so"};
    for (size_t i = 0; i < LW_COUNT(names); i++)
        unlink(path_of(names[i]));
    lw_free(good);
    return rmdir(folder);
}

/* Writes good.so with `size` bytes at `offset` replaced to patched.so. */
static const char *patched(size_t offset, const void *bytes, size_t size)
{
    uint8_t *copy = malloc(good_size);
    assert_non_null(copy);
    memcpy(copy, good, good_size);
    memcpy(copy + offset, bytes, size);
    const char *path = path_of("patched.so");
    assert_int_equal(lw_file_write(path, copy, good_size), LW_OK);
    free(copy);
    return path;
}

#define PATCH_PREFIX(field, ...)                                                     \
    patched(prefix_at + offsetof(lw_plugin_prefix, field), &(uint32_t){__VA_ARGS__}, \
            sizeof((lw_plugin_prefix){0}.field) < 4 ? sizeof((lw_plugin_prefix){0}.field) : 4)

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("expected '%s' in: %s", part, text);
}

/* The prefix alone is enough to refuse it: no code of the file ran. */
static void assert_refused_unread(const char *path, const char *field, const char *remedy)
{
    lw_plugin_prefix prefix;
    assert_int_not_equal(lwi_prefix_read(path, &prefix), LW_OK);
    assert_says(lw_error_text(), field);
    assert_says(lw_error_text(), remedy);
    assert_null(lwi_plugin_load(path));
}

static void assert_refused_loaded(const char *path, const char *field, const char *more)
{
    lw_plugin_prefix prefix;
    assert_int_equal(lwi_prefix_read(path, &prefix), LW_OK);
    assert_null(lwi_plugin_load(path));
    assert_says(lw_error_text(), field);
    assert_says(lw_error_text(), more);
}

static void the_good_plugin_loads(void **state)
{
    (void)state;
    const lw_plugin *plugin = lwi_plugin_load(BAD("good"));
    assert_non_null(plugin);
    assert_string_equal(lwi_plugin_id(plugin), "sink/good");
}

static void both_kinds_of_symbol_tables_are_read(void **state)
{
    (void)state;
    lw_plugin_prefix gnu, sysv;
    assert_int_equal(lwi_prefix_read(BAD("good"), &gnu), LW_OK);
    assert_int_equal(lwi_prefix_read(BAD("sysv/good"), &sysv), LW_OK);
    assert_memory_equal(&gnu, &sysv, sizeof gnu);
}

/* --- the file ------------------------------------------------------------------------------- */

static void not_an_elf_file(void **state)
{
    (void)state;
    assert_int_equal(lw_file_write(path_of("text.so"), "hello, world\n", 13), LW_OK);
    assert_refused_unread(path_of("text.so"), "not an ELF shared object", "7f 45 4c 46");
}

static void an_empty_file(void **state)
{
    (void)state;
    assert_int_equal(lw_file_write(path_of("empty.so"), "", 0), LW_OK);
    assert_refused_unread(path_of("empty.so"), "not an ELF shared object", "0 bytes");
}

static void a_folder_named_like_a_plugin(void **state)
{
    (void)state;
    lw_plugin_prefix prefix;
    assert_int_equal(lwi_prefix_read(folder, &prefix), LW_IO);
    assert_says(lw_error_text(), "not a regular file");
}

static void truncated_at_every_byte(void **state)
{
    (void)state;
    const char *path = patched(0, good, 4);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    /* From the descriptor's end downwards: beyond it lies only what loading does not need. */
    for (size_t size = prefix_at + sizeof(lw_plugin); size-- > 0;) {
        lw_plugin_prefix prefix;
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        assert_int_not_equal(lwi_prefix_read(path, &prefix), LW_OK);
        assert_says(lw_error_text(), size < 4 ? "not an ELF" : "truncated");
    }
    close(fd);
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    const char *path = patched(0, good, 4);
    int fd = open(path, O_WRONLY), refused = 0;
    assert_true(fd >= 0);
    /* All headers and tables lie before the descriptor. */
    for (uint32_t round = 0; round < 4000; round++) {
        uint32_t random[4], counter[4] = {round, 1, 2, 3}, key[2] = {4, 5};
        lw_plugin_prefix prefix;
        lw_philox(counter, key, random);
        size_t at = random[0] % (round % 2 ? 2048 : good_size - 8), size = 1 + random[1] % 8;
        assert_int_equal(pwrite(fd, &random[2], size, (off_t)at), size);
        refused += lwi_prefix_read(path, &prefix) != LW_OK;
        assert_int_equal(pwrite(fd, good + at, size, (off_t)at), size);
    }
    close(fd);
    assert_in_range(refused, 100, 3999);
}

static void another_machine(void **state)
{
    (void)state;
    uint16_t machine = 0x1234;
    assert_refused_unread(patched(offsetof(ElfW(Ehdr), e_machine), &machine, 2), "e_machine",
                          "rebuild the plugin for this machine");
}

static void another_byte_order(void **state)
{
    (void)state;
    uint8_t other = good[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
    assert_refused_unread(patched(EI_DATA, &other, 1), "byte order", "rebuild the plugin for this machine");
    assert_refused_unread(PATCH_PREFIX(byte_order, 0x04030201), "byte_order is 0x04030201",
                          "rebuild the plugin");
}

static void another_pointer_width(void **state)
{
    (void)state;
    uint8_t other = good[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64;
    assert_refused_unread(patched(EI_CLASS, &other, 1), "pointer width",
                          "rebuild the plugin for this machine");
    assert_refused_unread(PATCH_PREFIX(pointer_bytes, 2), "pointer_bytes is 2", "rebuild the plugin");
}

static void an_executable(void **state)
{
    (void)state;
    uint16_t type = ET_EXEC;
    assert_refused_unread(patched(offsetof(ElfW(Ehdr), e_type), &type, 2), "e_type", "-shared");
}

static void a_library_without_descriptor(void **state)
{
    (void)state;
    assert_refused_unread(BAD("missing_symbol"), "symbol 'lw_plugin_descriptor' is missing", "LW_PLUGIN");
}

/* --- the prefix ----------------------------------------------------------------------------- */

static void wrong_magic(void **state)
{
    (void)state;
    assert_refused_unread(PATCH_PREFIX(magic, 0), "magic is 00 00 00 00",
                          "rebuild the plugin against this SDK");
}

static void another_abi_major(void **state)
{
    (void)state;
    assert_refused_unread(PATCH_PREFIX(abi_major, 0), "abi_major is 0",
                          "rebuild the plugin against this SDK");
    assert_refused_unread(PATCH_PREFIX(abi_major, 7), "abi_major is 7", "update latentwalk");
}

static void a_newer_abi_minor(void **state)
{
    (void)state;
    assert_refused_unread(PATCH_PREFIX(abi_minor, LW_ABI_MINOR + 1), "abi_minor is", "update latentwalk");
}

static void an_unknown_kind(void **state)
{
    (void)state;
    assert_refused_unread(PATCH_PREFIX(kind, 99), "kind is 99", "update latentwalk");
}

static void impossible_sizes(void **state)
{
    (void)state;
    assert_refused_unread(PATCH_PREFIX(prefix_size, 500), "prefix_size is 500", "rebuild the plugin");
    assert_refused_unread(PATCH_PREFIX(descriptor_size, 512), "descriptor_size is 512", "rebuild the plugin");
    assert_refused_unread(PATCH_PREFIX(descriptor_size, 0x7fffffff), "descriptor_size is",
                          "rebuild the plugin");
}

static void illegal_names(void **state)
{
    (void)state;
    const size_t name = prefix_at + offsetof(lw_plugin_prefix, name);
    char endless[48];
    memset(endless, 'a', sizeof endless);
    assert_refused_unread(patched(name, "Good", 4), "name is 'Good'", "a-z, 0-9 and '-'");
    assert_refused_unread(patched(name, "../x", 5), "name is '../x'", "rename");
    assert_refused_unread(patched(name, "", 1), "name is ''", "rename");
    assert_refused_unread(patched(name, endless, sizeof endless), "name does not end", "shorten");
    assert_refused_unread(patched(prefix_at + offsetof(lw_plugin_prefix, summary), "\033[2J", 4), "summary",
                          "control character");
}

/* --- the code and the tables ---------------------------------------------------------------- */

static void a_constructor_that_aborts(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("constructor_aborts"), "Aborted", "a constructor crashes");
}

static void a_constructor_that_exits(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("constructor_exits"), "exit status 0", "a constructor calls exit");
}

static void a_function_nobody_has(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("undefined_function"), "function_of_another_library", "dynamic loader");
}

static void a_default_out_of_range(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("default_out_of_range"), "params[0] ('count').fallback",
                          "an integer from 1 to 64");
}

static void a_table_that_points_nowhere(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("wild_pointer"), "the descriptor points nowhere", "signal");
}

static void a_generator_without_functions(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("no_functions"), "functions", "'dims' is NULL");
}

static void a_port_of_no_space(void **state)
{
    (void)state;
    assert_refused_loaded(BAD("port_type"), "inputs[0] ('images').type", "picture[N]");
}

/* --- the folder ----------------------------------------------------------------------------- */

static void the_first_of_two_with_one_id_is_used(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lw_file_write(path_of("other.so"), good, good_size), LW_OK);
    patched(0, good, 4);
    assert_int_equal(lwi_registry_scan(registry, folder), LW_OK);
    int found = 0;
    for (size_t i = 0; i < lwi_registry_count(registry); i++) {
        const lwi_entry *entry = lwi_registry_at(registry, i);
        if (!entry->id)
            continue;
        found++;
        assert_string_equal(entry->id, "sink/good");
        if (found == 1) {
            assert_null(entry->refused);
        } else {
            assert_says(entry->refused, "other.so");
            assert_says(entry->refused, "patched.so");
        }
    }
    assert_int_equal(found, 2);
    assert_non_null(lwi_registry_load(registry, "sink/good"));
    lwi_registry_destroy(registry);
}

static void refused_files_are_listed_beside_the_good_ones(void **state)
{
    (void)state;
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, LW_BUILD_DIR "/tests/bad"), LW_OK);
    int usable = 0, refused = 0;
    for (size_t i = 0; i < lwi_registry_count(registry); i++) {
        bool bad = lwi_registry_at(registry, i)->refused != NULL;
        usable += !bad;
        refused += bad;
    }
    assert_int_equal(refused, 1); /* missing_symbol: the others are found out when loaded */
    assert_true(usable >= 8);
    assert_null(lwi_registry_load(registry, "sink/aborts"));
    assert_says(lw_error_text(), "constructor_aborts.so");
    assert_null(lwi_registry_load(registry, "sink/aborts")); /* from memory */
    assert_says(lw_error_text(), "is refused");
    assert_non_null(lwi_registry_load(registry, "sink/good")); /* and we are still here */
    lwi_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_plugin_loads),
        cmocka_unit_test(both_kinds_of_symbol_tables_are_read),
        cmocka_unit_test(not_an_elf_file),
        cmocka_unit_test(an_empty_file),
        cmocka_unit_test(a_folder_named_like_a_plugin),
        cmocka_unit_test(truncated_at_every_byte),
        cmocka_unit_test(random_damage_never_crashes),
        cmocka_unit_test(another_machine),
        cmocka_unit_test(another_byte_order),
        cmocka_unit_test(another_pointer_width),
        cmocka_unit_test(an_executable),
        cmocka_unit_test(a_library_without_descriptor),
        cmocka_unit_test(wrong_magic),
        cmocka_unit_test(another_abi_major),
        cmocka_unit_test(a_newer_abi_minor),
        cmocka_unit_test(an_unknown_kind),
        cmocka_unit_test(impossible_sizes),
        cmocka_unit_test(illegal_names),
        cmocka_unit_test(a_constructor_that_aborts),
        cmocka_unit_test(a_constructor_that_exits),
        cmocka_unit_test(a_function_nobody_has),
        cmocka_unit_test(a_default_out_of_range),
        cmocka_unit_test(a_table_that_points_nowhere),
        cmocka_unit_test(a_generator_without_functions),
        cmocka_unit_test(a_port_of_no_space),
        cmocka_unit_test(the_first_of_two_with_one_id_is_used),
        cmocka_unit_test(refused_files_are_listed_beside_the_good_ones),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
