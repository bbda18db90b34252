/* args.c — lw_args: the values of all of a plugin's parameters. */
#include "plugin/args.h"
#include "plugin/params.h"

#include <string.h>

typedef struct value {
    bool set, given;
    int count;
    lwi_item *items;
    lwi_loss_item *losses;
} value;

struct lw_args {
    const lw_plugin *plugin;
    value *values; /* one for each parameter, in the table's order */
};

const lw_plugin *lwi_args_plugin(const lw_args *args)
{
    return args->plugin;
}

static void clear(value *v)
{
    for (int i = 0; v->losses && i < v->count; i++) {
        lw_free(v->losses[i].id);
        lwi_args_destroy(v->losses[i].args);
    }
    if (v->items)
        lwi_items_free(v->items, v->count);
    lw_free(v->losses);
    memset(v, 0, sizeof *v);
}

void lwi_args_destroy(lw_args *args)
{
    if (!args)
        return;
    for (uint32_t i = 0; args->values && i < args->plugin->param_count; i++)
        clear(&args->values[i]);
    lw_free(args->values);
    lw_free(args);
}

lw_args *lwi_args_create(const lw_plugin *plugin)
{
    lw_args *args = lw_alloc(1, sizeof *args);
    if (!args)
        return NULL;
    args->plugin = plugin;
    args->values = lw_alloc(plugin->param_count + 1, sizeof *args->values);
    bool ok = args->values != NULL;
    for (uint32_t i = 0; ok && i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        if (param->fallback && *param->fallback && param->type != LW_PARAM_LOSSES) /* those need a registry */
            ok = lwi_args_set_text(args, param->key, param->fallback, false) == LW_OK;
    }
    if (ok)
        return args;
    lwi_args_destroy(args);
    return NULL;
}

/* --- finding a value ------------------------------------------------------------------------ */

static lw_status no_such_key(const lw_plugin *plugin, const char *key)
{
    const char *id = lwi_plugin_id(plugin);
    if (plugin->param_count == 0)
        return lw_fail(LW_NOT_FOUND, "%s has no parameter '%s'; it has none at all", id, key);
    const char **keys = lw_alloc(plugin->param_count + 1, sizeof *keys);
    char *all = lw_strdup("");
    for (uint32_t i = 0; keys && all && i < plugin->param_count; i++) {
        keys[i] = lwi_param_at(plugin, i)->key;
        char *longer = lw_format("%s%s%s", all, i ? ", " : "", keys[i]);
        lw_free(all);
        all = longer;
    }
    lw_status status = LW_MEMORY;
    if (keys && all) {
        const char *close = lw_closest(key, keys);
        status = close ? lw_fail(LW_NOT_FOUND, "%s has no parameter '%s'; did you mean '%s'?", id, key, close)
                       : lw_fail(LW_NOT_FOUND, "%s has no parameter '%s'; it has: %s", id, key, all);
    }
    lw_free(keys);
    lw_free(all);
    return status;
}

/* The value of `key`; NULL with an error where the table has no such key. */
static value *find(const lw_args *args, const char *key, const lw_param **param)
{
    for (uint32_t i = 0; i < args->plugin->param_count; i++) {
        *param = lwi_param_at(args->plugin, i);
        if (strcmp((*param)->key, key) == 0)
            return &args->values[i];
    }
    no_such_key(args->plugin, key);
    return NULL;
}

#define BIT(type) (1u << (type))
#define TEXTS (BIT(LW_PARAM_STRING) | BIT(LW_PARAM_CHOICE) | BIT(LW_PARAM_PATH) | BIT(LW_PARAM_MODEL))

/* Item `index` of a parameter of one of the types, for the accessors. NULL with an error for a mistake of the
 * plugin; NULL without one where the value is absent and `may_lack`. */
