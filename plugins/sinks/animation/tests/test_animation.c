/* test_animation.c — the frames of sink/animation, as the WebP container counts them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "latentwalk/image.h"

#include <string.h>

/* A walk whose images change from frame to frame, so that no encoder merges them. */
static lw_tensor *changing(int64_t count, int64_t points)
{
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(count, points, 3, 8, 8));
    for (int64_t i = 0; i < lw_shape_count(walks->shape); i++)
        walks->data[i] = (float)((i * 37 + i / 192 * 91) % 256) * 2.0f / 255.0f - 1.0f;
    return walks;
}

/* Counts the chunks called `name` of a RIFF file; width and height of the canvas come from VP8X. */
static int chunks(const uint8_t *data, size_t size, const char *name, int *width, int *height)
{
    int count = 0;
    for (size_t at = 12; at + 8 <= size;) {
        uint32_t length =
            data[at + 4] | data[at + 5] << 8 | data[at + 6] << 16 | (uint32_t)data[at + 7] << 24;
        if (memcmp(data + at, "VP8X", 4) == 0) {
            *width = 1 + (data[at + 12] | data[at + 13] << 8);
            *height = 1 + (data[at + 15] | data[at + 16] << 8);
        }
        count += memcmp(data + at, name, 4) == 0;
        at += 8 + length + (length & 1);
    }
    return count;
}

static int frames_of(lw_tensor *walks, const char *first, const char *bounce, int *width, int *height)
{
    harness h;
    harness_open(&h, "sink/animation");
    harness_set(&h, "first", first);
    harness_set(&h, "bounce", bounce);
    harness_set(&h, "gap", "0");
    harness_input(&h, "walks", "walk.images", "image", walks);
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *path = harness_path(&h, "walks.webp");
    uint8_t *data;
    size_t size;
    assert_int_equal(lw_file_read(path, 0, &data, &size), LW_OK);
    int count = chunks(data, size, "ANMF", width, height);
    lw_free(data);
    lw_free(path);
    harness_close(&h);
    lw_tensor_destroy(walks);
    return count;
}

static void walks_move_side_by_side_one_frame_per_point(void **state)
{
    (void)state;
    int width = 0, height = 0;
    assert_int_equal(frames_of(changing(5, 4), "0", "false", &width, &height), 4);
    assert_int_equal(width, 3 * 8);
    assert_int_equal(height, 2 * 8);
}

static void first_leaves_the_other_walks_out(void **state)
{
    (void)state;
    int width = 0, height = 0;
    assert_int_equal(frames_of(changing(5, 4), "2", "false", &width, &height), 4);
    assert_int_equal(width, 2 * 8);
    assert_int_equal(height, 8);
}

static void bouncing_shows_the_inner_points_again(void **state)
{
    (void)state;
    int width = 0, height = 0;
    assert_int_equal(frames_of(changing(1, 5), "0", "true", &width, &height), 8);
    assert_int_equal(frames_of(changing(1, 2), "0", "true", &width, &height), 2);
}

static void frames_too_large_for_webp_are_refused_with_the_numbers(void **state)
{
    (void)state;
    harness h;
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(100, 2, 3, 2, 200));
    harness_open(&h, "sink/animation");
    harness_set(&h, "columns", "100");
    harness_input(&h, "walks", "walk.images", "image", walks);
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "16383"));
    harness_close(&h);
    lw_tensor_destroy(walks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_move_side_by_side_one_frame_per_point),
        cmocka_unit_test(first_leaves_the_other_walks_out),
        cmocka_unit_test(bouncing_shows_the_inner_points_again),
        cmocka_unit_test(frames_too_large_for_webp_are_refused_with_the_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
