/* test_shift.c — z + amount * direction, and what does not go together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../latent-recovery/tests/diamond.h"

#include <string.h>

static void latents_are_moved_along_the_direction_asked_for(void **state)
{
    (void)state;
    lw_model *model = tiny_dcgan();
    lw_tensor *z = normal_rows(3, 6, 1), *directions = normal_rows(2, 6, 2);
    harness h;
    open_method(&h, "method/shift", model, NULL);
    harness_set(&h, "amount", "-2.5");
    harness_set(&h, "index", "1");
    harness_input(&h, "latents", "start.z", "z", z);
    harness_input(&h, "directions", "find.directions", "direction", directions);
    test_must(harness_run(&h));
    for (int i = 0; i < 18; i++)
        assert_float_equal(harness_output(&h, "latents")->data[i],
                           z->data[i] - 2.5f * directions->data[6 + i % 6], 1e-6);
    harness_set(&h, "index", "2");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "direction 2 was asked for, but there are 2"));
    lw_tensor *wide = normal_rows(2, 12, 2);
    h.inputs[1].tensor = wide;
    harness_set(&h, "index", "0");
    assert_int_equal(harness_run(&h), LW_SHAPE);
    assert_non_null(strstr(lw_error_text(), "12 elements, the latents (z) 6"));
    harness_close(&h);
    lw_tensor_destroy(z);
    lw_tensor_destroy(directions);
    lw_tensor_destroy(wide);
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(latents_are_moved_along_the_direction_asked_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
