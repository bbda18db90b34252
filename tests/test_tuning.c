/* test_tuning.c — algorithms chosen by measurement: measured once, kept in the user's cache, recorded with a
 * run, and taken from a record. What is chosen differs from machine to machine, so nothing here depends on
 * it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <latentwalk/image.h>
#include <latentwalk/latentwalk.h>

#include "runtime/tuning.h"

static char folder[] = "/tmp/lw-tuning-XXXXXX";
static const char shape[] = "forward 1x16x16x32 to 16x16x32 by 3x3 stride 1 padding 1, filter varies";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && setenv("XDG_CACHE_HOME", folder, 1) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static char *in_folder(const char *name)
{
    static char path[2][200];
    static int next;
    snprintf(path[next ^= 1], sizeof path[0], "%s/%s", folder, name);
    return path[next];
}

static char *cache(void)
{
    static char path[500];
    lw_device *device = lw_device_open("cpu", "native");
    lw_device_info info;
    assert_non_null(device);
    assert_int_equal(lw_device_describe(device, &info), LW_OK);
    char *found = lwi_tuning_path(&info);
    assert_non_null(found);
    snprintf(path, sizeof path, "%s", found);
    lw_free(found);
    lw_device_close(device);
    return path;
}

enum { SIDE = 16, CHANNELS = 32, PIXELS = SIDE * SIDE * CHANNELS };

/* Compiles and runs one convolution on a device that is tuned so. */
static lw_status convolve(const char *given, const char *record, char **note, float *y)
{
    static float x[PIXELS], w[CHANNELS * CHANNELS * 9];
    for (int i = 0; i < PIXELS; i++)
        x[i] = (float)(i % 11) - 5;
    for (int i = 0; i < CHANNELS * CHANNELS * 9; i++)
        w[i] = (float)(i % 7) - 3;
    lw_device *device = lw_device_open("cpu", "native");
    assert_non_null(device);
    lw_status status = lwi_tuning_start(device, given, record, note);
    if (status == LW_OK) {
        lw_graph *g = lw_graph_create();
        lw_value image = lw_input(g, "x", LW_SHAPE(1, CHANNELS, SIDE, SIDE));
        lw_value filter = lw_input(g, "w", LW_SHAPE(CHANNELS, CHANNELS, 3, 3));
        lw_output(g, "y", lw_conv2d(g, image, filter, .padding = 1));
        lw_program *p = lw_compile(g, device);
        assert_non_null(p);
        assert_int_equal(lw_program_write(p, "x", x, PIXELS), LW_OK);
        assert_int_equal(lw_program_write(p, "w", w, sizeof w / sizeof *w), LW_OK);
        assert_int_equal(lw_program_run(p), LW_OK);
        assert_int_equal(lw_program_read(p, "y", y, PIXELS), LW_OK);
        lw_program_destroy(p);
        lw_graph_destroy(g);
    }
    lw_device_close(device);
    return status;
}

/* The algorithm that a file names for the shape. */
static const char *chosen(const char *path)
{
    static char name[64];
    json_t *root = json_load_file(path, 0, NULL);
    json_t *choice = json_object_get(json_object_get(root, "choices"), shape);
    const char *algorithm = json_string_value(json_object_get(choice, "algorithm"));
    snprintf(name, sizeof name, "%s", algorithm ? algorithm : "none");
    json_decref(root);
    return name;
}

static void write_choice(const char *path, const char *algorithm)
{
    char text[300];
    int size =
        snprintf(text, sizeof text, "{\"choices\": {\"%s\": {\"algorithm\": \"%s\"}}}", shape, algorithm);
    assert_int_equal(lw_file_write(path, text, (size_t)size), LW_OK);
}

static float first[PIXELS], second[PIXELS];

static void a_measured_choice_is_kept_and_recorded(void **state)
{
    (void)state;
    char *note, *record = in_folder("measured.json");
    unlink(cache());
    assert_int_equal(convolve(NULL, record, &note, first), LW_OK);
    assert_null(note);
    assert_string_not_equal(chosen(cache()), "none");
    char in_cache[64];
    snprintf(in_cache, sizeof in_cache, "%s", chosen(cache()));
    assert_string_equal(chosen(record), in_cache);
}

