/* test_pipelines.c — the shipped pipelines, end to end through the program, with small settings. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <latentwalk/latentwalk.h>

static char folder[256]; /* of this test's own, removed at the end */

/* Runs a shell command with $W the folder and $L the program; returns the exit status. */
static int shell(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_in_range(length, 1, sizeof command - 1);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_file(const char *path)
{
    char full[512];
    struct stat info;
    snprintf(full, sizeof full, "%s/%s", folder, path);
    if (stat(full, &info) != 0 || info.st_size == 0)
        fail_msg("%s is missing or empty", path);
}

static void quickstart_runs(void **state)
{
    (void)state;
    assert_int_equal(
        shell("$L run $P/quickstart.yaml --quiet --out $W/quick --set steps.walk.with.iterations=3 "
              "--set steps.start.with.count=9"),
        0);
    assert_file("quick/report.html");
    assert_file("quick/metrics.json");
    assert_file("quick/steps/grid/grid.png");
    assert_file("quick/steps/animation/walks.webp");
    assert_file("quick/steps/walk/outputs/walk.safetensors");
}

/* Replaying the effective pipeline of a run gives the same tensors, measures and pictures. */
static void a_run_replays_to_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(shell("$L run $W/quick/pipeline.yaml --quiet --out $W/again"), 0);
    assert_int_equal(
        shell("for f in steps/walk/outputs/walk.safetensors steps/walk/outputs/images.safetensors "
              "metrics.json steps/grid/grid.png steps/animation/walks.webp; do "
              "cmp $W/quick/$f $W/again/$f || exit 1; done"),
        0);
}

static void another_seed_gives_another_walk(void **state)
{
    (void)state;
    assert_int_equal(shell("$L run $W/quick/pipeline.yaml --quiet --seed 43 --out $W/other"), 0);
    assert_int_equal(shell("cmp -s $W/quick/steps/walk/outputs/walk.safetensors "
                           "$W/other/steps/walk/outputs/walk.safetensors"),
                     1);
}

static void trajectory_runs(void **state)
{
    (void)state;
    assert_int_equal(
        shell("$L run $P/trajectory.yaml --quiet --out $W/trajectory --set steps.walk.with.iterations=2 "
              "--set steps.start.with.count=4"),
        0);
    assert_file("trajectory/report.html");
    assert_file("trajectory/steps/walks/tensors.safetensors");
}

static void directions_runs(void **state)
{
    (void)state;
    assert_int_equal(
        shell("$L run $P/directions.yaml --quiet --out $W/directions --set steps.start.with.count=2 "
              "--set steps.edit.with.steps=3"),
        0);
    assert_file("directions/report.html");
    assert_file("directions/steps/find/directions.safetensors");
}

static void dp_lase_runs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *settings;
    } all[] = {
        {"table-1",
         "--set steps.start.with.count=3 --set steps.random.with.count=3 --set steps.quality.with.samples=8"},
        {"figure-5", "--set steps.start.with.count=2 --set steps.random.with.count=2"},
        {"directions", "--set steps.start.with.count=2 --set steps.explore.with.iterations=2 --set "
                       "steps.explore.with.batch=2 --set steps.explore.with.tap=block0 --set "
                       "steps.explore.with.count=3 --set steps.quality.with.samples=8 --set "
                       "steps.learned_quality.with.samples=8"},
        {"figure-10", "--set steps.start.with.count=2 --set steps.explore.with.iterations=2 --set "
                      "steps.explore.with.batch=2 --set steps.explore.with.tap=block0 --set "
                      "steps.explore.with.count=3 --set steps.discover.with.iterations=2 --set "
                      "steps.discover.with.batch=2 --set steps.discover.with.count=3 --set "
                      "steps.discover.with.judged=1 --set steps.sefa.with.count=3 --set "
                      "steps.walk.with.steps=3 --set steps.quality.with.samples=8"},
        {"subspaces",
         "--set steps.start.with.count=2 --set steps.walk.with.steps=3 --set steps.subspaces.with.tap=block1 "
         "--set steps.subspaces.with.origin=1 --set steps.whole.with.from=1 --set "
         "steps.confined.with.from=1"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char report[64];
        assert_int_equal(shell("$L run $P/dp-lase/%s.yaml --quiet --out $W/dp-lase/%s %s", all[i].name,
                               all[i].name, all[i].settings),
                         0);
        snprintf(report, sizeof report, "dp-lase/%s/report.html", all[i].name);
        assert_file(report);
    }
}

/* Twelve small pictures of noise: enough to train on for a moment. */
static void make_pictures(void)
{
    char path[512];
    assert_int_equal(shell("mkdir -p $W/pictures"), 0);
    for (int i = 0; i < 12; i++) {
        lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 64, 64));
        lw_uniform((lw_stream){.seed = (uint64_t)i}, 0, 3 * 64 * 64, image->data);
        uint8_t *png;
        size_t size;
        assert_int_equal(lw_image_encode_png(image, &png, &size), LW_OK);
        snprintf(path, sizeof path, "%s/pictures/%02d.png", folder, i);
        assert_int_equal(lw_file_write(path, png, size), LW_OK);
        lw_free(png);
        lw_tensor_destroy(image);
    }
}

static void train_dcgan_runs_and_its_model_walks(void **state)
{
    (void)state;
    make_pictures();
    assert_int_equal(
        shell("$L run $P/train-dcgan.yaml --quiet --out $W/train --set steps.photos.with.path=$W/pictures "
              "--set steps.held_out.with.path=$W/pictures --set steps.held_out.with.part=all "
              "--set steps.train.with.iterations=2 --set steps.train.with.batch=4 --set "
              "steps.train.with.judged_samples=8 --set models.faces.generator.with.width=8 --set "
              "models.faces.discriminator.with.width=8"),
        0);
    assert_file("train/report.html");
    assert_file("train/steps/train/model.safetensors");
    assert_int_equal(
        shell("$L run $P/quickstart.yaml --quiet --out $W/own --set steps.walk.with.iterations=1 "
              "--set steps.start.with.count=2 --set "
              "models.faces.weights=$W/train/steps/train/model.safetensors"),
        0);
}

