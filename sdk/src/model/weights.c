/* weights.c — finding a part's tensors in a weights file and checking that they are what the plugin builds.
 */
#include "graph/build.h"
#include "model/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LISTED 8 /* names in a message, before "and 12 more" */

/* --- what detect sees ----------------------------------------------------------------------- */

bool lw_weights_shape(const lw_weights *weights, lw_shape *shape, const char *name, ...)
{
    char part[512], full[768];
    va_list args;
    va_start(args, name);
    int length = vsnprintf(part, sizeof part, name, args);
    va_end(args);
    if (length < 0 || length >= (int)sizeof part ||
        snprintf(full, sizeof full, "%s%s", weights->prefix, part) >= (int)sizeof full)
        return false;
    lw_shape found;
    if (!lw_store_has(weights->store, full) || lw_store_shape(weights->store, full, &found) != LW_OK)
        return false;
    if (shape)
        *shape = found;
    return true;
}

const char *lw_weights_metadata(const lw_weights *weights, const char *key)
{
    return lw_store_metadata(weights->store, key);
}

/* --- choosing the prefix -------------------------------------------------------------------- */

static bool any_under(const lw_store *store, const char *prefix)
{
    for (size_t i = 0; i < lw_store_count(store); i++)
        if (strncmp(lw_store_name(store, i), prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

/* LW_OK with part->args filled in; LW_UNSUPPORTED where the tensors under this prefix are not the
 * plugin's. */
static lw_status try_prefix(lwi_part *part, lw_part which, lw_store *weights, const char *prefix)
{
    if (!any_under(weights, prefix))
        return LW_UNSUPPORTED;
    lw_args *args = lwi_args_copy(part->args);
    if (!args)
        return LW_MEMORY;
    lw_status (*detect)(const lw_weights *, lw_args *) =
        which == LW_PART_GENERATOR ? ((const lw_generator *)part->plugin->functions)->detect
                                   : ((const lw_network *)part->plugin->functions)->detect;
    lw_status status = lwi_part_apply_manifest(args, weights, which);
    if (status == LW_OK && detect)
        status = detect(&(lw_weights){weights, prefix}, args);
    if (status != LW_OK) {
        lwi_args_destroy(args);
        return status;
    }
    lwi_args_destroy(part->args);
    part->args = args;
    return LW_OK;
}

static lw_status nothing_found(const lwi_part *part, const lw_store *weights, const char *const *candidates)
{
    char tried[512] = "", names[512] = "";
    size_t used = 0;
    for (int i = 0; candidates[i] && used < sizeof tried; i++)
        used += (size_t)snprintf(tried + used, sizeof tried - used, "%s'%s'", i ? ", " : "", candidates[i]);
    used = 0;
    for (size_t i = 0; i < lw_store_count(weights) && i < 4 && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%.90s'", i ? ", " : "",
                                 lw_store_name(weights, i));
    return lw_fail(LW_UNSUPPORTED,
                   "these weights are not of %s: it does not recognise the tensors under the prefixes %s; "
                   "the file has %zu tensors: %s%s",
                   lwi_plugin_id(part->plugin), tried, lw_store_count(weights), names,
                   lw_store_count(weights) > 4 ? ", …" : "");
}

static void add_candidate(const char **candidates, int *count, const char *prefix)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(candidates[i], prefix) == 0)
            return;
    candidates[(*count)++] = prefix;
}

/* The prefix under which the plugin recognises its tensors. A shipped file says so itself; then come the
 * plugin's own prefixes. */
static lw_status choose_prefix(lwi_part *part, lw_part which, lw_store *weights, const char *given,
                               const char **chosen)
{
    enum { MOST = 32 };
    const char *candidates[MOST + 3] = {0};
    int count = 0;
    char id[LWI_ID_BYTES];
    if (given) {
        candidates[count++] = given;
    } else {
        static const char *const none[] = {"", NULL};
        const char *const *own = part->plugin->prefixes ? part->plugin->prefixes : none;
        bool shipped = lwi_store_uses(weights, which, id);
        if (shipped)
            add_candidate(candidates, &count, lwi_part_prefix(which));
        for (; *own && count < MOST; own++)
            add_candidate(candidates, &count, *own);
        add_candidate(candidates, &count, lwi_part_prefix(which));
    }
    for (int i = 0; i < count; i++) {
        lw_status status = try_prefix(part, which, weights, candidates[i]);
        if (status == LW_OK)
            *chosen = candidates[i];
        if (status != LW_UNSUPPORTED) {
            if (status != LW_OK)
                lw_wrap("tensors under the prefix '%s'", candidates[i]);
            return status;
        }
    }
    return nothing_found(part, weights, candidates);
}

/* --- checking ------------------------------------------------------------------------------- */

static bool is_used(const lw_graph *g, const char *name)
{
    for (int i = 1; i < g->count; i++)
        if (g->node[i].op == LWI_PARAMETER && strcmp(g->node[i].name, name) == 0)
            return true;
    return false;
}

/* PyTorch counts batches beside the running averages; nothing reads it. */
static bool ignored(const char *name)
{
    static const char suffix[] = "num_batches_tracked";
    size_t length = strlen(name);
    return length >= sizeof suffix - 1 && strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

/* "; 3 extra tensors: 'a', 'b' [3], …", or "". Released with lw_free. */
static char *list_extras(const lw_graph *g, const lw_store *store)
{
    char *text = lw_strdup("");
    size_t count = 0;
    for (size_t i = 0; text && i < lw_store_count(store); i++) {
        const char *name = lw_store_name(store, i);
        if (ignored(name) || is_used(g, name) || ++count > LISTED)
            continue;
        char *longer = lw_format("%s%s'%s'", text, count > 1 ? ", " : "", name);
        lw_free(text);
        text = longer;
    }
    if (!text || count == 0)
        return text;
    char *whole = count > LISTED
                      ? lw_format("%zu extra tensors: %s and %zu more", count, text, count - LISTED)
                      : lw_format("%zu extra tensor%s: %s", count, count == 1 ? "" : "s", text);
    lw_free(text);
    return whole;
}

/* Missing, wrong-shaped and extra tensors in one message. */
static lw_status compare(lw_graph *g, const lw_store *store)
{
    lw_status status = lw_graph_status(g);
    if (g->build->status != LW_OK) /* building stopped half-way: what looks extra may not be */
        return status;
    char *misfits = lw_strdup(status == LW_OK ? "" : lw_error_message(0));
    char *extras = list_extras(g, store);
    if (!misfits || !extras)
        status = LW_MEMORY;
    else if (*misfits || *extras)
        status = lw_fail(LW_SHAPE, "%s%s%s", misfits, *misfits && *extras ? "; " : "", extras);
    lw_free(misfits);
    lw_free(extras);
    return status;
}

static lw_status check_weights(const lwi_part *part, lw_part which, const char *prefix)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    lwi_part_build(g, part, which, false, 0);
    lw_status status = compare(g, part->store);
    lw_graph_destroy(g);
    if (status != LW_OK && status != LW_MEMORY)
        lw_wrap("the weights under the prefix '%s' do not fit %s", prefix, lwi_plugin_id(part->plugin));
    return status;
}

/* Without a prefix, a file's other parts ("D.blocks.0…" beside a bare generator) are not the part's. */
static bool of_another_part(const char *name, lw_part which, const char *prefix)
{
    for (int i = 0; !*prefix && i < LWI_PART_COUNT; i++) {
        const char *other = lwi_part_prefix((lw_part)i);
        if (i != (int)which && strncmp(name, other, strlen(other)) == 0)
            return true;
    }
    return false;
}

/* Copies the part's tensors, without what is ignored: a store saved again holds what is used. */
static lw_status copy_tensors(lw_store *to, lw_store *from, lw_part which, const char *prefix)
{
    for (size_t i = 0; i < lw_store_count(from); i++) {
        const char *name = lw_store_name(from, i);
        if (strncmp(name, prefix, strlen(prefix)) != 0 || ignored(name) ||
            of_another_part(name, which, prefix))
            continue;
        LW_TRY(lw_store_copy(to, name + strlen(prefix), from, name));
    }
    return LW_OK;
}

lw_status lwi_part_load(lwi_part *part, lw_part which, lw_store *weights, const char *prefix)
{
    LW_TRY(choose_prefix(part, which, weights, prefix, &prefix));
    LW_TRY(lwi_part_dims(part));
    part->prefix = lw_strdup(prefix);
    part->store = lw_store_create();
    if (!part->prefix || !part->store)
        return LW_MEMORY;
    LW_TRY(copy_tensors(part->store, weights, which, prefix));
    return check_weights(part, which, prefix);
}
