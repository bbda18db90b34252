/* test_yaml.c — YAML with places: what is read, and how mistakes are told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latentwalk/base.h"
#include "tree.h"

typedef struct document {
    lwh_arena *arena;
    lwh_diagnostics *diagnostics;
    lwh_yaml *root;
    char *told; /* the mistakes as printed */
} document;

static document read_sized(const char *text, size_t size)
{
    document d = {lwh_arena_create(), lwh_diagnostics_create(), NULL, NULL};
    const char *name = lwh_diagnostics_source(d.diagnostics, "a.yaml", text, size);
    d.root = lwh_yaml_parse(d.arena, d.diagnostics, name, text, size);
    size_t length;
    FILE *stream = open_memstream(&d.told, &length);
    lwh_diagnostics_print(d.diagnostics, stream);
    fclose(stream);
    return d;
}

static document read(const char *text)
{
    return read_sized(text, strlen(text));
}

static void release(document *d)
{
    lwh_arena_destroy(d->arena);
    lwh_diagnostics_destroy(d->diagnostics);
    free(d->told);
}

static void assert_told(const document *d, const char *text)
{
    if (!strstr(d->told, text))
        fail_msg("'%s' is not told in:\n%s", text, d->told);
}

static void nodes_know_where_they_begin(void **state)
{
    (void)state;
    document d = read("seed: 42\nsteps:\n  - {id: walk, uses: x}\n");
    assert_string_equal(d.told, "");
    const lwh_yaml *seed = lwh_yaml_get(d.root, "seed");
    assert_string_equal(seed->text, "42");
    assert_int_equal(seed->place.line, 1);
    assert_int_equal(seed->place.column, 7);
    const lwh_yaml *steps = lwh_yaml_get(d.root, "steps");
    assert_int_equal(steps->kind, LWH_LIST);
    const lwh_yaml *uses = lwh_yaml_get(steps->value[0], "uses");
    assert_int_equal(uses->place.line, 3);
    assert_int_equal(uses->place.column, 22);
    assert_string_equal(uses->place.file, "a.yaml");
    release(&d);
}

static void quotes_are_remembered(void **state)
{
    (void)state;
    document d = read("a: \"12\"\nb: 12\nc: ~\nd: '~'\n");
    assert_true(lwh_yaml_get(d.root, "a")->quoted);
    assert_false(lwh_yaml_get(d.root, "b")->quoted);
    assert_true(lwh_yaml_is_null(lwh_yaml_get(d.root, "c")));
    assert_false(lwh_yaml_is_null(lwh_yaml_get(d.root, "d")));
    release(&d);
}

static void aliases_are_copies(void **state)
{
    (void)state;
    document d = read("a: &x {n: 1}\nb: *x\n");
    lwh_yaml *a = lwh_yaml_get(d.root, "a"), *b = lwh_yaml_get(d.root, "b");
    assert_ptr_not_equal(a, b);
    lwh_yaml *two = lwh_yaml_scalar(d.arena, a->place, "2", false);
    assert_int_equal(lwh_yaml_put(d.arena, a, "n", two), LW_OK);
    assert_string_equal(lwh_yaml_get(a, "n")->text, "2");
    assert_string_equal(lwh_yaml_get(b, "n")->text, "1");
    release(&d);
}

static void duplicate_keys_are_all_told_with_both_places(void **state)
{
    (void)state;
    document d = read("a: 1\nb: 2\na: 3\nb: 4\n");
    assert_told(&d, "a.yaml:3:1: key 'a' is given twice, first in line 1");
    assert_told(&d, "a.yaml:4:1: key 'b' is given twice, first in line 2");
    assert_told(&d, "      3 | a: 3\n        | ^\n");
    assert_told(&d, "2 mistakes");
    release(&d);
}

static void merge_keys_are_refused_with_a_way_out(void **state)
{
    (void)state;
    document d = read("a: &x {n: 1}\nb: {<<: *x}\n");
    assert_told(&d, "a.yaml:2:5: merge keys (<<) are not supported");
    assert_told(&d, "= write the entries out");
    release(&d);
}

