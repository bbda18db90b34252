/* test_random_mask.c — masks enlarged by hand, and what they hide. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"

#include "../mask.c"

/* torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [2., 3.]]]]), 4, mode="bilinear") */
static void cells_are_enlarged_as_torch_does(void **state)
{
    (void)state;
    const float cells[] = {0, 1, 2, 3};
    const float expected[] = {0,    0.25f, 0.75f, 1,    0.5f, 0.75f, 1.25f, 1.5f,
                              1.5f, 1.75f, 2.25f, 2.5f, 2,    2.25f, 2.75f, 3};
    float mask[16];
    mask_enlarge(cells, 2, 4, 4, mask);
    for (int i = 0; i < 16; i++)
        assert_float_equal(mask[i], expected[i], 1e-6);
    mask_enlarge(cells, 2, 1, 1, mask); /* one pixel lies between all four */
    assert_float_equal(mask[0], 1.5, 1e-6);
}

static void mask(harness *h, const lw_tensor *images, const char *share, const char *fill)
{
    harness_open(h, "method/random-mask");
    harness_set(h, "share", share);
    harness_set(h, "fill", fill);
    harness_input(h, "images", "start.images", "image", images);
    assert_int_equal(harness_run(h), LW_OK);
}

/* All open: the images; all shut: the fill; between: each image through a mask of its own, the same in all
 * channels. */
static void what_is_hidden_is_filled(void **state)
{
    (void)state;
    harness h;
    lw_tensor *images = lw_tensor_create(LW_SHAPE(4, 3, 12, 12));
    const size_t count = 4 * 3 * 144;
    lw_normal((lw_stream){.seed = 1}, 0, count, images->data);
    mask(&h, images, "1", "0");
    assert_memory_equal(harness_output(&h, "images")->data, images->data, count * sizeof(float));
    harness_close(&h);
    mask(&h, images, "0", "-1");
    for (size_t i = 0; i < count; i++)
        assert_float_equal(harness_output(&h, "images")->data[i], -1, 0);
    harness_close(&h);
    for (size_t i = 0; i < count; i++)
        images->data[i] = 1;
    mask(&h, images, "0.5", "0");
    const float *seen = harness_output(&h, "images")->data;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(seen[i] >= 0 && seen[i] <= 1 && seen[i] == seen[i / 432 * 432 + i % 144]);
        sum += (double)seen[i];
    }
    assert_true(sum > 0.3 * (double)count && sum < 0.7 * (double)count);
    assert_memory_not_equal(seen, seen + 432, 432 * sizeof(float));
    harness_close(&h);
    lw_tensor_destroy(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_enlarged_as_torch_does),
        cmocka_unit_test(what_is_hidden_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
