/* test_check.c — what `latentwalk check` finds in a pipeline, and what it says. Uses the built plugins. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline.h"
#include "plugin/args.h"

#define MODELS                                                                     \
    "latentwalk: 1\n"                                                              \
    "models:\n"                                                                    \
    "  faces:\n"                                                                   \
    "    generator: {uses: dcgan, with: {depth: 1, width: 4}}\n"                   \
    "    discriminator: {uses: discriminator/dcgan, with: {depth: 1, width: 4}}\n" \
    "  bare: {generator: {uses: generator/dcgan, with: {depth: 1, width: 4, z_dim: 7}}}\n"

typedef struct checked {
    lwi_registry *registry;
    lwh_pipeline *pipeline;
    lw_status status;
    char *told;
} checked;

static checked check_with(const char *text, const char *const *sets)
{
    checked c = {.registry = lwi_registry_create()};
    assert_int_equal(lwi_registry_scan(c.registry, LW_PLUGIN_DIR), LW_OK);
    c.pipeline = lwh_pipeline_parse(c.registry, "p.yaml", text, strlen(text), sets);
    assert_non_null(c.pipeline);
    c.status = lwh_check(c.pipeline);
    size_t length;
    FILE *stream = open_memstream(&c.told, &length);
    lwh_diagnostics_print(c.pipeline->diagnostics, stream);
    fclose(stream);
    assert_int_equal(c.status == LW_OK, *c.told == 0);
    return c;
}

static checked check(const char *text)
{
    return check_with(text, NULL);
}

static void release(checked *c)
{
    lwh_pipeline_destroy(c->pipeline);
    lwi_registry_destroy(c->registry);
    free(c->told);
}

static void expect(const char *text, const char *message)
{
    checked c = check(text);
    if (!strstr(c.told, message))
        fail_msg("'%s' is not told in:\n%s", message, c.told);
    release(&c);
}

static void expect_with(const char *text, const char *set, const char *message)
{
    const char *sets[] = {set, NULL};
    checked c = check_with(text, sets);
    if (!strstr(c.told, message))
        fail_msg("'%s' is not told in:\n%s", message, c.told);
    release(&c);
}

static const char good[] = MODELS "steps:\n"
                                  "  - {id: start, uses: source/latents, with: {model: faces, count: 3}}\n"
                                  "  - id: walk\n"
                                  "    uses: method/trajectory-net\n"
                                  "    with: {model: faces, points: 5}\n"
                                  "    inputs: {z: start.z}\n"
                                  "  - {id: grid, uses: sink/image-grid, inputs: {images: walk.images}}\n";

static void a_good_pipeline_is_fine(void **state)
{
    (void)state;
    checked c = check(good);
    assert_string_equal(c.told, "");
    char text[LWI_PORT_TEXT];
    assert_string_equal(lwi_port_text(&c.pipeline->steps[1].outputs[1], text),
                        "image[start.N, 5, 3, 16, 16]");
    release(&c);
}

static void every_mistake_is_told_at_once_in_order(void **state)
{
    (void)state;
    checked c = check(
        "latentwalk: 2\nsede: 1\nsteps:\n  - {id: a, uses: source/latent}\n  - {id: a, uses: nothing}\n");
    const char *expected[] = {"p.yaml:1:13: unknown version",
                              "p.yaml:2:1: a pipeline has no key 'sede'",
                              "did you mean 'seed'?",
                              "p.yaml:4:19:",
                              "source/latents",
                              "p.yaml:5:10: two steps have the id 'a'",
                              "p.yaml:5:19: 'nothing' cannot be used here"};
    const char *at = c.told;
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        const char *found = strstr(at, expected[i]);
        if (!found)
            fail_msg("'%s' is not told, or not in this place, in:\n%s", expected[i], c.told);
        at = found;
    }
    release(&c);
}

static void unknown_parameters_get_a_suggestion(void **state)
{
    (void)state;
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: faces, cuont: 3}}\n",
           "p.yaml:8:56: source/latents has no parameter 'cuont'");
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: faces, cuont: 3}}\n",
           "did you mean 'count'?");
}

static void values_are_checked_against_the_table(void **state)
{
    (void)state;
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: faces, count: many}}\n",
           "p.yaml:8:63:");
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: faces, count: -1}}\n",
           "p.yaml:8:63:");
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: faces, count: \"3\"}}\n",
           "takes an integer from");
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: faces, count: [3]}}\n",
           "this is a list");
}

static void missing_parameters_are_named(void **state)
{
    (void)state;
    expect(MODELS "steps:\n  - {id: s, uses: method/trajectory-net, inputs: {z: s.z}}\n", "'model'");
}

static void unknown_models_get_a_suggestion(void **state)
{
    (void)state;
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: face}}\n",
           "p.yaml:8:49: there is no model 'face'");
    expect(MODELS "steps:\n  - {id: s, uses: source/latents, with: {model: face}}\n",
           "did you mean 'faces'?");
}

static void references_must_go_backwards(void **state)
{
    (void)state;
    expect(MODELS "steps:\n"
                  "  - {id: walk, uses: method/trajectory-net, with: {model: faces}, inputs: {z: start.z}}\n"
                  "  - {id: start, uses: source/latents, with: {model: faces}}\n",
           "p.yaml:8:79: step 'start' comes later");
    expect(MODELS
           "steps:\n  - {id: w, uses: method/trajectory-net, with: {model: faces}, inputs: {z: w.walk}}\n",
           "step 'w' takes its own output");
    expect(MODELS "steps:\n"
                  "  - {id: start, uses: source/latents, with: {model: faces}}\n"
                  "  - {id: walk, uses: method/trajectory-net, with: {model: faces}, inputs: {z: strat.z}}\n",
           "did you mean 'start'?");
}

static void unknown_outputs_and_inputs_get_suggestions(void **state)
{
    (void)state;
    const char *set_output = "steps.grid.inputs.images=walk.image",
               *set_input = "steps.grid.inputs.imges=walk.images";
    expect_with(good, set_output, "step 'walk' (method/trajectory-net) has no output 'image'");
    expect_with(good, set_output, "did you mean 'images'?");
    expect_with(good, set_input, "sink/image-grid has no input 'imges'");
}

static void required_inputs_must_be_connected(void **state)
{
    (void)state;
    expect(MODELS "steps:\n  - {id: w, uses: method/trajectory-net, with: {model: faces}}\n",
           "the input 'z' of step 'w' (method/trajectory-net) is not connected");
}

static void types_must_fit(void **state)
{
    (void)state;
    expect_with(good, "steps.grid.inputs.images=walk.walk", "step 'grid', input 'images': expected image");
}

static void latents_of_one_model_are_not_another_models(void **state)
{
    (void)state;
    expect(MODELS "steps:\n"
                  "  - {id: start, uses: source/latents, with: {model: bare}}\n"
                  "  - {id: walk, uses: method/trajectory-net, with: {model: faces}, inputs: {z: start.z}}\n",
           "p.yaml:9:79: step 'walk', input 'z'");
}

static void lists_are_for_ports_that_take_many(void **state)
{
    (void)state;
    expect_with(good, "steps.walk.inputs.z=[start.z, start.z]",
                "input 'z' of method/trajectory-net takes no list");
}

static void losses_need_what_the_method_and_model_offer(void **state)
{
    (void)state;
    expect(MODELS "steps:\n"
                  "  - {id: start, uses: source/latents, with: {model: bare}}\n"
                  "  - id: walk\n"
                  "    uses: method/trajectory-net\n"
                  "    with: {model: bare, losses: [{uses: loss/adversarial}]}\n"
                  "    inputs: {z: start.z}\n",
           "loss/adversarial needs a model with `discriminator`; 'bare' (generator/dcgan) has none");
}

static void a_loss_is_checked_like_a_step(void **state)
{
    (void)state;
    expect_with(good, "steps.walk.with.losses=[{uses: loss/smoothness, wieght: 2}]",
                "did you mean 'weight'?");
    expect_with(good, "steps.walk.with.losses=[{uses: loss/smothness}]", "loss/smoothness");
    expect_with(good, "steps.walk.with.losses=[{uses: source/latents}]",
                "'source/latents' cannot be used here");
    expect_with(good, "steps.walk.with.losses=[{uses: loss/smoothness, with: {x: 1}}]",
                "has no parameter 'x'");
}

static void capabilities_are_checked_before_anything_runs(void **state)
{
    (void)state;
    expect("latentwalk: 1\nmodels:\n  bare: {generator: {uses: dcgan, with: {depth: 1, width: 4}}}\nsteps:\n"
           "  - {id: train, uses: method/gan-trainer, with: {model: bare}}\n",
           "method/gan-trainer needs a model with `discriminator`; 'bare' (generator/dcgan) has none");
    expect("latentwalk: 1\nmodels:\n  bare: {generator: {uses: dcgan, with: {depth: 1, width: 4}}}\nsteps:\n"
           "  - {id: train, uses: method/gan-trainer, with: {model: bare}}\n",
           "plugins that provide `discriminator`: discriminator/");
}

static void missing_files_are_told(void **state)
{
    (void)state;
    expect("latentwalk: 1\nmodels: {faces: {generator: dcgan, weights: no/such.safetensors}}\n"
           "steps:\n  - {id: s, uses: source/latents, with: {model: faces}}\n",
           "p.yaml:2:45: model 'faces': there is no readable file 'no/such.safetensors'");
}

static void a_missing_file_hides_no_other_mistake_of_the_model(void **state)
{
    (void)state;
    expect("latentwalk: 1\nmodels: {faces: {generator: dcgann, weights: no/such.safetensors}}\n"
           "steps:\n  - {id: s, uses: source/latents, with: {model: faces}}\n",
           "p.yaml:2:29: there is no plugin 'generator/dcgann'; did you mean 'generator/dcgan'?");
}

static void a_model_needs_a_part(void **state)
{
    (void)state;
    expect("latentwalk: 1\nmodels: {faces: {prefix: x}}\nsteps: [{id: s, uses: source/latents}]\n",
           "model 'faces' has no parts");
}

/* --- --set ------------------------------------------------------------------------------------------ */
static void set_changes_values(void **state)
{
    (void)state;
    const char *sets[] = {"steps.walk.with.points=9", "seed=7", "models.faces.generator.with.z_dim=11",
                          "steps.start.with.count=4", NULL};
    checked c = check_with(good, sets);
    assert_string_equal(c.told, "");
    assert_int_equal(c.pipeline->seed, 7);
    assert_int_equal(lw_int(c.pipeline->steps[1].args, "points"), 9);
    assert_int_equal(lw_model_dim(c.pipeline->models[0].model, "z_dim"), 11);
    char text[LWI_PORT_TEXT];
    assert_string_equal(lwi_port_text(&c.pipeline->steps[1].outputs[0], text), "z[start.N, 9, 11]");
    release(&c);
}

