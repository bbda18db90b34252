/* test_tensors_sink.c — what sink/tensors writes can be read again, bit for bit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"

#include <string.h>

static lw_tensor *counted(lw_shape shape, float first)
{
    lw_tensor *tensor = lw_tensor_create(shape);
    for (int64_t i = 0; i < lw_shape_count(shape); i++)
        tensor->data[i] = first + (float)i / 3;
    return tensor;
}

static void assert_same(const lw_tensor *a, const lw_tensor *b)
{
    assert_non_null(a);
    assert_true(lw_shape_equal(a->shape, b->shape));
    assert_memory_equal(a->data, b->data, (size_t)lw_shape_count(a->shape) * sizeof(float));
}

static void all_inputs_come_back_from_one_safetensors_and_their_npy(void **state)
{
    (void)state;
    harness h;
    lw_tensor *z = counted(LW_SHAPE(4, 100), -5), *images = counted(LW_SHAPE(2, 3, 3, 4, 4), 0);
    harness_open(&h, "sink/tensors");
    harness_set(&h, "format", "both");
    harness_input(&h, "tensors", "start.z", "z", z);
    harness_input(&h, "tensors", "walk.images", "image", images);
    assert_int_equal(harness_run(&h), LW_OK);

    char *path = harness_path(&h, "tensors.safetensors");
    lw_store *store = lw_store_load(path);
    assert_non_null(store);
    assert_int_equal(lw_store_count(store), 2);
    assert_same(lw_store_get(store, "start.z"), z);
    assert_same(lw_store_get(store, "walk.images"), images);
    assert_string_equal(lw_store_metadata(store, "space.start.z"), "z");
    lw_store_destroy(store);
    lw_free(path);

    path = harness_path(&h, "walk.images.npy");
    lw_tensor *again = lw_npy_load(path);
    assert_same(again, images);
    lw_tensor_destroy(again);
    lw_free(path);
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(images);
}

static void only_the_format_asked_for_is_written(void **state)
{
    (void)state;
    harness h;
    lw_tensor *z = counted(LW_SHAPE(2, 3), 0);
    harness_open(&h, "sink/tensors");
    harness_set(&h, "format", "npy");
    harness_input(&h, "tensors", "start.z", "z", z);
    assert_int_equal(harness_run(&h), LW_OK);
    char *path = harness_path(&h, "tensors.safetensors");
    assert_null(lw_store_load(path));
    assert_int_equal(json_array_size(h.step->files), 1);
    assert_string_equal(json_string_value(json_array_get(h.step->files, 0)), "steps/test/start.z.npy");
    lw_free(path);
    harness_close(&h);
    lw_tensor_destroy(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_inputs_come_back_from_one_safetensors_and_their_npy),
        cmocka_unit_test(only_the_format_asked_for_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
