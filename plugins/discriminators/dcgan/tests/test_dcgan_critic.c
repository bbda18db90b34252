/* test_dcgan_critic.c — discriminator/dcgan with batch norm and without: what its weights tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"

static void whether_there_is_batch_norm_is_found_in_the_weights(void **state)
{
    (void)state;
    static const char *const norms[] = {"batch", "none"};
    for (size_t i = 0; i < LW_COUNT(norms); i++) {
        char *norm = lw_format("norm=%s", norms[i]);
        lw_model *made = test_model("made", LW_PART_DISCRIMINATOR, "discriminator/dcgan",
                                    (const char *[]){"width=4", "depth=2", norm, NULL});
        lw_model *found = lwi_model_create("found");
        lw_store *weights = lw_model_store(made, LW_PART_DISCRIMINATOR);
        test_must(lwi_model_set_part(found, LW_PART_DISCRIMINATOR, test_plugin("discriminator/dcgan"),
                                     test_args("discriminator/dcgan", NULL), weights, NULL, 0));
        const lw_args *args = lwi_model_args(found, LW_PART_DISCRIMINATOR);
        assert_string_equal(lw_text(args, "norm"), norms[i]);
        assert_int_equal(lw_int(args, "depth"), 2);
        assert_int_equal(lw_int(args, "width"), 4);
        assert_true(lw_store_has(weights, "main.batchNorm0.weight") == (i == 0));
        lwi_model_destroy(found);
        lwi_model_destroy(made);
        lw_free(norm);
    }
}

static void other_layouts_have_batch_norm(void **state)
{
    (void)state;
    lw_model *model = lwi_model_create("m");
    lw_args *args = test_args("discriminator/dcgan", (const char *[]){"layout=lategan", "norm=none", NULL});
    assert_int_equal(lwi_model_set_part(model, LW_PART_DISCRIMINATOR, test_plugin("discriminator/dcgan"),
                                        args, NULL, NULL, 0),
                     LW_UNSUPPORTED);
    assert_non_null(strstr(lw_error_text(), "norm: `none` is for layout zoo, not lategan"));
    lwi_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whether_there_is_batch_norm_is_found_in_the_weights),
        cmocka_unit_test(other_layouts_have_batch_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