static void set_reaches_into_lists_by_name(void **state)
{
    (void)state;
    const char *sets[] = {"steps.walk.with.losses=[{uses: loss/smoothness}, {uses: loss/diversity}]",
                          "steps.walk.with.losses.diversity.weight=0.25", NULL};
    checked c = check_with(good, sets);
    assert_string_equal(c.told, "");
    assert_true(lwi_args_loss(c.pipeline->steps[1].args, "losses", 1)->weight == 0.25);
    release(&c);
}

static void set_of_an_unknown_path_is_a_mistake(void **state)
{
    (void)state;
    expect_with(good, "steps.wlak.with.points=9", "steps has no 'wlak'");
    expect_with(good, "steps.wlak.with.points=9", "did you mean 'walk'?");
    expect_with(good, "model.faces.weights=x", "did you mean 'models'?");
    expect_with(good, "models.fces.weights=x", "did you mean 'faces'?");
    expect_with(good, "steps.walk.with.pionts=9", "did you mean 'points'?");
    expect_with(good, "steps.walk.wiht.points=9", "steps.walk has no 'wiht'");
    expect_with(good, "seed", "there is no '='");
    expect_with(good, "steps..x=1", "not a path");
    expect_with(good, "seed=[", "--set seed:2:1: not valid YAML");
}

