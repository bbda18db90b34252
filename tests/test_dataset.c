/* test_dataset.c — datasets keep pictures exactly, and loaders give batches that depend on the step alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 4, PIXELS = 3 * 2 * WIDTH };

/* Picture i is filled with the byte i, except its left column, which holds 200 + i. */
static lw_dataset *numbered(size_t count)
{
    lw_dataset *dataset = lw_dataset_create(count, 3, 2, WIDTH);
    assert_non_null(dataset);
    lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 2, WIDTH));
    assert_non_null(image);
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < PIXELS; p++)
            image->data[p] = (float)(p % WIDTH == 0 ? 200 + i : i) * 2.0f / 255.0f - 1.0f;
        char name[32];
        snprintf(name, sizeof name, "%zu.png", i);
        assert_int_equal(lw_dataset_set(dataset, i, name, image), LW_OK);
    }
    lw_tensor_destroy(image);
    return dataset;
}

static int byte_of(float x)
{
    return (int)lrintf((x + 1.0f) * 127.5f);
}

static void every_8_bit_value_survives_exactly(void **state)
{
    (void)state;
    lw_dataset *dataset = lw_dataset_create(1, 1, 16, 16);
    lw_tensor *image = lw_tensor_create(LW_SHAPE(1, 16, 16));
    float out[256];
    uint32_t first = 0;
    for (int i = 0; i < 256; i++)
        image->data[i] = (float)i * 2.0f / 255.0f - 1.0f;
    assert_int_equal(lw_dataset_set(dataset, 0, NULL, image), LW_OK);
    assert_int_equal(lw_dataset_batch(dataset, &first, NULL, 1, out), LW_OK);
    assert_memory_equal(out, image->data, sizeof out);
    assert_string_equal(lw_dataset_name(dataset, 0), "");
    lw_tensor_destroy(image);
    lw_dataset_destroy(dataset);
}

static void a_batch_takes_the_pictures_asked_for_and_mirrors_them(void **state)
{
    (void)state;
    lw_dataset *dataset = numbered(5);
    float out[2 * PIXELS];
    assert_int_equal(lw_dataset_batch(dataset, (uint32_t[]){4, 1}, (uint8_t[]){0, 1}, 2, out), LW_OK);
    assert_int_equal(byte_of(out[0]), 204);
    assert_int_equal(byte_of(out[WIDTH - 1]), 4);
    assert_int_equal(byte_of(out[PIXELS]), 1);
    assert_int_equal(byte_of(out[PIXELS + WIDTH - 1]), 201);
    lw_dataset_destroy(dataset);
}

static void impossible_pictures_are_refused_with_both_shapes(void **state)
{
    (void)state;
    lw_dataset *dataset = numbered(2);
    lw_tensor *wide = lw_tensor_create(LW_SHAPE(3, 2, WIDTH + 1));
    float out[PIXELS];
    assert_int_equal(lw_dataset_set(dataset, 0, "x", wide), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "[3, 2, 5]"));
    assert_non_null(strstr(lw_error_text(), "[3, 2, 4]"));
    assert_int_equal(lw_dataset_batch(dataset, (uint32_t[]){2}, NULL, 1, out), LW_INVALID);
    assert_null(lw_dataset_create(0, 3, 8, 8));
    assert_null(lw_dataset_create(1, 3, 0, 8));
    lw_tensor_destroy(wide);
    lw_dataset_destroy(dataset);
}