static void syntax_errors_have_a_place(void **state)
{
    (void)state;
    document d = read("a: [1, 2\nb: 3\n");
    assert_null(d.root);
    assert_told(&d, "a.yaml:2:");
    assert_told(&d, "not valid YAML");
    release(&d);
}

static void an_empty_file_is_a_mistake(void **state)
{
    (void)state;
    document d = read("# only a comment\n");
    assert_null(d.root);
    assert_told(&d, "the file is empty");
    release(&d);
}

static void a_second_document_is_a_mistake(void **state)
{
    (void)state;
    document d = read("a: 1\n---\nb: 2\n");
    assert_null(d.root);
    assert_told(&d, "a.yaml:2:1: a second document begins");
    release(&d);
}

static void an_unfinished_anchor_cannot_be_used_within_itself(void **state)
{
    (void)state;
    document d = read("a: &x [1, *x]\n");
    assert_null(d.root);
    assert_told(&d, "a.yaml:1:11: alias of an unknown anchor");
    release(&d);
}

static void anchors_cannot_grow_a_document_without_bound(void **state)
{
    (void)state;
    char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; i++) { /* ten times larger each: 10^10 nodes */
        char line[200];
        snprintf(line, sizeof(line),
                 "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(text, line);
    }
    document d = read(text);
    assert_null(d.root);
    assert_told(&d, "the document grows too large");
    release(&d);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[401];
    memset(text, '[', 400);
    text[400] = 0;
    document d = read(text);
    assert_null(d.root);
    assert_told(&d, "nested too deeply");
    release(&d);
}

static void depth_is_bounded_through_aliases(void **state)
{
    (void)state;
    char text[4096] = "a0: &a0 [x]\n";
    for (int i = 1; i < 80; i++) {
        char line[48];
        snprintf(line, sizeof(line), "a%d: &a%d [*a%d]\n", i, i, i - 1);
        strcat(text, line);
    }
    document d = read(text);
    assert_null(d.root);
    assert_told(&d, "nested too deeply");
    release(&d);
}

static void a_zero_byte_is_no_text(void **state)
{
    (void)state;
    document d = read("a: \"x\\0y\"\n");
    assert_null(d.root);
    assert_told(&d, "a.yaml:1:4: a zero byte within a text");
    release(&d);
}

static void mistakes_are_told_in_the_order_of_the_file(void **state)
{
    (void)state;
    lwh_diagnostics *list = lwh_diagnostics_create();
    const char *file = lwh_diagnostics_source(list, "f", "one\ntwo\nthree\n", 14);
    lwh_report(list, (lwh_place){file, 3, 1}, NULL, "third");
    lwh_report(list, (lwh_place){file, 1, 2}, NULL, "first");
    lwh_report(list, (lwh_place){file, 1, 2}, NULL, "first"); /* told once */
    lwh_report(list, (lwh_place){file, 2, 1}, "this helps", "second");
    char *told = NULL;
    size_t length;
    FILE *stream = open_memstream(&told, &length);
    lwh_diagnostics_print(list, stream);
    fclose(stream);
    assert_string_equal(told, "f:1:2: first\n      1 | one\n        |  ^\n"
                              "f:2:1: second\n      2 | two\n        | ^\n        = this helps\n"
                              "f:3:1: third\n      3 | three\n        | ^\n3 mistakes\n");
    free(told);
    lwh_diagnostics_destroy(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_where_they_begin),
        cmocka_unit_test(quotes_are_remembered),
        cmocka_unit_test(aliases_are_copies),
        cmocka_unit_test(duplicate_keys_are_all_told_with_both_places),
        cmocka_unit_test(merge_keys_are_refused_with_a_way_out),
        cmocka_unit_test(syntax_errors_have_a_place),
        cmocka_unit_test(an_empty_file_is_a_mistake),
        cmocka_unit_test(a_second_document_is_a_mistake),
        cmocka_unit_test(an_unfinished_anchor_cannot_be_used_within_itself),
        cmocka_unit_test(anchors_cannot_grow_a_document_without_bound),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(depth_is_bounded_through_aliases),
        cmocka_unit_test(a_zero_byte_is_no_text),
        cmocka_unit_test(mistakes_are_told_in_the_order_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
