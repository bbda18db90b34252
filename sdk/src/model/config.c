/* config.c — what detect learns beyond shapes: one-element tensors, and the checkpoint's constructor
 * arguments (the metadata "config", JSON, written by `latentwalk import`). */
#include "model/internal.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lw_weights_number(const lw_weights *weights, double *value, const char *name, ...)
{
    char part[512], full[768];
    lw_shape shape;
    va_list args;
    va_start(args, name);
    int length = vsnprintf(part, sizeof part, name, args);
    va_end(args);
    if (length < 0 || length >= (int)sizeof part ||
        snprintf(full, sizeof full, "%s%s", weights->prefix, part) >= (int)sizeof full ||
        !lw_store_has(weights->store, full) || lw_store_shape(weights->store, full, &shape) != LW_OK ||
        lw_shape_count(shape) != 1)
        return false;
    const lw_tensor *tensor = lw_store_get(weights->store, full);
    if (tensor)
        *value = tensor->data[0];
    return tensor != NULL;
}

/* The arguments of the network under this prefix ("config.D" for "D."), else those of the file's first
 * network. */
static const char *config_of(const lw_weights *weights)
{
    char key[256];
    size_t length = strlen(weights->prefix);
    snprintf(key, sizeof key, "config.%.*s", length ? (int)length - 1 : 0, weights->prefix);
    const char *own = length ? lw_store_metadata(weights->store, key) : NULL;
    return own ? own : lw_store_metadata(weights->store, "config");
}

/* The value of `key` ("synthesis_kwargs.channel_base" looks into an object, "layers.2.0" into arrays); NULL
 * where there is none. The caller releases *root. */
static const json_t *config_value(const lw_weights *weights, const char *key, json_t **root)
{
    const char *text = config_of(weights);
    const json_t *at = *root = text ? json_loads(text, 0, NULL) : NULL;
    for (size_t length; at && *key; key += length + (key[length] == '.')) {
        length = strcspn(key, ".");
        at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
                               : json_object_getn(at, key, length);
    }
    return at;
}

bool lw_weights_config_number(const lw_weights *weights, const char *key, double *value)
{
    json_t *root;
    const json_t *found = config_value(weights, key, &root);
    bool ok = json_is_number(found) || json_is_boolean(found);
    if (ok)
        *value = json_is_boolean(found) ? json_is_true(found) : json_number_value(found);
    json_decref(root);
    return ok;
}

bool lw_weights_config_text(const lw_weights *weights, const char *key, char *text, size_t size)
{
    json_t *root;
    const json_t *found = config_value(weights, key, &root);
    bool ok = json_is_string(found) && json_string_length(found) < size;
    if (ok)
        memcpy(text, json_string_value(found), json_string_length(found) + 1);
    json_decref(root);
    return ok;
}
