/* test_image_folder.c — which pictures source/image-folder takes, and how they arrive. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "latentwalk/image.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- making folders and archives ------------------------------------------------------------------ */
static void write_text(const harness *h, const char *name, const char *text)
{
    char *path = lw_format("%s/%s", h->folder, name);
    assert_int_equal(lw_file_write(path, text, strlen(text)), LW_OK);
    lw_free(path);
}

/* PNG bytes of a picture whose columns have the grey values first, first + 1, … */
static void make_png(int64_t height, int64_t width, int first, uint8_t **data, size_t *size)
{
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, height, width));
    for (int64_t i = 0; i < lw_shape_count(image->shape); i++)
        image->data[i] = (float)(first + i % width) * 2.0f / 255.0f - 1.0f;
    assert_int_equal(lw_image_encode_png(image, data, size), LW_OK);
    lw_tensor_destroy(image);
}

static void write_png(const harness *h, const char *name, int64_t height, int64_t width, int first)
{
    uint8_t *data;
    size_t size;
    make_png(height, width, first, &data, &size);
    char *path = lw_format("%s/%s", h->folder, name);
    assert_int_equal(lw_file_write(path, data, size), LW_OK);
    lw_free(path);
    lw_free(data);
}

static uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static size_t put_le(uint8_t *at, const char *widths, ...)
{
    va_list values;
    size_t size = 0;
    va_start(values, widths);
    for (; *widths; widths++) {
        uint32_t value = va_arg(values, uint32_t);
        for (int i = 0; i < *widths - '0'; i++)
            at[size++] = (uint8_t)(value >> (8 * i));
    }
    va_end(values);
    return size;
}

/* A .zip with two stored pictures, b.png (first value 20) before a.png (10); `damage` breaks b.png's
 * bytes. */
static void write_zip(const harness *h, bool damage)
{
    uint8_t zip[16384], central[512];
    size_t at = 0, end = 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *data;
        size_t size;
        make_png(4, 4, i == 0 ? 20 : 10, &data, &size);
        uint32_t crc = crc32_of(data, size), start = (uint32_t)at, length = (uint32_t)size;
        if (damage && i == 0)
            data[size / 2] ^= 0x55;
        at += put_le(zip + at,
                     "422222444"
                     "22",
                     0x04034b50u, 20u, 0u, 0u, 0u, 0x21u, crc, length, length, 5u, 0u);
        memcpy(zip + at, i == 0 ? "b.png" : "a.png", 5);
        memcpy(zip + at + 5, data, size);
        at += 5 + size;
        end += put_le(central + end,
                      "4222222444"
                      "22222"
                      "44",
                      0x02014b50u, 20u, 20u, 0u, 0u, 0u, 0x21u, crc, length, length, 5u, 0u, 0u, 0u, 0u, 0u,
                      start);
        memcpy(central + end, i == 0 ? "b.png" : "a.png", 5);
        end += 5;
        lw_free(data);
        assert_true(at < sizeof zip - 1024);
    }
    uint32_t directory = (uint32_t)at;
    memcpy(zip + at, central, end);
    at += end;
    at += put_le(zip + at, "42222442", 0x06054b50u, 0u, 0u, 2u, 2u, (uint32_t)end, directory, 0u);
    char *path = lw_format("%s/pictures.zip", h->folder);
    assert_int_equal(lw_file_write(path, zip, at), LW_OK);
    lw_free(path);
}

/* Opens the harness on RUN/pictures (three pictures 4 x 4 and other things) or RUN/`name`. */
static void open_on(harness *h, const char *name)
{
    harness_open(h, "source/image-folder");
    char *path = lw_format("%s/%s", h->folder, name);
    harness_set(h, "path", path);
    harness_set(h, "height", "4");
    harness_set(h, "width", "4");
    lw_free(path);
}

static void open_pictures(harness *h)
{
    open_on(h, "pictures");
    char *path = lw_format("%s/pictures/deep", h->folder);
    *strrchr(path, '/') = 0;
    assert_int_equal(mkdir(path, 0700), 0);
    path[strlen(path)] = '/';
    assert_int_equal(mkdir(path, 0700), 0);
    lw_free(path);
    write_png(h, "pictures/b.png", 4, 4, 20);
    write_png(h, "pictures/a.png", 4, 4, 10);
    write_png(h, "pictures/deep/c.PNG", 4, 4, 30);
    write_text(h, "pictures/notes.txt", "no picture");
}

static void set_list(harness *h, const char *csv)
{
    write_text(h, "list.csv", csv);
    char *path = lw_format("%s/list.csv", h->folder);
    harness_set(h, "list", path);
    lw_free(path);
}

