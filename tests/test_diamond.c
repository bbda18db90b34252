/* test_diamond.c — the pipelines of "Diamond in the rough", end to end with small settings. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <latentwalk/latentwalk.h>

#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPELINE "run " LW_SOURCE_DIR "/pipelines/diamond/"
#define SHORT                                                                       \
    " --set steps.recover.with.iterations=2 --set steps.recover.with.candidates=2 " \
    "--set steps.proto.with.iterations=2"

static void expect_file(const char *name, const char *text)
{
    char path[512];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", program_folder(), name);
    assert_int_equal(lw_file_read(path, 0, &data, &size), LW_OK);
    char *copy = lw_format("%.*s", (int)size, (const char *)data);
    if (!strstr(copy, text))
        fail_msg("%s does not tell of '%s'", name, text);
    lw_free(copy);
    lw_free(data);
}

static void progression_runs(void **state)
{
    (void)state;
    program_expect(PIPELINE "progression.yaml --quiet --out progression --set steps.start.with.count=3" SHORT
                            " --set steps.realistic.with.iterations=2 --set steps.walk.with.points=3",
                   0, "");
    expect_file("progression/metrics.json", "degrees apart");
}

static void attribute_runs(void **state)
{
    (void)state;
    program_expect(PIPELINE "attribute.yaml --quiet --out attribute --set steps.labelled.with.count=40 "
                            "--set steps.few.with.count=2 --set steps.start.with.count=2 "
                            "--set steps.realistic.with.iterations=2" SHORT,
                   0, "");
    expect_file("attribute/metrics.json", "realistic-2");
}

static void write_pictures(void)
{
    char path[512];
    for (int i = 0; i < 6; i++) {
        lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 64, 64));
        uint8_t *png;
        size_t size;
        lw_uniform((lw_stream){.seed = (uint64_t)i}, 0, 3 * 64 * 64, image->data);
        assert_int_equal(lw_image_encode_png(image, &png, &size), LW_OK);
        snprintf(path, sizeof path, "%s/%d.png", program_folder(), i);
        assert_int_equal(lw_file_write(path, png, size), LW_OK);
        lw_free(png);
        lw_tensor_destroy(image);
    }
}

static void table_1_runs(void **state)
{
    (void)state;
    char arguments[1024];
    write_pictures();
    snprintf(arguments, sizeof arguments,
             PIPELINE
             "table-1.yaml --quiet --out table --set steps.photos.with.path=%s "
             "--set steps.samples.with.count=8 --set steps.few.with.count=8 --set steps.judged.with.count=40 "
             "--set steps.automatic.with.iterations=2 --set matrix.threshold=[0.5] --set matrix.amount=[1] "
             "--set matrix.sigma=[0.3]" SHORT,
             program_folder());
    program_expect(arguments, 0, "");
    expect_file("table/metrics.json", "moved_distance-0_3");
}

static void encoder_runs(void **state)
{
    (void)state;
    program_expect(
        PIPELINE
        "encoder.yaml --quiet --out encoder --set models.encoder.network.with.widths=[4,4,4,8] "
        "--set steps.pictures.with.count=8 --set steps.held_out.with.count=4 "
        "--set steps.train.with.epochs=1 --set steps.train.with.batch=4 --set steps.start.with.count=2 "
        "--set steps.from_guess.with.iterations=2 --set steps.from_nearest.with.iterations=2 "
        "--set steps.from_nearest.with.candidates=2",
        0, "");
    expect_file("encoder/metrics.json", "from_guess");
}

static int clear(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progression_runs),
        cmocka_unit_test(attribute_runs),
        cmocka_unit_test(table_1_runs),
        cmocka_unit_test(encoder_runs),
    };
    return cmocka_run_group_tests(tests, NULL, clear);
}
