/* test_cli.c — the program as people and scripts meet it: exit statuses, messages, listings, run folders. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latentwalk/base.h"

/* Runs the program in the tests' temporary folder. stdout and stderr go into one text, or stdout only. */
typedef struct result {
    int status;
    char *text;
} result;

static char folder[] = "/tmp/lw-cli-XXXXXX";

static result call(const char *redirect, const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof(command), "cd %s && %s/bin/latentwalk %s %s", folder, LW_BUILD_DIR, arguments,
             redirect);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    result r = {0};
    size_t size = 0, room = 1 << 16;
    r.text = malloc(room);
    assert_non_null(r.text);
    for (size_t n; (n = fread(r.text + size, 1, room - size - 1, pipe)) > 0;) {
        size += n;
        r.text = realloc(r.text, room = 2 * (size + 4096));
        assert_non_null(r.text);
    }
    r.text[size] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    r.status = WEXITSTATUS(status);
    return r;
}

static void expect(const char *arguments, int status, const char *text)
{
    result r = call("2>&1", arguments);
    if (r.status != status || !strstr(r.text, text))
        fail_msg("latentwalk %s: status %d, expected %d and '%s' in:\n%s", arguments, r.status, status, text,
                 r.text);
    free(r.text);
}

static json_t *parse(const char *arguments)
{
    result r = call("", arguments);
    json_t *value = json_loads(r.text, 0, NULL);
    if (r.status != 0 || !value)
        fail_msg("latentwalk %s: status %d, no JSON in:\n%s", arguments, r.status, r.text);
    free(r.text);
    return value;
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char small[] = "latentwalk: 1\n"
                            "models:\n"
                            "  faces:\n"
                            "    generator: {uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}\n"
                            "    discriminator: {uses: dcgan, with: {depth: 1, width: 4}}\n"
                            "steps:\n"
                            "  - {id: start, uses: source/latents, with: {model: faces, count: 3}}\n"
                            "  - id: walk\n"
                            "    uses: method/trajectory-net\n"
                            "    with: {model: faces, points: 4, hidden: [8], iterations: 5}\n"
                            "    inputs: {z: start.z}\n"
                            "  - {id: grid, uses: sink/image-grid, inputs: {images: walk.images}}\n";

static void version_and_help_are_fine(void **state)
{
    (void)state;
    expect("version", 0, "latentwalk " LW_VERSION);
    expect("--help", 0, "usage: latentwalk COMMAND");
    static const char *const commands[] = {"run",      "check",  "resume",  "plugins",
                                           "describe", "schema", "devices", "version"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        char arguments[64];
        snprintf(arguments, sizeof(arguments), "%s --help", commands[i]);
        expect(arguments, 0, "examples:");
    }
}

static void mistakes_in_the_command_line_are_status_2(void **state)
{
    (void)state;
    expect("", 2, "usage:");
    expect("rnu", 2, "did you mean 'run'?");
    expect("run", 2, "needs its argument: 'FILE'");
    expect("run x.yaml y.yaml", 2, "too many arguments");
    expect("run x.yaml --dry-rum", 2, "did you mean '--dry-run'?");
    expect("run x.yaml --set", 2, "a value is missing");
    expect("run x.yaml --quiet=1", 2, "takes no value");
    expect("run x.yaml --checkpoint-every soon", 2, "a number of seconds");
    expect("check no-such.yaml", 2, "no-such.yaml");
    expect("resume no-such-run", 2, "no run folder");
    expect("describe method/no-such", 2, "method/no-such");
}

static void check_tells_mistakes_with_their_places(void **state)
{
    (void)state;
    write_file("bad.yaml", "latentwalk: 1\nsteps:\n  - {id: a, uses: source/latent}\n");
    expect("check bad.yaml", 2,
           "bad.yaml:3:19: there is no plugin 'source/latent'; did you mean 'source/latents'?");
    expect("run bad.yaml --out never", 2, "1 mistake");
    char path[128];
    snprintf(path, sizeof(path), "%s/never", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    result r = call("", "check bad.yaml --json");
    json_t *line = json_loads(r.text, JSON_DISABLE_EOF_CHECK, NULL);
    assert_int_equal(json_integer_value(json_object_get(line, "line")), 3);
    assert_string_equal(json_string_value(json_object_get(line, "file")), "bad.yaml");
    json_decref(line);
    free(r.text);
    expect("check small.yaml", 0, "small.yaml: fine (1 model, 3 steps)");
}

static void plugins_are_listed_and_refused_ones_explained(void **state)
{
    (void)state;
    write_file("plugins/broken.so", "not a plugin");
    expect("plugins --plugin-path plugins", 0, "method/trajectory-net");
    expect("plugins --plugin-path plugins", 0, "broken.so");
    json_t *list = parse("plugins --json");
    assert_true(json_array_size(list) >= 10);
    json_decref(list);
}

static void describe_tells_every_parameter(void **state)
{
    (void)state;
    expect("describe method/trajectory-net", 0, "default: 500");
    json_t *all = parse("describe --json"), *plugin;
    size_t i;
    json_array_foreach (all, i, plugin) {
        json_t *param;
        size_t k;
        json_array_foreach (json_object_get(plugin, "parameters"), k, param)
            assert_true(strlen(json_string_value(json_object_get(param, "doc"))) > 5);
    }
    json_decref(all);
}

static void the_schema_knows_every_step(void **state)
{
    (void)state;
    json_t *schema = parse("schema");
    json_t *step = json_object_get(json_object_get(schema, "$defs"), "step");
    json_t *uses = json_object_get(json_object_get(json_object_get(step, "properties"), "uses"), "anyOf");
    json_t *ids = json_object_get(json_array_get(uses, 0), "enum"), *id; /* or a value of the matrix */
    bool found = false;
    size_t i;
    json_array_foreach (ids, i, id)
        found = found || strcmp(json_string_value(id), "sink/report") == 0;
    assert_true(found);
    assert_int_equal(json_array_size(ids), json_array_size(json_object_get(step, "allOf")));
    json_decref(schema);
}

static void a_dry_run_tells_the_cost_and_leaves_nothing(void **state)
{
    (void)state;
    expect("run small.yaml --dry-run", 0, "GFLOP x 5");
    expect("run small.yaml --dry-run", 0, "walk                 images  "); /* by lw_model_images */
    char path[128];
    snprintf(path, sizeof(path), "%s/runs", folder);
    assert_int_not_equal(access(path, F_OK), 0);
}

static json_t *load(const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    json_t *value = json_load_file(path, 0, NULL);
    assert_non_null(value);
    return value;
}

static void a_run_leaves_a_folder_that_runs_the_same_again(void **state)
{
    (void)state;
    expect("run small.yaml --out first --seed 5 --quiet", 0, "first");
    expect("run first/pipeline.yaml --out second --quiet", 0, "second");
    static const char *const same[] = {"metrics.json", "steps/start/outputs/z.safetensors",
                                       "steps/walk/outputs/walk.safetensors",
                                       "steps/walk/outputs/images.safetensors", "steps/grid/grid.png"};
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
        char command[256];
        snprintf(command, sizeof(command), "cmp %s/first/%s %s/second/%s", folder, same[i], folder, same[i]);
        assert_int_equal(system(command), 0);
    }
    json_t *run = load("first/run.json");
    assert_string_equal(json_string_value(json_object_get(run, "state")), "done");
    assert_int_equal(json_integer_value(json_object_get(run, "seed")), 5);
    assert_int_equal(strlen(json_string_value(json_object_get(
                         json_object_get(json_object_get(run, "plugins"), "method/trajectory-net"), "hash"))),
                     16);
    json_decref(run);
    expect("resume first", 2, "is done");
    expect("run small.yaml --out first", 2, "is not empty");
}

static void the_effective_pipeline_says_where_values_came_from(void **state)
{
    (void)state;
    expect("run small.yaml --out origins --quiet --set steps.walk.with.points=3", 0, "origins");
    char path[128];
    snprintf(path, sizeof(path), "cat %s/origins/pipeline.yaml", folder);
    FILE *pipe = popen(path, "r");
    char text[8192] = "";
    text[fread(text, 1, sizeof(text) - 1, pipe)] = 0;
    pclose(pipe);
    assert_non_null(strstr(text, "points: 3  # --set"));
    assert_non_null(strstr(text, "iterations: 5  # small.yaml:10:"));
    assert_non_null(strstr(text, "learning_rate: 0.001  # default"));
}

static void progress_for_programs_is_json_lines(void **state)
{
    (void)state;
    result r = call("", "run small.yaml --out lines --json");
    assert_int_equal(r.status, 0);
    int lines = 0, done = 0;
    for (char *line = strtok(r.text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *event = json_loads(line, 0, NULL);
        assert_non_null(event);
        done += strcmp(json_string_value(json_object_get(event, "event")), "done") == 0;
        json_decref(event);
    }
    assert_true(lines >= 7);
    assert_int_equal(done, 1);
    free(r.text);
}

static void a_profile_is_a_table_and_a_trace(void **state)
{
    (void)state;
    result r = call("2>&1", "run small.yaml --out profiled --profile");
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.text, "walk: "));
    assert_non_null(strstr(r.text, "GFLOP/s"));
    free(r.text);
    json_t *trace = load("profiled/profile.json"), *event;
    size_t i, kernels = 0;
    double end = 0;
    json_array_foreach (json_object_get(trace, "traceEvents"), i, event) {
        if (json_integer_value(json_object_get(event, "tid")) != 2 || !json_object_get(event, "ts"))
            continue;
        double start = json_number_value(json_object_get(event, "ts"));
        assert_true(start >= end - 0.001); /* one after the other */
        end = start + json_number_value(json_object_get(event, "dur"));
        kernels++;
    }
    assert_true(kernels > 20);
    json_decref(trace);
    expect("run small.yaml --out not-profiled --quiet", 0, "not-profiled");
    char path[128];
    snprintf(path, sizeof(path), "%s/profiled/profile.txt", folder);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "%s/not-profiled/profile.json", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    expect("run small.yaml --out neither --profile --dry-run", 2, "give one of the two");
}

