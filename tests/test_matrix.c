/* test_matrix.c — `matrix:`: which steps it makes, what they take, and what it says of mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"
#include "plugin/args.h"

#define HEAD "latentwalk: 1\n"
#define START "  - {id: start, uses: source/latents, with: {model: faces, count: 3}}\n"

/* The pipeline as lines "id uses port=from,from …", and what was told of it. */
typedef struct read {
    lwi_registry *registry;
    lwh_pipeline *pipeline;
    char *steps, *told;
} read;

static void print_steps(const lwh_pipeline *p, FILE *to)
{
    for (int i = 0; i < p->step_count; i++) {
        const lwh_step *step = &p->steps[i];
        fprintf(to, "%s %s", step->id ? step->id : "?", step->uses ? step->uses : "?");
        for (int k = 0; k < step->input_count; k++) {
            fprintf(to, " %s=", step->inputs[k].port);
            for (int j = 0; j < step->inputs[k].count; j++)
                fprintf(to, "%s%s.%s", j ? "," : "", step->inputs[k].from[j].step,
                        step->inputs[k].from[j].output);
        }
        fprintf(to, "\n");
    }
}

static read parse(const char *text, const char *const *sets)
{
    read r = {.registry = lwi_registry_create()};
    assert_int_equal(lwi_registry_scan(r.registry, LW_PLUGIN_DIR), LW_OK);
    r.pipeline = lwh_pipeline_parse(r.registry, "p.yaml", text, strlen(text), sets);
    assert_non_null(r.pipeline);
    size_t length;
    FILE *stream = open_memstream(&r.steps, &length);
    print_steps(r.pipeline, stream);
    fclose(stream);
    stream = open_memstream(&r.told, &length);
    lwh_diagnostics_print(r.pipeline->diagnostics, stream);
    fclose(stream);
    return r;
}

static void release(read *r)
{
    lwh_pipeline_destroy(r->pipeline);
    lwi_registry_destroy(r->registry);
    free(r->steps);
    free(r->told);
}

static void expect_steps(const char *text, const char *steps)
{
    read r = parse(text, NULL);
    assert_string_equal(r.told, "");
    assert_string_equal(r.steps, steps);
    release(&r);
}

static void expect_told(const char *text, const char *message)
{
    read r = parse(text, NULL);
    if (!strstr(r.told, message))
        fail_msg("'%s' is not told in:\n%s", message, r.told);
    release(&r);
}

static void test_a_step_is_repeated_along_the_axis_it_names(void **state)
{
    (void)state;
    expect_steps(HEAD "matrix: {use: [method/a, method/b]}\nsteps:\n  - {id: walk, uses: \"${use}\"}\n",
                 "walk-a method/a\nwalk-b method/b\n");
}

static void test_steps_that_name_no_axis_stay_as_they_are(void **state)
{
    (void)state;
    expect_steps(HEAD "matrix: {use: [method/a, method/b]}\nsteps:\n" START
                      "  - {id: walk, uses: \"${use}\", inputs: {z: start.z}}\n",
                 "start source/latents\nwalk-a method/a z=start.z\nwalk-b method/b z=start.z\n");
}

static void test_a_step_that_takes_a_repeated_output_is_repeated_too(void **state)
{
    (void)state;
    expect_steps(HEAD "matrix: {use: [method/a, method/b]}\nsteps:\n"
                      "  - {id: walk, uses: \"${use}\"}\n"
                      "  - {id: path, uses: metric/path, inputs: {images: walk.images}}\n",
                 "walk-a method/a\nwalk-b method/b\n"
                 "path-a metric/path images=walk-a.images\npath-b metric/path images=walk-b.images\n");
}

static void test_an_output_in_a_list_is_taken_with_all_its_variants(void **state)
{
    (void)state;
    expect_steps(HEAD "matrix: {use: [method/a, method/b]}\nsteps:\n" START
                      "  - {id: walk, uses: \"${use}\"}\n"
                      "  - {id: report, uses: sink/report, inputs: {walks: [walk.images, start.z]}}\n",
                 "start source/latents\nwalk-a method/a\nwalk-b method/b\n"
                 "report sink/report walks=walk-a.images,walk-b.images,start.z\n");
}