static void a_swapped_plugin_leaves_the_files_other_parameters_out(void **state)
{
    (void)state;
    const char *text =
        MODELS "steps:\n  - {id: s, uses: sink/none, with: {count: 3, model: faces, points: 4}}\n";
    const char *sets[] = {"steps.s.uses=source/latents", NULL};
    checked c = check_with(text, sets);
    assert_string_equal(c.told, "");
    assert_non_null(strstr(c.pipeline->notes, "'points' is left out: source/latents has no such parameter"));
    release(&c);
}

/* --- includes ---------------------------------------------------------------------------------------- */
static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void included_steps_come_first(void **state)
{
    (void)state;
    char folder[] = "/tmp/lw-include-XXXXXX", main_file[64], base[64];
    assert_non_null(mkdtemp(folder));
    snprintf(main_file, sizeof(main_file), "%s/main.yaml", folder);
    snprintf(base, sizeof(base), "%s/base.yaml", folder);
    write_file(base,
               MODELS "steps:\n  - {id: start, uses: source/latents, with: {model: faces, count: 2}}\n");
    write_file(main_file,
               "latentwalk: 1\ninclude: base.yaml\nsteps:\n"
               "  - {id: walk, uses: method/trajectory-net, with: {model: faces}, inputs: {z: start.z}}\n");
    lwi_registry *registry = lwi_registry_create();
    assert_int_equal(lwi_registry_scan(registry, LW_PLUGIN_DIR), LW_OK);
    lwh_pipeline *p = lwh_pipeline_load(registry, main_file, NULL);
    if (lwh_check(p) != LW_OK)
        lwh_diagnostics_print(p->diagnostics, stderr);
    assert_int_equal(lwh_diagnostics_count(p->diagnostics), 0);
    assert_int_equal(p->step_count, 2);
    assert_string_equal(p->steps[0].id, "start");
    assert_string_equal(p->steps[0].place.file, base);
    lwh_pipeline_destroy(p);
    lwi_registry_destroy(registry);
    unlink(base);
    unlink(main_file);
    rmdir(folder);
}

