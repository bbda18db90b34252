/* store.c — see store.h. */
#include "store.h"

lw_store *example_store(void)
{
    lw_store *store = lw_store_create();
    lw_store_set(store, "b.weight", LW_SHAPE(2, 3), (float[]){1, -2, 0.5f, 4, 0.1f, 6});
    lw_store_set(store, "a.bias", LW_SHAPE(3), (float[]){7, 8, 9});
    lw_store_set(store, "step", LW_SCALAR, (float[]){42});
    lw_store_set_metadata(store, "licence", "research only \xc3\xa9 \"quoted\"");
    return store;
}