static void test_axes_combine_and_a_list_leaves_the_axes_of_its_step_fixed(void **state)
{
    (void)state;
    expect_steps(HEAD "matrix: {use: [method/a, method/b], model: [cats, dogs]}\nsteps:\n"
                      "  - {id: start, uses: source/latents, with: {model: \"${model}\"}}\n"
                      "  - {id: walk, uses: \"${use}\", inputs: {z: start.z}}\n"
                      "  - {id: \"of-${model}\", uses: sink/report, inputs: {walks: [walk.images]}}\n",
                 "start-cats source/latents\nstart-dogs source/latents\n"
                 "walk-a-cats method/a z=start-cats.z\nwalk-a-dogs method/a z=start-dogs.z\n"
                 "walk-b-cats method/b z=start-cats.z\nwalk-b-dogs method/b z=start-dogs.z\n"
                 "of-cats sink/report walks=walk-a-cats.images,walk-b-cats.images\n"
                 "of-dogs sink/report walks=walk-a-dogs.images,walk-b-dogs.images\n");
}

static const char *parameter(const read *r, int step, const char *key)
{
    const lwh_yaml *value = lwh_yaml_get(r->pipeline->steps[step].with, key);
    return value ? value->text : "(none)";
}

static void test_values_go_into_texts_and_keep_their_kind_when_alone(void **state)
{
    (void)state;
    read r = parse(
        HEAD
        "matrix: {points: [5, 10]}\nsteps:\n"
        "  - {id: walk, uses: method/a, with: {points: \"${points}\", title: \"${points} of ${points}\"}}\n",
        NULL);
    assert_string_equal(r.told, "");
    assert_string_equal(parameter(&r, 1, "points"), "10");
    assert_false(lwh_yaml_get(r.pipeline->steps[1].with, "points")->quoted);
    assert_string_equal(parameter(&r, 1, "title"), "10 of 10");
    release(&r);
}

static void test_a_mapping_is_merged_and_the_steps_own_entries_go_first(void **state)
{
    (void)state;
    read r = parse(HEAD "matrix:\n  how:\n    gentle: {uses: method/a, with: {rate: 1, points: 3}}\n"
                        "    bold: {uses: method/b}\n"
                        "steps:\n  - {id: walk, matrix: how, with: {points: 7}}\n",
                   NULL);
    assert_string_equal(r.told, "");
    assert_string_equal(r.steps, "walk-gentle method/a\nwalk-bold method/b\n");
    assert_string_equal(parameter(&r, 0, "rate"), "1");
    assert_string_equal(parameter(&r, 0, "points"), "7");
    assert_string_equal(parameter(&r, 1, "rate"), "(none)");
    release(&r);
}

/* So a step can be repeated along an axis and still take all variants of an output along the others. */
static void test_an_id_names_an_axis_by_its_labels(void **state)
{
    (void)state;
    expect_steps(HEAD
                 "matrix: {run: {a: {}, b: {}}, how: {gentle: {uses: method/a}, bold: {uses: method/b}}, "
                 "rate: [0.5, 1]}\nsteps:\n"
                 "  - {id: start, matrix: run, uses: source/latents}\n"
                 "  - {id: walk, matrix: how, inputs: {z: start.z}}\n"
                 "  - {id: \"by-${how}-at-${rate}\", uses: metric/path, inputs: {walk: [walk.walk]}}\n",
                 "start-a source/latents\nstart-b source/latents\n"
                 "walk-a-gentle method/a z=start-a.z\nwalk-a-bold method/b z=start-a.z\n"
                 "walk-b-gentle method/a z=start-b.z\nwalk-b-bold method/b z=start-b.z\n"
                 "by-gentle-at-0_5 metric/path walk=walk-a-gentle.walk,walk-b-gentle.walk\n"
                 "by-gentle-at-1 metric/path walk=walk-a-gentle.walk,walk-b-gentle.walk\n"
                 "by-bold-at-0_5 metric/path walk=walk-a-bold.walk,walk-b-bold.walk\n"
                 "by-bold-at-1 metric/path walk=walk-a-bold.walk,walk-b-bold.walk\n");
}

static void test_set_changes_an_axis(void **state)
{
    (void)state;
    const char *sets[] = {"matrix.points=[2, 3, 4]", NULL};
    read r = parse(HEAD "matrix: {points: [5, 10]}\nsteps:\n"
                        "  - {id: walk, uses: method/a, with: {points: \"${points}\"}}\n",
                   sets);
    assert_string_equal(r.told, "");
    assert_string_equal(r.steps, "walk-2 method/a\nwalk-3 method/a\nwalk-4 method/a\n");
    release(&r);
}