static const lwi_item *item_of(const lw_args *args, const char *key, unsigned types, const char *asked,
                               int index, bool may_lack)
{
    const lw_param *param;
    const value *v = find(args, key, &param);
    if (!v)
        return NULL;
    if (!(types & BIT(param->type))) {
        lw_fail(LW_INVALID, "%s asks for parameter '%s' as %s, but its table says %s",
                lwi_plugin_id(args->plugin), key, asked, lwi_param_type_name(param->type));
        return NULL;
    }
    if (v->set && index >= 0 && index < v->count)
        return &v->items[index];
    if (!v->set && !may_lack)
        lw_fail(LW_INVALID, "%s asks for parameter '%s', which has no value", lwi_plugin_id(args->plugin),
                key);
    else if (v->set)
        lw_fail(LW_INVALID, "%s asks for item %d of parameter '%s', which has %d",
                lwi_plugin_id(args->plugin), index, key, v->count);
    return NULL;
}

int64_t lw_int(const lw_args *args, const char *key)
{
    const lwi_item *item = item_of(args, key, BIT(LW_PARAM_INT), "integer", 0, false);
    return item ? item->integer : 0;
}

double lw_float(const lw_args *args, const char *key)
{
    const lwi_item *item = item_of(args, key, BIT(LW_PARAM_FLOAT), "number", 0, false);
    return item ? item->number : 0;
}

bool lw_bool(const lw_args *args, const char *key)
{
    const lwi_item *item = item_of(args, key, BIT(LW_PARAM_BOOL), "boolean", 0, false);
    return item && item->integer;
}

const char *lw_text(const lw_args *args, const char *key)
{
    const lwi_item *item = item_of(args, key, TEXTS, "text", 0, true);
    return item ? item->text : NULL;
}

int lw_list_count(const lw_args *args, const char *key)
{
    const lw_param *param;
    const value *v = find(args, key, &param);
    if (v && !lwi_param_is_list(param) && param->type != LW_PARAM_LOSSES) {
        lw_fail(LW_INVALID, "%s asks for parameter '%s' as a list, but its table says %s",
                lwi_plugin_id(args->plugin), key, lwi_param_type_name(param->type));
        return 0;
    }
    return v ? v->count : 0;
}

int64_t lw_list_int(const lw_args *args, const char *key, int index)
{
    const lwi_item *item = item_of(args, key, BIT(LW_PARAM_INTS), "integers", index, false);
    return item ? item->integer : 0;
}

int64_t lw_point_name(const lw_args *args, const char *key, int64_t index)
{
    return lw_list_count(args, key) ? lw_list_int(args, key, (int)index) : index;
}

lw_status lw_check_point_names(const lw_args *args, const char *key, int64_t points)
{
    const int names = lw_list_count(args, key);
    if (names == 0 || names == points)
        return LW_OK;
    return lw_fail(LW_INVALID, "%s: %d names for %lld points; give one for each", key, names,
                   (long long)points);
}

double lw_list_float(const lw_args *args, const char *key, int index)
{
    const lwi_item *item = item_of(args, key, BIT(LW_PARAM_FLOATS), "numbers", index, false);
    return item ? item->number : 0;
}

const char *lw_list_text(const lw_args *args, const char *key, int index)
{
    const lw_param *param;
    const value *v = find(args, key, &param);
    if (v && param->type == LW_PARAM_LOSSES) /* the ids their curves go by */
        return index >= 0 && index < v->count ? v->losses[index].id : NULL;
    const lwi_item *item = item_of(args, key, BIT(LW_PARAM_STRINGS), "texts", index, false);
    return item ? item->text : NULL;
}

bool lw_is_set(const lw_args *args, const char *key)
{
    const lw_param *param;
    const value *v = find(args, key, &param);
    return v && v->set;
}

bool lw_is_given(const lw_args *args, const char *key)
{
    const lw_param *param;
    const value *v = find(args, key, &param);
    return v && v->given;
}

/* --- setting -------------------------------------------------------------------------------- */

static void replace(value *v, lwi_item *items, int count, bool by_user)
{
    clear(v);
    *v = (value){.set = true, .given = by_user, .count = count, .items = items};
}

lw_status lwi_args_set_text(lw_args *args, const char *key, const char *text, bool by_user)
{
    const lw_param *param;
    lwi_item *items;
    int count;
    value *v = find(args, key, &param);
    if (!v)
        return lw_error_status();
    if (!*text && param->fallback && !*param->fallback) {
        clear(v);
        v->given = by_user;
        return LW_OK;
    }
    LW_TRY(lwi_param_parse(param, text, &items, &count));
    replace(v, items, count, by_user);
    return LW_OK;
}

