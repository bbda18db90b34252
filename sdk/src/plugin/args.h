/* args.h — the values of a plugin's parameters: from text, checked, and back. Internal. */
#ifndef LWI_ARGS_H
#define LWI_ARGS_H

#include "latentwalk/plugin.h"

/* One item of a LOSSES parameter. */
typedef struct lwi_loss_item {
    char *id; /* for curves and messages: "adversarial" */
    const lw_plugin *plugin;
    double weight;
    lw_args *args;
} lwi_loss_item;

/* Every parameter at its default; those without one have no value yet. NULL with an error. */
lw_args *lwi_args_create(const lw_plugin *plugin);
lw_args *lwi_args_copy(const lw_args *args);
void lwi_args_destroy(lw_args *args);
const lw_plugin *lwi_args_plugin(const lw_args *args);

/* Sets from YAML's notation; lists as flow sequences: "[64, 64]". The error names the parameter, the text
 * and what would be accepted; an unknown key gets a did-you-mean. "" makes a parameter whose default is ""
 * absent again. */
lw_status lwi_args_set_text(lw_args *args, const char *key, const char *text, bool by_user);
lw_status lwi_args_set_list(lw_args *args, const char *key, const char *const *items, int count,
                            bool by_user);
/* Appends to a LOSSES parameter; takes ownership of `child` (also on failure), copies id. */
lw_status lwi_args_add_loss(lw_args *args, const char *key, const char *id, const lw_plugin *plugin,
                            double weight, lw_args *child);
int lwi_args_loss_count(const lw_args *args, const char *key);
const lwi_loss_item *lwi_args_loss(const lw_args *args, const char *key, int index); /* NULL with an error */

/* All parameters that must be given are; the error lists all that are missing. */
lw_status lwi_args_complete(const lw_args *args);

/* The value as text that lwi_args_set_text reads back to the same value; lists are flow sequences; "" when
 * absent. Released with lw_free. Not for LOSSES. */
char *lwi_args_text(const lw_args *args, const char *key);

/* Checks a text against a parameter without keeping it (defaults, the host's early checks). */
lw_status lwi_param_check(const lw_param *param, const char *text);
/* "an integer from 1 to 8", "one of relu, tanh": what a parameter accepts. Released with lw_free. */
char *lwi_param_accepts(const lw_param *param);
/* Is it one of INTS, FLOATS, STRINGS? */
bool lwi_param_is_list(const lw_param *param);
#endif