static const lw_dataset *run_ok(harness *h)
{
    if (harness_run(h) != LW_OK)
        fail_msg("%s", lw_error_text());
    const lw_dataset *dataset = harness_dataset(h, "dataset");
    assert_non_null(dataset);
    return dataset;
}

/* Runs, expects an error that has all words of a NULL-terminated list, and closes. */
static void expect_error(harness *h, ...)
{
    assert_int_not_equal(harness_run(h), LW_OK);
    va_list words;
    va_start(words, h);
    for (const char *word; (word = va_arg(words, const char *));)
        if (!strstr(lw_error_text(), word))
            fail_msg("'%s' does not say '%s'", lw_error_text(), word);
    va_end(words);
    harness_close(h);
}

/* The first row of a picture's first channel, as bytes, is first, first + 1, … */
static void assert_columns(const lw_dataset *dataset, uint32_t index, int first)
{
    lw_shape shape = lw_dataset_shape(dataset);
    float pixels[3 * 64 * 64];
    assert_true(shape.dim[2] * shape.dim[3] <= 64 * 64);
    assert_int_equal(lw_dataset_batch(dataset, &index, NULL, 1, pixels), LW_OK);
    for (int x = 0; x < shape.dim[3]; x++)
        assert_int_equal((int)lrintf((pixels[x] + 1) * 127.5f), first + x);
}

/* --- what it does ------------------------------------------------------------------------------------ */
static void a_folder_gives_its_pictures_in_the_order_of_their_names(void **state)
{
    (void)state;
    harness h;
    open_pictures(&h);
    const lw_dataset *dataset = run_ok(&h);
    assert_true(lw_shape_equal(lw_dataset_shape(dataset), LW_SHAPE(3, 3, 4, 4)));
    assert_string_equal(lw_dataset_name(dataset, 2), "deep/c.PNG");
    for (uint32_t i = 0; i < 3; i++)
        assert_columns(dataset, i, 10 + 10 * (int)i);
    harness_close(&h);
}

static void an_archive_is_as_good_as_a_folder(void **state)
{
    (void)state;
    harness h;
    open_on(&h, "pictures.zip");
    write_zip(&h, false);
    const lw_dataset *dataset = run_ok(&h);
    assert_int_equal(lw_dataset_count(dataset), 2);
    assert_string_equal(lw_dataset_name(dataset, 0), "a.png");
    assert_columns(dataset, 0, 10);
    assert_columns(dataset, 1, 20);
    harness_close(&h);
}

static void count_takes_the_first(void **state)
{
    (void)state;
    harness h;
    open_pictures(&h);
    harness_set(&h, "count", "2");
    const lw_dataset *dataset = run_ok(&h);
    assert_int_equal(lw_dataset_count(dataset), 2);
    assert_string_equal(lw_dataset_name(dataset, 1), "b.png");
    harness_close(&h);
}

static void wide_pictures_lose_both_sides_unless_crop_is_none(void **state)
{
    (void)state;
    for (int crop = 0; crop < 2; crop++) {
        harness h;
        open_on(&h, "wide");
        char *path = lw_format("%s/wide", h.folder);
        assert_int_equal(mkdir(path, 0700), 0);
        lw_free(path);
        write_png(&h, "wide/x.png", 4, 8, 100);
        harness_set(&h, "crop", crop ? "center-square" : "none");
        if (!crop)
            harness_set(&h, "width", "8");
        assert_columns(run_ok(&h), 0, crop ? 102 : 100);
        harness_close(&h);
    }
}

static void a_list_chooses_pictures_and_labels_them(void **state)
{
    (void)state;
    harness h;
    open_pictures(&h);
    set_list(&h, "file,split,source,age,\"Wearing \"\"Hat\"\"\"\r\n"
                 "deep/c.PNG,train,sharp,,1\r\n"
                 "a.png,train,half,31.5,0\r\n"
                 "b.png,train,soft,20,0\r\n"
                 "\"gone, long ago.png\",test,sharp,20,0\r\n");
    harness_set(&h, "where", "[split=train, source=sharp|half]");
    harness_set(&h, "labels", "[age, 'Wearing \"Hat\"']");
    const lw_dataset *dataset = run_ok(&h);
    assert_int_equal(lw_dataset_count(dataset), 2);
    assert_columns(dataset, 0, 10);
    assert_columns(dataset, 1, 30);
    assert_string_equal(lw_dataset_label_name(dataset, 1), "Wearing \"Hat\"");
    assert_true(lw_dataset_labels(dataset, 0)[0] == 31.5f && lw_dataset_labels(dataset, 0)[1] == 0);
    assert_true(isnan(lw_dataset_labels(dataset, 1)[0]) && lw_dataset_labels(dataset, 1)[1] == 1);
    harness_close(&h);
}