/* The labels that train-attributes.yaml names, with values that mean nothing, for the pictures of noise. */
static void write_table(void)
{
    assert_int_equal(shell("L=$(sed -n '/labels: .5_o/,/]/p' $P/train-attributes.yaml | tr -d '\\n ' | "
                           "sed 's/.*\\[//; s/].*//; s/=[^,]*//g'); echo file,split,$L > $W/table.csv"),
                     0);
    char path[512];
    snprintf(path, sizeof path, "%s/table.csv", folder);
    FILE *table = fopen(path, "a");
    assert_non_null(table);
    for (int i = 0; i < 12; i++) {
        fprintf(table, "%02d.png,%s", i, i < 8 ? "train" : i < 10 ? "val" : "test");
        for (int k = 0; k < 40; k++)
            fprintf(table, ",%d", (i + k) % 2);
        for (int k = 0; k < 4; k++)
            fprintf(table, i % 4 == 1 ? "," : ",%g", i / 12.0);
        fputs("\n", table);
    }
    fclose(table);
}

static void train_attributes_runs_and_its_network_is_loaded_again(void **state)
{
    (void)state;
    write_table();
    assert_int_equal(
        shell("S=; for s in photos held_out unseen; do S=\"$S --set steps.$s.with.path=$W/pictures --set "
              "steps.$s.with.list=$W/table.csv\"; done; $L run $P/train-attributes.yaml --quiet --out "
              "$W/attributes $S --set steps.train.with.epochs=2 --set steps.train.with.batch=4 "
              "--set models.attributes.network.with.widths=[4,4,4,8]"),
        0);
    assert_file("attributes/report.html");
    assert_file("attributes/steps/train/model.safetensors");
    assert_int_equal(shell("grep -q 'Pearson r' $W/attributes/metrics.json && "
                           "grep -q 'calibration in %%' $W/attributes/report.html"),
                     0);
}

static void frechet_distance_runs_with_the_shipped_network(void **state)
{
    (void)state;
    assert_int_equal(shell("$L run $P/frechet-distance.yaml --quiet --out $W/distance --set "
                           "steps.photos.with.path=$W/pictures --set steps.distance.with.samples=8"),
                     0);
    assert_file("distance/report.html");
    assert_int_equal(shell("grep -q 'halves of the photographs' $W/distance/metrics.json"), 0);
}

/* The pipeline that README.md shows, as it stands there. */
static void the_readme_s_pipeline_runs(void **state)
{
    (void)state;
    assert_int_equal(shell("awk '/^```yaml/{p=1;next} /^```/{p=0} p' $P/../README.md | sed "
                           "\"s#models/faces#$P/models/faces#\" "
                           "> $W/readme.yaml && $L run $W/readme.yaml --quiet --out $W/readme "
                           "--set steps.walk.with.iterations=1 --set steps.start.with.count=2"),
                     0);
    assert_file("readme/report.html");
}

/* A stock JSON Schema validator accepts every shipped pipeline, and refuses a misspelt one. */
static void the_schema_validates_the_pipelines(void **state)
{
    (void)state;
    if (shell("/usr/bin/python3 -c 'import jsonschema, yaml' 2>/dev/null") != 0) {
        print_message("skipped: python3-jsonschema and python3-yaml are not installed\n");
        skip();
    }
    assert_int_equal(shell("$L schema > $W/schema.json"), 0);
    assert_int_equal(shell("/usr/bin/python3 - $W/schema.json $P/*.yaml $P/*/*.yaml <<'END'\n"
                           "import json, sys, yaml, jsonschema\n"
                           "schema = json.load(open(sys.argv[1]))\n"
                           "jsonschema.Draft202012Validator.check_schema(schema)\n"
                           "validator = jsonschema.Draft202012Validator(schema)\n"
                           "for path in sys.argv[2:]:\n"
                           "    validator.validate(yaml.safe_load(open(path)))\n"
                           "wrong = yaml.safe_load(open(sys.argv[2]))\n"
                           "wrong['steps'][0]['withh'] = {}\n"
                           "sys.exit(validator.is_valid(wrong))\n"
                           "END"),
                     0);
}

static void dry_run_computes_and_writes_nothing(void **state)
{
    (void)state;
    assert_int_equal(
        shell("cd $W && $L run $P/quickstart.yaml --dry-run --out $W/dry > dry.txt && ! test -e $W/dry && "
              "grep -q GFLOP dry.txt"),
        0);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/latentwalk-pipelines-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    setenv("W", folder, 1);
    setenv("L", LW_BUILD_DIR "/bin/latentwalk", 1);
    setenv("P", LW_SOURCE_DIR "/pipelines", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quickstart_runs),
        cmocka_unit_test(a_run_replays_to_the_same_bytes),
        cmocka_unit_test(another_seed_gives_another_walk),
        cmocka_unit_test(trajectory_runs),
        cmocka_unit_test(directions_runs),
        cmocka_unit_test(dp_lase_runs),
        cmocka_unit_test(train_dcgan_runs_and_its_model_walks),
        cmocka_unit_test(train_attributes_runs_and_its_network_is_loaded_again),
        cmocka_unit_test(frechet_distance_runs_with_the_shipped_network),
        cmocka_unit_test(the_readme_s_pipeline_runs),
        cmocka_unit_test(the_schema_validates_the_pipelines),
        cmocka_unit_test(dry_run_computes_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
