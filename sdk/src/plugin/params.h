/* params.h — one parameter's parsed value; between params.c and args.c. Internal. */
#ifndef LWI_PARAMS_H
#define LWI_PARAMS_H

#include "plugin/args.h"
#include "plugin/registry.h"

/* A value is one item, or for lists any number. INT and BOOL use `integer`, FLOAT `number`, others `text`. */
typedef struct lwi_item {
    int64_t integer;
    double number;
    char *text; /* owned */
} lwi_item;

/* Both give a new array (NULL for LOSSES, which only know "[]"). */
lw_status lwi_param_parse(const lw_param *param, const char *text, lwi_item **items, int *count);
lw_status lwi_param_parse_list(const lw_param *param, const char *const *texts, int count, lwi_item **items);
void lwi_items_free(lwi_item *items, int count);
/* What lwi_param_parse reads back to the same value. */
char *lwi_items_text(const lw_param *param, const lwi_item *items, int count);
#endif