static void a_condition_can_exclude(void **state)
{
    (void)state;
    harness h;
    open_pictures(&h);
    set_list(&h, "file,split\na.png,train\nb.png,test\ndeep/c.PNG,val");
    harness_set(&h, "where", "['split!=test|val']");
    const lw_dataset *dataset = run_ok(&h);
    assert_int_equal(lw_dataset_count(dataset), 1);
    assert_string_equal(lw_dataset_name(dataset, 0), "a.png");
    harness_close(&h);
}

static void a_broken_picture_is_named_or_left_out(void **state)
{
    (void)state;
    harness h;
    open_pictures(&h);
    write_text(&h, "pictures/aa.jpg", "this is not a picture");
    harness_set(&h, "on_error", "skip");
    const lw_dataset *dataset = run_ok(&h);
    assert_int_equal(lw_dataset_count(dataset), 3);
    assert_columns(dataset, 1, 20);
    assert_non_null(strstr(json_string_value(json_array_get(h.step->notes, 0)), "aa.jpg"));
    harness_set(&h, "on_error", "fail");
    expect_error(&h, "aa.jpg", NULL);
    open_on(&h, "pictures.zip");
    write_zip(&h, true);
    expect_error(&h, "b.png", NULL);
}

/* --- what it refuses ----------------------------------------------------------------------------------- */
static void paths_that_hold_no_pictures_are_refused(void **state)
{
    (void)state;
    harness h;
    open_on(&h, "nowhere");
    expect_error(&h, "nowhere", "No such file", NULL);
    open_on(&h, "list.csv");
    write_text(&h, "list.csv", "not an archive");
    expect_error(&h, "list.csv", ".zip", NULL);
    open_on(&h, "");
    write_text(&h, "only.txt", "text");
    expect_error(&h, "holds no .jpg", NULL);
}

static void expect_list_error(const char *csv, const char *key, const char *value, const char *words)
{
    harness h;
    open_pictures(&h);
    if (csv)
        set_list(&h, csv);
    if (key)
        harness_set(&h, key, value);
    expect_error(&h, words, NULL);
}

static void mistakes_in_lists_are_told_with_their_place(void **state)
{
    (void)state;
    const char *good = "file,split,age\na.png,train,31\nb.png,test,old\n";
    expect_list_error(NULL, "where", "[split=train]", "needs a `list`");
    expect_list_error(good, "where", "[splt=train]", "did you mean 'split'");
    expect_list_error(good, "where", "[train]", "column=value");
    expect_list_error(good, "where", "[split=none]", "no row");
    expect_list_error(good, "labels", "[age]", "row 2 of");
    expect_list_error(good, "list_column", "name", "no column 'name'");
    expect_list_error("file\na.png\nz.png\n", NULL, NULL, "row 2 of");
    expect_list_error("file\na.png\nb.png\na.png\n", NULL, NULL, "both name 'a.png'");
    expect_list_error("file,split\na.png\n", NULL, NULL, ":2: 1 cells where the header has 2");
    expect_list_error("file\n\"a.png\n", NULL, NULL, "a quote is not closed");
    expect_list_error("file\n", NULL, NULL, "has no rows");
}

/* --- the real thing ------------------------------------------------------------------------------------ */
static void the_sharp_and_half_faces_are_all_there(void **state)
{
    (void)state;
    struct stat info;
    if (stat(LW_SOURCE_DIR "/../shared/data/celeba64.zip", &info) != 0) {
        print_message("skipped: ../shared/data/celeba64.zip is not here\n");
        skip();
    }
    harness h;
    harness_open(&h, "source/image-folder");
    harness_set(&h, "path", LW_SOURCE_DIR "/../shared/data/celeba64.zip");
    harness_set(&h, "list", LW_SOURCE_DIR "/../shared/data/celeba64.csv");
    harness_set(&h, "where", "[split=val, source=sharp|half]");
    harness_set(&h, "labels", "[Smiling, age]");
    const lw_dataset *dataset = run_ok(&h);
    assert_true(lw_shape_equal(lw_dataset_shape(dataset), LW_SHAPE(1241, 3, 64, 64)));
    assert_int_equal(lw_dataset_label_count(dataset), 2);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_gives_its_pictures_in_the_order_of_their_names),
        cmocka_unit_test(an_archive_is_as_good_as_a_folder),
        cmocka_unit_test(count_takes_the_first),
        cmocka_unit_test(wide_pictures_lose_both_sides_unless_crop_is_none),
        cmocka_unit_test(a_list_chooses_pictures_and_labels_them),
        cmocka_unit_test(a_condition_can_exclude),
        cmocka_unit_test(a_broken_picture_is_named_or_left_out),
        cmocka_unit_test(paths_that_hold_no_pictures_are_refused),
        cmocka_unit_test(mistakes_in_lists_are_told_with_their_place),
        cmocka_unit_test(the_sharp_and_half_faces_are_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