lw_status lwi_args_set_list(lw_args *args, const char *key, const char *const *texts, int count, bool by_user)
{
    const lw_param *param;
    lwi_item *items;
    value *v = find(args, key, &param);
    if (!v)
        return lw_error_status();
    if (!lwi_param_is_list(param)) {
        char *accepts = lwi_param_accepts(param);
        lw_status status =
            accepts ? lw_fail(LW_INVALID, "parameter '%s' is a list: expected %s", key, accepts) : LW_MEMORY;
        lw_free(accepts);
        return status;
    }
    LW_TRY(lwi_param_parse_list(param, texts, count, &items));
    replace(v, items, count, by_user);
    return LW_OK;
}

/* Numbers as numbers: [1,1] is [1, 1]. */
static bool same(const value *v, const lwi_item *items, int count)
{
    bool all = v->count == count;
    for (int i = 0; all && i < count; i++) {
        const lwi_item *a = &v->items[i], *b = &items[i];
        all = a->integer == b->integer && a->number == b->number && !a->text == !b->text &&
              (!a->text || strcmp(a->text, b->text) == 0);
    }
    return all;
}

static lw_status contradicted(const lw_args *args, const char *key, const char *text)
{
    char *given = lwi_args_text(args, key);
    lw_status status = LW_MEMORY;
    if (given)
        status = lw_fail(LW_INVALID,
                         "parameter '%s' is given as %s, but the weights have %s; leave it out, or use "
                         "other weights",
                         key, given, text);
    lw_free(given);
    return status;
}

/* The user may have said the same, but nothing else. */
lw_status lw_args_set_text(lw_args *args, const char *key, const char *text)
{
    const lw_param *param;
    lwi_item *items = NULL;
    int count = 0;
    value *v = find(args, key, &param);
    if (!v)
        return lw_error_status();
    if (!v->given)
        return lwi_args_set_text(args, key, text, false);
    if (*text || v->set) /* "" is no value */
        LW_TRY(lwi_param_parse(param, text, &items, &count));
    lw_status status = same(v, items, count) ? LW_OK : contradicted(args, key, text);
    if (items)
        lwi_items_free(items, count);
    return status;
}

static lw_status set_items(lw_args *args, const char *key, lw_param_type type, const lwi_item *items,
                           int count)
{
    char *text = lwi_items_text(&(lw_param){.type = type}, items, count);
    lw_status status = text ? lw_args_set_text(args, key, text) : LW_MEMORY;
    lw_free(text);
    return status;
}

lw_status lw_args_set_int(lw_args *args, const char *key, int64_t number)
{
    return set_items(args, key, LW_PARAM_INT, &(lwi_item){.integer = number}, 1);
}

lw_status lw_args_set_float(lw_args *args, const char *key, double number)
{
    return set_items(args, key, LW_PARAM_FLOAT, &(lwi_item){.number = number}, 1);
}

lw_status lw_args_set_bool(lw_args *args, const char *key, bool truth)
{
    return set_items(args, key, LW_PARAM_BOOL, &(lwi_item){.integer = truth}, 1);
}

lw_status lw_args_set_ints(lw_args *args, const char *key, const int64_t *numbers, int count)
{
    lwi_item *items = lw_alloc((size_t)count + 1, sizeof *items);
    if (!items)
        return LW_MEMORY;
    for (int i = 0; i < count; i++)
        items[i].integer = numbers[i];
    lw_status status = set_items(args, key, LW_PARAM_INTS, items, count);
    lw_free(items);
    return status;
}

lw_status lwi_args_complete(const lw_args *args)
{
    char *missing = NULL;
    for (uint32_t i = 0; i < args->plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(args->plugin, i);
        if (args->values[i].set || param->fallback)
            continue;
        char *accepts = lwi_param_accepts(param);
        char *longer = accepts ? lw_format("%s%s'%s' (%s)", missing ? missing : "", missing ? ", " : "",
                                           param->key, accepts)
                               : NULL;
        lw_free(accepts);
        lw_free(missing);
        missing = longer;
        if (!missing)
            return LW_MEMORY;
    }
    if (!missing)
        return LW_OK;
    lw_status status = lw_fail(LW_INVALID, "%s must be given %s", lwi_plugin_id(args->plugin), missing);
    lw_free(missing);
    return status;
}

