/* config.c — constructor arguments and other plain values of a pickle as JSON. Depth and size are bounded by
 * lwi_pickle_check. */
#include "checkpoint/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { LONGEST_TEXT = 4096, LONGEST_KEY = 256 };

static json_t *json_label(const char *what)
{
    char text[LONGEST_KEY];
    snprintf(text, sizeof text, "<%s>", what);
    return json_string(text);
}

static json_t *json_text(const lwi_pvalue *value)
{
    char text[LONGEST_TEXT];
    return lwi_pvalue_text(value, text, sizeof text) ? json_string(text) : json_label("text");
}

static json_t *json_list(const lwi_pvalue *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->list.count; i++)
        json_array_append_new(array, lwi_pvalue_json(list->list.item[i]));
    return array;
}

/* A key as text; false for keys that are neither text nor number. */
static bool key_text(const lwi_pvalue *key, char *text)
{
    if (key->kind == LWI_P_INT)
        snprintf(text, LONGEST_KEY, "%" PRId64, key->integer);
    return key->kind == LWI_P_INT || lwi_pvalue_text(key, text, LONGEST_KEY);
}

static json_t *json_dict(const lwi_pvalue *dict)
{
    json_t *object = json_object();
    char key[LONGEST_KEY];
    for (size_t i = 0; i + 1 < dict->list.count; i += 2)
        if (key_text(dict->list.item[i], key))
            json_object_set_new(object, key, lwi_pvalue_json(dict->list.item[i + 1]));
    return object;
}

/* Records that are nothing but their attributes: argparse.Namespace, EasyDict, the zoo's BaseConfig. */
static json_t *json_record(const lwi_pvalue *value)
{
    const lwi_pvalue *dict = lwi_pvalue_dict(value);
    bool plain = dict && !lwi_pvalue_get(value, "_modules") && !lwi_pvalue_get(value, "_parameters");
    return plain ? json_dict(dict) : json_label(value->object.name);
}

json_t *lwi_pvalue_json(const lwi_pvalue *value)
{
    switch (value->kind) {
    case LWI_P_NONE: return json_null();
    case LWI_P_BOOL: return json_boolean(value->truth);
    case LWI_P_INT: return json_integer(value->integer);
    case LWI_P_FLOAT:
        return isfinite(value->real) ? json_real(value->real)
                                     : json_string(isnan(value->real) ? "nan"
                                                   : value->real > 0  ? "inf"
                                                                      : "-inf");
    case LWI_P_TEXT: return json_text(value);
    case LWI_P_LIST:
    case LWI_P_TUPLE:
    case LWI_P_SET: return json_list(value);
    case LWI_P_DICT: return json_dict(value);
    case LWI_P_OBJECT: return json_record(value);
    case LWI_P_GLOBAL: return json_label(value->global.name);
    case LWI_P_TENSOR: {
        char shape[LW_SHAPE_TEXT], text[LW_SHAPE_TEXT + 16];
        snprintf(text, sizeof text, "tensor %s", lw_shape_text(value->tensor->shape, shape));
        return json_label(text);
    }
    case LWI_P_BIG: return json_label("a large integer");
    case LWI_P_BYTES: return json_label("bytes");
    case LWI_P_DTYPE: return json_label("a NumPy type");
    case LWI_P_STORAGE: return json_label("a storage");
    }
    return json_null();
}

static bool is_plain(const lwi_pvalue *value)
{
    bool plain = value->kind <= LWI_P_TEXT && value->kind != LWI_P_BIG;
    for (size_t i = 0; lwi_pvalue_is_list(value) && i < value->list.count; i++)
        if (!is_plain(value->list.item[i]))
            return false;
    return plain || lwi_pvalue_is_list(value);
}

json_t *lwi_pvalue_plain_json(const lwi_pvalue *dict)
{
    json_t *object = json_object();
    char key[LONGEST_KEY];
    for (size_t i = 0; dict && i + 1 < dict->list.count; i += 2)
        if (key_text(dict->list.item[i], key) && key[0] != '_' && is_plain(dict->list.item[i + 1]))
            json_object_set_new(object, key, lwi_pvalue_json(dict->list.item[i + 1]));
    return object;
}