static void dropping_keeps_pictures_names_and_labels_together(void **state)
{
    (void)state;
    lw_dataset *dataset = numbered(4);
    float values[8] = {0, 10, 1, 11, 2, NAN, 3, 13}, out[PIXELS];
    assert_null(lw_dataset_labels(dataset, 0));
    assert_int_equal(lw_dataset_set_labels(dataset, (const char *[]){"Smiling", "age"}, 2, values), LW_OK);
    lw_dataset_drop(dataset, (uint8_t[]){1, 0, 1, 0});
    assert_int_equal(lw_dataset_count(dataset), 2);
    assert_string_equal(lw_dataset_name(dataset, 1), "3.png");
    assert_string_equal(lw_dataset_label_name(dataset, 1), "age");
    assert_true(lw_dataset_labels(dataset, 0)[1] == 11 && lw_dataset_labels(dataset, 1)[1] == 13);
    assert_int_equal(lw_dataset_batch(dataset, (uint32_t[]){1}, NULL, 1, out), LW_OK);
    assert_int_equal(byte_of(out[1]), 3);
    lw_dataset_destroy(dataset);
}

static void an_epoch_shows_every_picture_once_in_a_new_order(void **state)
{
    (void)state;
    enum { COUNT = 10, BATCH = 4, STEPS = 5 }; /* 20 pictures: two epochs, the third batch spans both */
    lw_dataset *dataset = numbered(COUNT);
    lw_loader *loader = lw_loader_create(dataset, BATCH, 7, false);
    assert_non_null(loader);
    int seen[2][COUNT] = {{0}}, order[2 * COUNT];
    for (int step = 0; step < STEPS; step++) {
        float out[BATCH * PIXELS];
        assert_int_equal(lw_loader_batch(loader, (uint64_t)step, out, NULL), LW_OK);
        for (int i = 0; i < BATCH; i++) {
            int position = step * BATCH + i, picture = byte_of(out[i * PIXELS + 1]);
            seen[position / COUNT][order[position] = picture]++;
        }
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(seen[0][i], 1);
        assert_int_equal(seen[1][i], 1);
    }
    assert_memory_not_equal(order, order + COUNT, COUNT * sizeof *order);
    lw_loader_destroy(loader);
    lw_dataset_destroy(dataset);
}

static void the_batch_of_a_step_does_not_depend_on_what_was_asked_before(void **state)
{
    (void)state;
    enum { BATCH = 3, STEPS = 12 };
    lw_dataset *dataset = numbered(7);
    float all[STEPS][BATCH * PIXELS], again[BATCH * PIXELS];
    lw_loader *straight = lw_loader_create(dataset, BATCH, 42, true);
    for (uint64_t step = 0; step < STEPS; step++)
        assert_int_equal(lw_loader_batch(straight, step, all[step], NULL), LW_OK);
    lw_loader *resumed = lw_loader_create(dataset, BATCH, 42, true);
    const uint64_t steps[] = {8, 9, 9, 2, 11, 0, 1, 1, 2, 10};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(lw_loader_batch(resumed, steps[i], again, NULL), LW_OK);
        assert_memory_equal(again, all[steps[i]], sizeof again);
    }
    lw_loader *other = lw_loader_create(dataset, BATCH, 43, true);
    bool differs = false;
    for (uint64_t step = 0; step < STEPS; step++) {
        assert_int_equal(lw_loader_batch(other, step, again, NULL), LW_OK);
        differs |= memcmp(again, all[step], sizeof again) != 0;
    }
    assert_true(differs);
    lw_loader_destroy(other);
    lw_loader_destroy(straight);
    lw_loader_destroy(resumed);
    lw_dataset_destroy(dataset);
}

static void about_half_of_the_pictures_are_mirrored_when_asked(void **state)
{
    (void)state;
    enum { BATCH = 100, STEPS = 20 };
    lw_dataset *dataset = numbered(10);
    for (int flip = 0; flip < 2; flip++) {
        lw_loader *loader = lw_loader_create(dataset, BATCH, 1, flip);
        static float out[BATCH * PIXELS];
        int mirrored = 0;
        for (uint64_t step = 0; step < STEPS; step++) {
            assert_int_equal(lw_loader_batch(loader, step, out, NULL), LW_OK);
            for (int i = 0; i < BATCH; i++)
                mirrored += byte_of(out[i * PIXELS]) < 200;
        }
        assert_in_range(mirrored, flip ? 900 : 0, flip ? 1100 : 0); /* 2000 draws: deviation 22 */
        lw_loader_destroy(loader);
    }
    lw_dataset_destroy(dataset);
}