static void a_kept_choice_is_not_measured_again(void **state)
{
    (void)state;
    static const char *const names[] = {"direct", "winograd"};
    for (int i = 0; i < 2; i++) {
        char *note;
        write_choice(cache(), names[i]);
        assert_int_equal(convolve(NULL, in_folder("kept.json"), &note, second), LW_OK);
        assert_string_equal(chosen(in_folder("kept.json")), names[i]);
    }
}

static void a_record_comes_before_the_cache_and_gives_the_same_bytes(void **state)
{
    (void)state;
    char *note;
    write_choice(cache(), "winograd");
    write_choice(in_folder("record.json"), "direct");
    assert_int_equal(convolve(in_folder("record.json"), in_folder("again.json"), &note, first), LW_OK);
    assert_string_equal(chosen(in_folder("again.json")), "direct");
    assert_string_equal(chosen(cache()), "winograd");
    assert_int_equal(convolve(in_folder("again.json"), in_folder("again.json"), &note, second), LW_OK);
    assert_memory_equal(first, second, sizeof first);
}

static lw_status start_clblast(const char *given, const char *record, char **note)
{
    lw_device *device = lw_device_open("cpu", "clblast");
    assert_non_null(device);
    lw_status status = lwi_tuning_start(device, given, record, note);
    lw_device_close(device);
    return status;
}

static void clblasts_settings_are_recorded_and_restored(void **state)
{
    (void)state;
    static const char two_one_zero[] =
        "{\"choices\": {}, \"clblast\": {\"version\": 1, \"settings\": [2, 1, 0]}}";
    char *note;
    int settings[3];
    assert_int_equal(lw_file_write(in_folder("set.json"), two_one_zero, sizeof two_one_zero - 1), LW_OK);
    assert_int_equal(start_clblast(in_folder("set.json"), in_folder("clblast.json"), &note), LW_OK);
    assert_null(note);
    json_t *root = json_load_file(in_folder("clblast.json"), 0, NULL);
    assert_int_equal(json_unpack(root, "{s:{s:[i, i, i]}}", "clblast", "settings", &settings[0], &settings[1],
                                 &settings[2]),
                     0);
    assert_memory_equal(settings, ((int[]){2, 1, 0}), sizeof settings);
    json_decref(root);
}

static void settings_that_clblast_does_not_have_are_refused(void **state)
{
    (void)state;
    static const char wrong[] = "{\"choices\": {}, \"clblast\": {\"version\": 1, \"settings\": [2, 99, 0]}}";
    char *note;
    assert_int_equal(lw_file_write(in_folder("wrong.json"), wrong, sizeof wrong - 1), LW_OK);
    assert_int_equal(start_clblast(in_folder("wrong.json"), NULL, &note), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "wrong.json"));
    assert_non_null(strstr(lw_error_text(), "has no setting 99"));
}

static void a_broken_cache_is_measured_anew_with_a_word(void **state)
{
    (void)state;
    static const char *const broken[] = {"{", "[]", "{\"choices\": {\"a\": {\"algorithm\": \"magic\"}}}"};
    for (int i = 0; i < 3; i++) {
        char *note;
        assert_int_equal(lw_file_write(cache(), broken[i], strlen(broken[i])), LW_OK);
        assert_int_equal(convolve(NULL, NULL, &note, first), LW_OK);
        assert_non_null(note);
        assert_non_null(strstr(note, "measured anew"));
        lw_free(note);
        assert_string_not_equal(chosen(cache()), "none");
    }
}

static void a_broken_record_is_refused(void **state)
{
    (void)state;
    char *note;
    assert_int_equal(lw_file_write(in_folder("broken.json"), "{", 1), LW_OK);
    assert_int_equal(convolve(in_folder("broken.json"), NULL, &note, first), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "broken.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_measured_choice_is_kept_and_recorded),
        cmocka_unit_test(a_kept_choice_is_not_measured_again),
        cmocka_unit_test(a_record_comes_before_the_cache_and_gives_the_same_bytes),
        cmocka_unit_test(clblasts_settings_are_recorded_and_restored),
        cmocka_unit_test(settings_that_clblast_does_not_have_are_refused),
        cmocka_unit_test(a_broken_cache_is_measured_anew_with_a_word),
        cmocka_unit_test(a_broken_record_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