char *lwi_args_text(const lw_args *args, const char *key)
{
    const lw_param *param;
    const value *v = find(args, key, &param);
    if (!v)
        return NULL;
    if (param->type == LW_PARAM_LOSSES) {
        lw_fail(LW_INVALID, "parameter '%s' is a list of losses and has no text", key);
        return NULL;
    }
    return v->set ? lwi_items_text(param, v->items, v->count) : lw_strdup("");
}

/* --- losses --------------------------------------------------------------------------------- */

static value *find_losses(const lw_args *args, const char *key)
{
    const lw_param *param;
    value *v = find(args, key, &param);
    if (!v || param->type == LW_PARAM_LOSSES)
        return v;
    lw_fail(LW_INVALID, "parameter '%s' takes no losses; it is %s", key, lwi_param_type_name(param->type));
    return NULL;
}

static lw_status add_loss(value *v, const char *id, const lw_plugin *plugin, double weight, lw_args *child)
{
    lwi_loss_item *losses = lw_resize(v->losses, (size_t)v->count + 1, sizeof *losses);
    if (!losses)
        return LW_MEMORY;
    v->losses = losses;
    char *copy = lw_strdup(id);
    if (!copy)
        return LW_MEMORY;
    v->losses[v->count++] = (lwi_loss_item){copy, plugin, weight, child};
    v->set = v->given = true;
    return LW_OK;
}

lw_status lwi_args_add_loss(lw_args *args, const char *key, const char *id, const lw_plugin *plugin,
                            double weight, lw_args *child)
{
    value *v = find_losses(args, key);
    lw_status status = v ? LW_OK : lw_error_status();
    if (status == LW_OK && plugin->prefix.kind != LW_KIND_LOSS)
        status = lw_fail(LW_INVALID, "parameter '%s' takes losses; %s is none", key, lwi_plugin_id(plugin));
    if (status == LW_OK)
        status = add_loss(v, id, plugin, weight, child);
    if (status != LW_OK)
        lwi_args_destroy(child);
    return status;
}

int lwi_args_loss_count(const lw_args *args, const char *key)
{
    const value *v = find_losses(args, key);
    return v ? v->count : 0;
}

const lwi_loss_item *lwi_args_loss(const lw_args *args, const char *key, int index)
{
    const value *v = find_losses(args, key);
    if (v && index >= 0 && index < v->count)
        return &v->losses[index];
    if (v)
        lw_fail(LW_NOT_FOUND, "parameter '%s' has %d losses, none is number %d", key, v->count, index);
    return NULL;
}

/* --- copies --------------------------------------------------------------------------------- */

static lw_status copy_losses(lw_args *to, const char *key, const value *from)
{
    for (int i = 0; i < from->count; i++) {
        lw_args *child = lwi_args_copy(from->losses[i].args);
        if (!child)
            return LW_MEMORY;
        LW_TRY(lwi_args_add_loss(to, key, from->losses[i].id, from->losses[i].plugin, from->losses[i].weight,
                                 child));
    }
    return LW_OK;
}

lw_args *lwi_args_copy(const lw_args *args)
{
    lw_args *copy = lwi_args_create(args->plugin);
    bool ok = copy != NULL;
    for (uint32_t i = 0; ok && i < args->plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(args->plugin, i);
        const value *from = &args->values[i];
        clear(&copy->values[i]);
        if (param->type == LW_PARAM_LOSSES) {
            ok = copy_losses(copy, param->key, from) == LW_OK;
        } else if (from->set) {
            char *text = lwi_args_text(args, param->key);
            ok = text && lwi_args_set_text(copy, param->key, text, from->given) == LW_OK;
            lw_free(text);
        }
        copy->values[i].set = from->set;
        copy->values[i].given = from->given;
    }
    if (ok)
        return copy;
    lwi_args_destroy(copy);
    return NULL;
}