static void labels_travel_with_their_pictures(void **state)
{
    (void)state;
    enum { COUNT = 6, BATCH = 4 };
    lw_dataset *dataset = numbered(COUNT);
    float values[COUNT * 2], out[BATCH * PIXELS], labels[BATCH * 2];
    for (int i = 0; i < COUNT * 2; i++)
        values[i] = i % 2 ? NAN : (float)i / 2;
    assert_int_equal(lw_dataset_set_labels(dataset, (const char *[]){"number", "unknown"}, 2, values), LW_OK);
    lw_loader *loader = lw_loader_create(dataset, BATCH, 5, false);
    for (uint64_t step = 0; step < 4; step++) {
        assert_int_equal(lw_loader_batch(loader, step, out, labels), LW_OK);
        for (int i = 0; i < BATCH; i++) {
            assert_int_equal((int)labels[2 * i], byte_of(out[i * PIXELS + 1]));
            assert_true(isnan(labels[2 * i + 1]));
        }
    }
    lw_loader_destroy(loader);
    lw_dataset_destroy(dataset);
}

/* The label `side` tells where a picture's bright column is: -1 left, and 1 once it is mirrored. */
static void odd_labels_change_their_sign_where_a_picture_is_mirrored(void **state)
{
    (void)state;
    enum { BATCH = 8 };
    lw_dataset *dataset = numbered(3);
    const float values[6] = {-1, 5, -1, 5, -1, NAN};
    float out[BATCH * PIXELS], labels[BATCH * 2];
    int mirrored = 0;
    assert_int_equal(lw_dataset_set_labels(dataset, (const char *[]){"side", "other"}, 2, values), LW_OK);
    lw_loader *loader = lw_loader_create_with(dataset, BATCH, 5,
                                              &(lw_loader_options){.size = sizeof(lw_loader_options),
                                                                   .flip = true,
                                                                   .odd = (const uint8_t[]){1, 0}});
    for (uint64_t step = 0; step < 8; step++) {
        assert_int_equal(lw_loader_batch(loader, step, out, labels), LW_OK);
        for (int i = 0; i < BATCH; i++) {
            bool right = byte_of(out[i * PIXELS + WIDTH - 1]) >= 200;
            mirrored += right;
            assert_true(labels[2 * i] == (right ? 1 : -1));
            assert_true(labels[2 * i + 1] == 5 || isnan(labels[2 * i + 1]));
        }
    }
    assert_in_range(mirrored, 10, 54); /* of 64 */
    lw_loader_destroy(loader);
    lw_dataset_destroy(dataset);
}

