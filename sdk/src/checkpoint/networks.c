/* networks.c — finding the networks in what was unpickled: bare state_dicts, dictionaries of state_dicts or
 * of modules, modules. Names are those of the official state_dict: the path through _modules, then the
 * leaf. */
#include "checkpoint/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 512 };

/* The name being made, part by part. */
typedef struct path {
    char text[LONGEST_NAME];
    size_t length;
} path;

static lw_status push_name(const lwi_checkpoint *file, path *p, const lwi_pvalue *key)
{
    char part[LONGEST_NAME];
    if (key->kind == LWI_P_INT)
        snprintf(part, sizeof part, "%" PRId64, key->integer);
    else if (!lwi_pvalue_text(key, part, sizeof part))
        return lw_fail(LW_FORMAT,
                       "'%s': below '%s' there is a tensor whose name is not a printable text of less than "
                       "%d bytes",
                       file->name, p->text, LONGEST_NAME);
    if (!*part || p->length + strlen(part) + 2 > sizeof p->text)
        return lw_fail(LW_FORMAT, "'%s': the name of a tensor below '%s' is empty or too long", file->name,
                       p->text);
    p->length +=
        (size_t)snprintf(p->text + p->length, sizeof p->text - p->length, "%s%s", p->length ? "." : "", part);
    return LW_OK;
}

static void pop_name(path *p, size_t length)
{
    p->length = length;
    p->text[length] = '\0';
}

/* --- what is what ----------------------------------------------------------------------------------- */

static bool is_module(const lwi_pvalue *value)
{
    return value->kind == LWI_P_OBJECT &&
           (lwi_pvalue_get(value, "_modules") || lwi_pvalue_get(value, "_parameters"));
}

/* TorchScript's modules keep everything as attributes. */
static bool is_scripted(const lwi_pvalue *value)
{
    return value->kind == LWI_P_OBJECT && strncmp(value->object.name, "__torch__.", 10) == 0;
}

/* {"state": …, "param_groups": …}: what an optimiser remembers is no network. */
static bool is_optimizer(const lwi_pvalue *value)
{
    return value->kind == LWI_P_DICT && lwi_pvalue_get(value, "param_groups") &&
           lwi_pvalue_get(value, "state");
}

static bool is_in(const lwi_pvalue *set, const lwi_pvalue *key)
{
    char text[LONGEST_NAME];
    for (size_t i = 0;
         lwi_pvalue_is_list(set) && i < set->list.count && lwi_pvalue_text(key, text, sizeof text); i++)
        if (lwi_pvalue_is(set->list.item[i], text))
            return true;
    return false;
}

/* Whether any tensor that `collect` would find is below. */
static bool holds_tensors(const lwi_pvalue *value)
{
    if (value->kind == LWI_P_TENSOR || is_module(value) || is_scripted(value))
        return true;
    if (value->kind != LWI_P_DICT || is_optimizer(value))
        return false;
    for (size_t i = 0; i + 1 < value->list.count; i += 2)
        if (holds_tensors(value->list.item[i + 1]))
            return true;
    return false;
}

/* --- collecting --------------------------------------------------------------------------------------- */

static lw_status collect(lwi_checkpoint *file, const lwi_pvalue *value, path *p);

static lw_status collect_tensor(lwi_checkpoint *file, const lwi_pvalue *value, path *p)
{
    const lwi_ptensor *t = value->tensor;
    return lwi_checkpoint_add_tensor(file, p->length ? p->text : "tensor",
                                     (lwi_named_tensor){.element = t->element, .shape = t->shape, .lazy = t});
}

/* The entries of a dictionary that are tensors or lead to some, without those named in `except`. */
static lw_status collect_entries(lwi_checkpoint *file, const lwi_pvalue *dict, const lwi_pvalue *except,
                                 path *p)
{
    for (size_t i = 0; dict && dict->kind == LWI_P_DICT && i + 1 < dict->list.count; i += 2) {
        const lwi_pvalue *key = dict->list.item[i], *value = dict->list.item[i + 1];
        size_t length = p->length;
        if (!holds_tensors(value) || (except && is_in(except, key)))
            continue;
        LW_TRY(push_name(file, p, key));
        LW_TRY(collect(file, value, p));
        pop_name(p, length);
    }
    return LW_OK;
}

static lw_status collect(lwi_checkpoint *file, const lwi_pvalue *value, path *p)
{
    if (value->kind == LWI_P_TENSOR)
        return collect_tensor(file, value, p);
    if (!is_module(value))
        return collect_entries(file, lwi_pvalue_dict(value), NULL, p);
    LW_TRY(collect_entries(file, lwi_pvalue_dict(lwi_pvalue_get(value, "_parameters")), NULL, p));
    LW_TRY(collect_entries(file, lwi_pvalue_dict(lwi_pvalue_get(value, "_buffers")),
                           lwi_pvalue_get(value, "_non_persistent_buffers_set"), p));
    return collect_entries(file, lwi_pvalue_dict(lwi_pvalue_get(value, "_modules")), NULL, p);
}

/* torch.nn.DataParallel puts "module." before every name. */
static void strip_parallel(lwi_checkpoint *file, const lwi_network *network)
{
    static const char prefix[] = "module.";
    size_t length = sizeof prefix - 1;
    for (size_t i = 0; i < network->count; i++)
        if (strncmp(file->tensors[network->first + i].name, prefix, length) != 0)
            return;
    for (size_t i = 0; i < network->count; i++)
        file->tensors[network->first + i].name += length;
}

/* --- constructor arguments ------------------------------------------------------------------------------ */

/* _init_kwargs, where NVIDIA's persistence kept them, with unnamed ones under "init_args"; else a module's
 * own plain attributes. NULL where there is nothing of the kind. */
