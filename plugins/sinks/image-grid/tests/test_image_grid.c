/* test_image_grid.c — what sink/image-grid writes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "latentwalk/image.h"

#include <math.h>
#include <string.h>

/* Images of one colour each: image i has the byte 10 * i in every pixel. */
static lw_tensor *flat_images(lw_shape shape)
{
    lw_tensor *images = lw_tensor_create(shape);
    int64_t size = 1;
    for (int i = shape.rank - 3; i < shape.rank; i++)
        size *= shape.dim[i];
    for (int64_t i = 0; i < lw_shape_count(shape); i++)
        images->data[i] = (float)(10 * (i / size)) * 2.0f / 255.0f - 1.0f;
    return images;
}

/* Runs the sink with its defaults, except two, and reads back what it wrote. */
static lw_tensor *grid_of(lw_tensor *images, const char *key, const char *value)
{
    harness h;
    harness_open(&h, "sink/image-grid");
    harness_set(&h, "gap", "0");
    if (key)
        harness_set(&h, key, value);
    harness_input(&h, "images", "walk.images", "image", images);
    lw_status status = harness_run(&h);
    if (status != LW_OK)
        fail_msg("%s", lw_error_text());
    char *path = harness_path(&h, key && strcmp(key, "file") == 0 ? value : "grid.png");
    lw_tensor *grid = lw_image_load(path);
    assert_non_null(grid);
    lw_free(path);
    harness_close(&h);
    lw_tensor_destroy(images);
    return grid;
}

static int byte_at(const lw_tensor *image, int64_t y, int64_t x)
{
    return (int)lrintf((image->data[y * image->shape.dim[2] + x] + 1) * 127.5f);
}

static void five_images_make_rows_of_three(void **state)
{
    (void)state;
    lw_tensor *grid = grid_of(flat_images(LW_SHAPE(5, 3, 4, 6)), NULL, NULL);
    assert_true(lw_shape_equal(grid->shape, LW_SHAPE(3, 8, 18)));
    assert_int_equal(byte_at(grid, 0, 12), 20);
    assert_int_equal(byte_at(grid, 4, 0), 30);
    lw_tensor_destroy(grid);
}

static void each_walk_gets_a_row(void **state)
{
    (void)state;
    lw_tensor *grid = grid_of(flat_images(LW_SHAPE(2, 7, 3, 4, 4)), NULL, NULL);
    assert_true(lw_shape_equal(grid->shape, LW_SHAPE(3, 8, 28)));
    assert_int_equal(byte_at(grid, 4, 0), 70);
    lw_tensor_destroy(grid);
}

static void first_takes_whole_walks(void **state)
{
    (void)state;
    lw_tensor *grid = grid_of(flat_images(LW_SHAPE(3, 5, 3, 4, 4)), "first", "2");
    assert_true(lw_shape_equal(grid->shape, LW_SHAPE(3, 8, 20)));
    assert_int_equal(byte_at(grid, 4, 0), 50);
    lw_tensor_destroy(grid);
}

static void a_scale_makes_every_pixel_a_square(void **state)
{
    (void)state;
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 2, 2));
    for (int i = 0; i < 12; i++)
        image->data[i] = (float)(i % 4) * 40 * 2.0f / 255.0f - 1.0f;
    lw_tensor *grid = grid_of(image, "scale", "3");
    assert_true(lw_shape_equal(grid->shape, LW_SHAPE(3, 6, 6)));
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 6; x++)
            assert_int_equal(byte_at(grid, y, x), 40 * (2 * (y / 3) + x / 3));
    lw_tensor_destroy(grid);
}

static void grey_images_are_spread_to_rgb(void **state)
{
    (void)state;
    lw_tensor *grid = grid_of(flat_images(LW_SHAPE(2, 1, 4, 4)), "columns", "1");
    assert_true(lw_shape_equal(grid->shape, LW_SHAPE(3, 8, 4)));
    assert_int_equal(byte_at(grid, 7, 3), 10);
    assert_true(grid->data[31] == grid->data[63] && grid->data[31] == grid->data[95]);
    lw_tensor_destroy(grid);
}

static void the_file_may_lie_in_a_folder(void **state)
{
    (void)state;
    lw_tensor *grid = grid_of(flat_images(LW_SHAPE(2, 3, 4, 4)), "file", "faces/both.png");
    assert_int_equal(byte_at(grid, 0, 4), 10);
    lw_tensor_destroy(grid);
}

static void expect_error(lw_tensor *images, const char *key, const char *value, const char *words)
{
    harness h;
    harness_open(&h, "sink/image-grid");
    if (key)
        harness_set(&h, key, value);
    harness_input(&h, "images", "walk.images", "image", images);
    assert_int_not_equal(harness_run(&h), LW_OK);
    if (!strstr(lw_error_text(), words))
        fail_msg("'%s' does not say '%s'", lw_error_text(), words);
    harness_close(&h);
    lw_tensor_destroy(images);
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    expect_error(flat_images(LW_SHAPE(2, 5, 4, 4)), NULL, NULL, "5 channels");
    expect_error(flat_images(LW_SHAPE(2, 3, 2000, 2)), "scale", "32", "change `columns` or `scale`");
    expect_error(flat_images(LW_SHAPE(2, 3, 4, 4)), "file", "../b.png", "leaves the run folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_images_make_rows_of_three),
        cmocka_unit_test(each_walk_gets_a_row),
        cmocka_unit_test(first_takes_whole_walks),
        cmocka_unit_test(a_scale_makes_every_pixel_a_square),
        cmocka_unit_test(grey_images_are_spread_to_rgb),
        cmocka_unit_test(the_file_may_lie_in_a_folder),
        cmocka_unit_test(what_is_no_picture_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