static void a_failing_step_is_status_1_and_named(void **state)
{
    (void)state;
    write_file("no.npy", "these are no numbers");
    expect("run small.yaml --out failed --set steps.start.with.file=no.npy", 1,
           "step 'start' (source/latents) failed\n  because: ");
    json_t *run = load("failed/run.json");
    assert_string_equal(json_string_value(json_object_get(run, "state")), "failed");
    assert_non_null(json_object_get(run, "error"));
    json_decref(run);
}

static int set_up(void **state)
{
    (void)state;
    char command[128];
    if (!mkdtemp(folder))
        return -1;
    snprintf(command, sizeof(command), "mkdir %s/plugins", folder);
    if (system(command) != 0)
        return -1;
    write_file("small.yaml", small);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_and_help_are_fine),
        cmocka_unit_test(mistakes_in_the_command_line_are_status_2),
        cmocka_unit_test(check_tells_mistakes_with_their_places),
        cmocka_unit_test(plugins_are_listed_and_refused_ones_explained),
        cmocka_unit_test(describe_tells_every_parameter),
        cmocka_unit_test(the_schema_knows_every_step),
        cmocka_unit_test(a_dry_run_tells_the_cost_and_leaves_nothing),
        cmocka_unit_test(a_run_leaves_a_folder_that_runs_the_same_again),
        cmocka_unit_test(the_effective_pipeline_says_where_values_came_from),
        cmocka_unit_test(progress_for_programs_is_json_lines),
        cmocka_unit_test(a_profile_is_a_table_and_a_trace),
        cmocka_unit_test(a_failing_step_is_status_1_and_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