/* A single picture whose pixels count: every batch shows it moved, with its border repeated. */
static void pictures_are_shifted_both_ways_and_their_border_is_repeated(void **state)
{
    (void)state;
    enum { SIDE = 5, BATCH = 64, SHIFT = 2 };
    lw_dataset *dataset = lw_dataset_create(1, 1, SIDE, SIDE);
    lw_tensor *image = lw_tensor_create(LW_SHAPE(1, SIDE, SIDE));
    static float out[BATCH * SIDE * SIDE];
    int seen[2 * SHIFT + 1][2 * SHIFT + 1] = {{0}};
    for (int i = 0; i < SIDE * SIDE; i++)
        image->data[i] = (float)i * 2.0f / 255.0f - 1.0f;
    assert_int_equal(lw_dataset_set(dataset, 0, NULL, image), LW_OK);
    lw_loader *loader = lw_loader_create_with(
        dataset, BATCH, 5, &(lw_loader_options){.size = sizeof(lw_loader_options), .shift = SHIFT});
    assert_int_equal(lw_loader_batch(loader, 0, out, NULL), LW_OK);
    for (int i = 0; i < BATCH; i++) {
        const float *shown = out + i * SIDE * SIDE;
        int dx = 2 - byte_of(shown[2 * SIDE + 2]) % SIDE, dy = 2 - byte_of(shown[2 * SIDE + 2]) / SIDE;
        assert_true(dx >= -SHIFT && dx <= SHIFT && dy >= -SHIFT && dy <= SHIFT);
        seen[dy + SHIFT][dx + SHIFT]++;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int from_y = y - dy < 0 ? 0 : y - dy >= SIDE ? SIDE - 1 : y - dy;
                int from_x = x - dx < 0 ? 0 : x - dx >= SIDE ? SIDE - 1 : x - dx;
                assert_int_equal(byte_of(shown[y * SIDE + x]), from_y * SIDE + from_x);
            }
    }
    int different = 0;
    for (int i = 0; i < (2 * SHIFT + 1) * (2 * SHIFT + 1); i++)
        different += seen[i / 5][i % 5] > 0;
    assert_true(different > 15); /* of 25, in 64 draws: 23 expected */
    lw_loader_destroy(loader);
    assert_null(lw_loader_create_with(dataset, 1, 5,
                                      &(lw_loader_options){.size = sizeof(lw_loader_options), .shift = -1}));
    lw_tensor_destroy(image);
    lw_dataset_destroy(dataset);
}

static void a_range_fills_the_last_batch_with_the_last_picture(void **state)
{
    (void)state;
    lw_dataset *dataset = numbered(5);
    float out[3 * PIXELS];
    assert_int_equal(lw_dataset_range(dataset, 0, 3, out), 3);
    assert_int_equal(byte_of(out[2 * PIXELS + 1]), 2);
    assert_int_equal(lw_dataset_range(dataset, 3, 3, out), 2);
    assert_int_equal(byte_of(out[1]), 3);
    assert_int_equal(byte_of(out[2 * PIXELS + 1]), 4);
    assert_int_equal(lw_dataset_range(dataset, 5, 3, out), 0);
    lw_dataset_destroy(dataset);
}

static void running_out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    bool done = false;
    for (int64_t n = 0; !done; n++) {
        assert_true(n < 100);
        lw_alloc_fail_after(n);
        lw_dataset *dataset = lw_dataset_create(3, 3, 2, WIDTH);
        float values[3] = {0};
        bool labelled = dataset && lw_dataset_set_labels(dataset, (const char *[]){"a"}, 1, values) == LW_OK;
        lw_loader *loader = labelled ? lw_loader_create(dataset, 2, 0, false) : NULL;
        lw_alloc_fail_after(-1);
        done = loader;
        if (!done)
            assert_int_equal(lw_error_status(), LW_MEMORY);
        lw_loader_destroy(loader);
        lw_dataset_destroy(dataset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_8_bit_value_survives_exactly),
        cmocka_unit_test(a_batch_takes_the_pictures_asked_for_and_mirrors_them),
        cmocka_unit_test(impossible_pictures_are_refused_with_both_shapes),
        cmocka_unit_test(dropping_keeps_pictures_names_and_labels_together),
        cmocka_unit_test(an_epoch_shows_every_picture_once_in_a_new_order),
        cmocka_unit_test(the_batch_of_a_step_does_not_depend_on_what_was_asked_before),
        cmocka_unit_test(about_half_of_the_pictures_are_mirrored_when_asked),
        cmocka_unit_test(labels_travel_with_their_pictures),
        cmocka_unit_test(odd_labels_change_their_sign_where_a_picture_is_mirrored),
        cmocka_unit_test(pictures_are_shifted_both_ways_and_their_border_is_repeated),
        cmocka_unit_test(a_range_fills_the_last_batch_with_the_last_picture),
        cmocka_unit_test(running_out_of_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