static json_t *constructor_arguments(const lwi_pvalue *value)
{
    const lwi_pvalue *named = lwi_pvalue_get(value, "_init_kwargs"),
                     *args = lwi_pvalue_get(value, "_init_args");
    if (!is_module(value))
        return NULL;
    if (!named)
        return lwi_pvalue_plain_json(lwi_pvalue_dict(value));
    json_t *object = lwi_pvalue_json(named);
    if (json_is_object(object) && lwi_pvalue_is_list(args) && args->list.count)
        json_object_set_new(object, "init_args", lwi_pvalue_json(args));
    return object;
}

static lw_status add_network(lwi_checkpoint *file, const char *name, const lwi_pvalue *value)
{
    path p = {"", 0};
    if (lwi_tensorflow_is(value))
        return lwi_tensorflow_walk(file, name, value);
    LW_TRY(lwi_checkpoint_add_network(file, name, value->kind == LWI_P_OBJECT ? value->object.name : NULL));
    LW_TRY(collect(file, value, &p));
    lwi_network *network = &file->networks[file->network_count - 1];
    network->config = constructor_arguments(value);
    strip_parallel(file, network);
    return LW_OK;
}

/* --- the top ---------------------------------------------------------------------------------- */

/* A bare state_dict: its own entries are tensors (one or two beside whole networks are loose: latent_avg). */
static bool is_state_dict(const lwi_pvalue *root)
{
    bool tensors = false;
    for (size_t i = 0; i + 1 < root->list.count; i += 2) {
        const lwi_pvalue *value = root->list.item[i + 1];
        tensors = tensors || value->kind == LWI_P_TENSOR;
        if (value->kind != LWI_P_TENSOR && holds_tensors(value))
            return false;
    }
    return tensors;
}

/* rosinality/stylegan2-pytorch keeps the mean of g_ema's w beside it. */
static bool is_mean_of_w(const lwi_pvalue *root, size_t i)
{
    return lwi_pvalue_is(root->list.item[i], "latent_avg") && lwi_pvalue_get(root, "g_ema");
}

static bool is_loose(const lwi_pvalue *root, size_t i)
{
    return root->list.item[i + 1]->kind == LWI_P_TENSOR && !is_mean_of_w(root, i);
}

/* Entry `i` as a network. */
static lw_status walk_network(lwi_checkpoint *file, const lwi_pvalue *root, size_t i, const char *name)
{
    LW_TRY(add_network(file, name, root->list.item[i + 1]));
    for (i = 0; strcmp(name, "g_ema") == 0 && i + 1 < root->list.count; i += 2)
        if (is_mean_of_w(root, i) && root->list.item[i + 1]->kind == LWI_P_TENSOR)
            return collect_tensor(file, root->list.item[i + 1],
                                  &(path){"latent_avg", sizeof "latent_avg" - 1});
    return LW_OK;
}

/* Networks by their keys, then loose tensors as one without name, everything plain among `others`. */
static lw_status walk_dictionary(lwi_checkpoint *file, const lwi_pvalue *root)
{
    bool loose = false;
    for (size_t i = 0; i + 1 < root->list.count; i += 2) {
        const lwi_pvalue *key = root->list.item[i], *value = root->list.item[i + 1];
        path name = {"", 0};
        loose = loose || is_loose(root, i);
        if (value->kind == LWI_P_TENSOR)
            continue;
        LW_TRY(push_name(file, &name, key));
        if (lwi_tensorflow_is(value) || holds_tensors(value))
            LW_TRY(walk_network(file, root, i, name.text));
        else
            json_object_set_new(file->others, name.text,
                                is_optimizer(value) ? json_string("<optimiser state>")
                                                    : lwi_pvalue_json(value));
    }
    if (!loose)
        return LW_OK;
    LW_TRY(lwi_checkpoint_add_network(file, "", NULL));
    for (size_t i = 0; i + 1 < root->list.count; i += 2) {
        path p = {"", 0};
        if (!is_loose(root, i))
            continue;
        LW_TRY(push_name(file, &p, root->list.item[i]));
        LW_TRY(collect(file, root->list.item[i + 1], &p));
    }
    return LW_OK;
}

/* TensorFlow-era files: (G, D, Gs). */
static lw_status walk_tuple(lwi_checkpoint *file, const lwi_pvalue *root)
{
    static const char *const names[] = {"G", "D", "Gs"};
    for (size_t i = 0; i < root->list.count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu", i);
        const lwi_pvalue *value = root->list.item[i];
        if (lwi_tensorflow_is(value))
            LW_TRY(lwi_tensorflow_walk(file, root->list.count == 3 ? names[i] : name, value));
        else if (holds_tensors(value))
            LW_TRY(add_network(file, name, value));
    }
    return LW_OK;
}

lw_status lwi_checkpoint_walk(lwi_checkpoint *file, const lwi_pvalue *root)
{
    lw_status status;
    const lwi_pvalue *dict = lwi_pvalue_dict(root);
    if (lwi_tensorflow_is(root) || is_module(root) || is_scripted(root) || root->kind == LWI_P_TENSOR)
        status = add_network(file, "", root);
    else if (lwi_pvalue_is_list(root))
        status = walk_tuple(file, root);
    else if (dict && is_state_dict(dict))
        status = add_network(file, "", dict);
    else if (dict)
        status = walk_dictionary(file, dict);
    else
        status = LW_OK;
    if (status == LW_OK && file->tensor_count == 0)
        return lw_fail(LW_FORMAT, "'%s' holds no tensors where a checkpoint of a network has them",
                       file->name);
    return status;
}