/* As after --set steps.walk.uses=…: a parameter for one method is no mistake for the others. */
static void test_parameters_that_a_varied_plugin_does_not_have_are_left_out_with_a_note(void **state)
{
    (void)state;
    read r = parse(HEAD "models: {faces: {generator: {uses: dcgan, with: {depth: 1, width: 4}}}}\n"
                        "matrix: {sink: [sink/report, sink/tensors]}\n"
                        "steps:\n" START "  - {id: out, uses: \"${sink}\", with: {title: faces}}\n",
                   NULL);
    lwh_check(r.pipeline);
    assert_non_null(r.pipeline->notes);
    assert_non_null(strstr(r.pipeline->notes, "'title' is left out: sink/tensors has no such parameter"));
    release(&r);
}

static void test_an_unknown_axis_is_told_with_the_nearest(void **state)
{
    (void)state;
    expect_told(HEAD "matrix: {points: [5, 10]}\nsteps:\n  - {id: walk, uses: \"${point}\"}\n",
                "the matrix has no axis 'point'");
    expect_told(HEAD "matrix: {points: [5, 10]}\nsteps:\n  - {id: walk, uses: \"${point}\"}\n",
                "did you mean 'points'?");
}

static void test_an_axis_that_no_step_names_is_told(void **state)
{
    (void)state;
    expect_told(HEAD "matrix: {points: [5, 10]}\nsteps:\n  - {id: walk, uses: method/a}\n",
                "no step names the axis 'points'");
}

static void test_axes_without_values_or_with_equal_labels_are_told(void **state)
{
    (void)state;
    expect_told(HEAD "matrix: {points: []}\nsteps: [{id: walk, uses: \"${points}\"}]\n", "has no values");
    expect_told(HEAD "matrix: {points: 5}\nsteps: [{id: walk, uses: \"${points}\"}]\n", "has no values");
    expect_told(HEAD "matrix: {m: [loss/a, method/a]}\nsteps: [{id: walk, uses: \"${m}\"}]\n",
                "have the label 'a'");
    expect_told(HEAD "matrix: {m: [{uses: a}]}\nsteps: [{id: walk, matrix: m}]\n", "need labels");
    expect_told(HEAD "matrix: [1, 2]\nsteps: [{id: walk, uses: a}]\n", "`matrix` maps at most 8 names");
}

static void test_a_mapping_inside_a_text_is_told(void **state)
{
    (void)state;
    expect_told(HEAD "matrix: {m: {one: {uses: a}}}\nsteps: [{id: walk, uses: \"x/${m}\"}]\n",
                "a mapping cannot stand inside a text");
    expect_told(HEAD "matrix: {m: [1]}\nsteps: [{id: walk, uses: \"a/${m}\", matrix: m}]\n",
                "a step takes over the entries of a mapping, this is ");
}

static void test_values_that_look_like_references_are_not_taken_for_them(void **state)
{
    (void)state;
    expect_steps(HEAD "matrix: {m: {x: \"${m}/${m}\"}}\nsteps: [{id: walk, uses: \"a/${m}\"}]\n",
                 "walk-x a/${m}/${m}\n");
}

static void test_too_many_combinations_are_told(void **state)
{
    (void)state;
    char text[4096] = HEAD "matrix:\n";
    for (int axis = 0; axis < 4; axis++)
        sprintf(text + strlen(text), "  a%d: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n", axis);
    strcat(text, "steps: [{id: walk, uses: \"${a0}${a1}${a2}${a3}\"}]\n");
    expect_told(text, "the matrix makes more than 1000 steps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_is_repeated_along_the_axis_it_names),
        cmocka_unit_test(test_steps_that_name_no_axis_stay_as_they_are),
        cmocka_unit_test(test_a_step_that_takes_a_repeated_output_is_repeated_too),
        cmocka_unit_test(test_an_output_in_a_list_is_taken_with_all_its_variants),
        cmocka_unit_test(test_axes_combine_and_a_list_leaves_the_axes_of_its_step_fixed),
        cmocka_unit_test(test_values_go_into_texts_and_keep_their_kind_when_alone),
        cmocka_unit_test(test_a_mapping_is_merged_and_the_steps_own_entries_go_first),
        cmocka_unit_test(test_an_id_names_an_axis_by_its_labels),
        cmocka_unit_test(test_set_changes_an_axis),
        cmocka_unit_test(test_parameters_that_a_varied_plugin_does_not_have_are_left_out_with_a_note),
        cmocka_unit_test(test_an_unknown_axis_is_told_with_the_nearest),
        cmocka_unit_test(test_an_axis_that_no_step_names_is_told),
        cmocka_unit_test(test_axes_without_values_or_with_equal_labels_are_told),
        cmocka_unit_test(test_a_mapping_inside_a_text_is_told),
        cmocka_unit_test(test_values_that_look_like_references_are_not_taken_for_them),
        cmocka_unit_test(test_too_many_combinations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
