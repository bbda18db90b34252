/* store.c — see store.h. */
#include "store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

lw_store *example_store(void)
{
    lw_store *store = lw_store_create();
    lw_store_set(store, "b.weight", LW_SHAPE(2, 3), (float[]){1, -2, 0.5f, 4, 0.1f, 6});
    lw_store_set(store, "a.bias", LW_SHAPE(3), (float[]){7, 8, 9});
    lw_store_set(store, "step", LW_SCALAR, (float[]){42});
    lw_store_set_metadata(store, "licence", "research only \xc3\xa9 \"quoted\"");
    return store;
}

void store_holds(lw_store *store, const char *name, lw_shape shape, const float *wanted)
{
    const lw_tensor *tensor = lw_store_get(store, name);
    if (!tensor)
        fail_msg("%s", lw_error_text());
    assert_true(lw_shape_equal(tensor->shape, shape));
    for (int64_t i = 0; i < lw_shape_count(shape); i++)
        assert_float_equal(tensor->data[i], wanted[i], 0);
}
