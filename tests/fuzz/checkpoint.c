/* checkpoint.c — see fuzz.h. */
#include "fuzz.h"

#include <stdlib.h>

#include "checkpoint/checkpoint.h"

static void read_store(lwi_checkpoint *file, const char *network)
{
    lw_store *store = lwi_checkpoint_store(file, network);
    for (size_t i = 0; store && i < lw_store_count(store); i++)
        if (!lw_store_get(store, lw_store_name(store, i)))
            abort(); /* what opens gives its tensors or an error */
    lw_store_destroy(store);
}

void fuzz_checkpoint(const uint8_t *data, size_t size)
{
    lwi_checkpoint *file = lwi_checkpoint_parse(data, size, "input");
    if (!file)
        return;
    read_store(file, NULL);
    for (size_t i = 0; i < lwi_checkpoint_network_count(file) && i < 4; i++)
        read_store(file, lwi_checkpoint_network(file, i)->name);
    free(json_dumps(lwi_checkpoint_others(file), 0));
    lwi_checkpoint_close(file);
}