static void a_file_that_includes_itself_is_stopped(void **state)
{
    (void)state;
    char file[] = "/tmp/lw-loop-XXXXXX";
    int descriptor = mkstemp(file);
    assert_true(descriptor >= 0);
    close(descriptor);
    char text[128];
    snprintf(text, sizeof(text), "latentwalk: 1\ninclude: %s\n", file);
    write_file(file, text);
    lwi_registry *registry = lwi_registry_create();
    lwh_pipeline *p = lwh_pipeline_load(registry, file, NULL);
    char *told = NULL;
    size_t length;
    FILE *stream = open_memstream(&told, &length);
    lwh_diagnostics_print(p->diagnostics, stream);
    fclose(stream);
    assert_non_null(strstr(told, "too many includes"));
    free(told);
    lwh_pipeline_destroy(p);
    lwi_registry_destroy(registry);
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_pipeline_is_fine),
        cmocka_unit_test(every_mistake_is_told_at_once_in_order),
        cmocka_unit_test(unknown_parameters_get_a_suggestion),
        cmocka_unit_test(values_are_checked_against_the_table),
        cmocka_unit_test(missing_parameters_are_named),
        cmocka_unit_test(unknown_models_get_a_suggestion),
        cmocka_unit_test(references_must_go_backwards),
        cmocka_unit_test(unknown_outputs_and_inputs_get_suggestions),
        cmocka_unit_test(required_inputs_must_be_connected),
        cmocka_unit_test(types_must_fit),
        cmocka_unit_test(latents_of_one_model_are_not_another_models),
        cmocka_unit_test(lists_are_for_ports_that_take_many),
        cmocka_unit_test(losses_need_what_the_method_and_model_offer),
        cmocka_unit_test(a_loss_is_checked_like_a_step),
        cmocka_unit_test(capabilities_are_checked_before_anything_runs),
        cmocka_unit_test(missing_files_are_told),
        cmocka_unit_test(a_missing_file_hides_no_other_mistake_of_the_model),
        cmocka_unit_test(a_model_needs_a_part),
        cmocka_unit_test(set_changes_values),
        cmocka_unit_test(set_reaches_into_lists_by_name),
        cmocka_unit_test(set_of_an_unknown_path_is_a_mistake),
        cmocka_unit_test(a_swapped_plugin_leaves_the_files_other_parameters_out),
        cmocka_unit_test(included_steps_come_first),
        cmocka_unit_test(a_file_that_includes_itself_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
