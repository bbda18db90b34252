/* ports.c — port types: their text, and fitting what flows to what is expected. */
#include "plugin/ports.h"
#include "plugin/args.h"
#include "plugin/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REST_TEXT "\xe2\x80\xa6" /* … in UTF-8 */

static const char *const spaces[] = {"z",      "w",      "w+",      "image",  "features", "direction",
                                     "scores", "labels", "dataset", "latent", "any",      NULL};
static const char *const latents[] = {"z", "w", "w+", "latent", NULL};
/* Values that mean nothing to another model. */
static const char *const owned[] = {"z", "w", "w+", "latent", "features", "direction", NULL};

/* --- text ----------------------------------------------------------------------------------- */

static bool parse_dim(const char *text, size_t length, lwi_dim *dim)
{
    memset(dim, 0, sizeof *dim);
    if ((length == 3 && strncmp(text, "...", 3) == 0) ||
        (length == strlen(REST_TEXT) && strncmp(text, REST_TEXT, length) == 0)) {
        dim->kind = LWI_DIM_REST;
        return true;
    }
    if (length == 0 || length >= sizeof dim->name)
        return false;
    memcpy(dim->name, text, length);
    if (isdigit((unsigned char)*dim->name)) {
        dim->kind = LWI_DIM_NUMBER;
        dim->number = strtoll(dim->name, NULL, 10);
        bool digits = strspn(dim->name, "0123456789") == length && length <= 12 && dim->number > 0;
        memset(dim->name, 0, sizeof dim->name);
        return digits;
    }
    dim->kind = LWI_DIM_NAME;
    if (*text == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-')
            return false;
    return true;
}

static lw_status bad_type(const char *text, const char *why)
{
    return lw_fail(LW_FORMAT, "port type '%.100s': %s; write SPACE[dim, …], as in 'z[N, z_dim]'", text, why);
}

static lw_status parse_dims(const char *text, const char *at, lwi_port_type *type)
{
    bool rest = false;
    for (;;) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ",] ");
        if (type->rank == LW_MAX_RANK)
            return bad_type(text, "it has more than 6 dims");
        lwi_dim *dim = &type->dim[type->rank++];
        if (!parse_dim(at, length, dim))
            return bad_type(text, "a dim is a number, a name, or …");
        if (dim->kind == LWI_DIM_REST && rest)
            return bad_type(text, "only one dim may be …");
        rest = rest || dim->kind == LWI_DIM_REST;
        at += length;
        at += strspn(at, " ");
        if (*at == ']')
            return at[1] ? bad_type(text, "something follows the ]") : LW_OK;
        if (*at++ != ',')
            return bad_type(text, "a , or ] is missing");
    }
}

lw_status lwi_port_parse(const char *text, lwi_port_type *type)
{
    memset(type, 0, sizeof *type);
    size_t length = strcspn(text, "[");
    if (text[length] != '[')
        return bad_type(text, "the [ is missing");
    if (length < sizeof type->space)
        memcpy(type->space, text, length);
    if (!lwi_list_has(spaces, type->space))
        return bad_type(text,
                        "the space is none of z, w, w+, image, features, direction, scores, labels, dataset, "
                        "latent, any");
    const char *at = text + length + 1;
    at += strspn(at, " ");
    return strcmp(at, "]") == 0 ? LW_OK : parse_dims(text, at, type);
}

const char *lwi_port_text(const lwi_port_type *type, char *buffer)
{
    size_t used = (size_t)snprintf(buffer, LWI_PORT_TEXT, "%s[", type->space);
    for (int i = 0; i < type->rank; i++) {
        const lwi_dim *dim = &type->dim[i];
        used += (size_t)snprintf(buffer + used, LWI_PORT_TEXT - used, "%s", i ? ", " : "");
        if (dim->kind == LWI_DIM_NUMBER)
            used += (size_t)snprintf(buffer + used, LWI_PORT_TEXT - used, "%lld", (long long)dim->number);
        else
            used += (size_t)snprintf(buffer + used, LWI_PORT_TEXT - used, "%s",
                                     dim->kind == LWI_DIM_REST ? REST_TEXT : dim->name);
    }
    snprintf(buffer + used, LWI_PORT_TEXT - used, "]");
    return buffer;
}
_Static_assert(LWI_PORT_TEXT > 16 + 2 + LW_MAX_RANK * (LWI_NAME_BYTES + 2), "any type's text fits");

lwi_port_type lwi_port_of_shape(const char *space, const char *model, lw_shape shape)
{
    lwi_port_type type = {.rank = shape.rank};
    snprintf(type.space, sizeof type.space, "%s", space);
    snprintf(type.model, sizeof type.model, "%s", model ? model : "");
    for (int i = 0; i < shape.rank; i++)
        type.dim[i] = (lwi_dim){.kind = LWI_DIM_NUMBER, .number = shape.dim[i]};
    return type;
}

/* --- what a dim's name means ---------------------------------------------------------------- */

void lw_dims_set(lw_dims *dims, const char *name, int64_t value)
{
    int at = 0;
    while (at < dims->count && strcmp(dims->entry[at].name, name) != 0)
        at++;
    if (at == LWI_MAX_DIMS || strlen(name) >= sizeof dims->entry[at].name || value < 1) {
        dims->failed = true;
        return;
    }
    snprintf(dims->entry[at].name, sizeof dims->entry[at].name, "%s", name);
    dims->entry[at].value = value;
    dims->count += at == dims->count;
}

int64_t lwi_dims_get(const lw_dims *dims, const char *name)
{
    for (int i = 0; dims && i < dims->count; i++)
        if (strcmp(dims->entry[i].name, name) == 0)
            return dims->entry[i].value;
    return 0;
}

void lwi_bindings_init(lwi_bindings *b, const char *step, const lw_args *args, const lw_dims *dims,
                       const char *model)
{
    memset(b, 0, sizeof *b);
    b->step = step;
    b->args = args;
    b->dims = dims;
    b->rest_count = -1;
    snprintf(b->model, sizeof b->model, "%s", model ? model : "");
}

/* The number or the foreign symbol that `dim` stands for; itself while it is open. */
static lwi_dim evaluate(const lwi_bindings *b, const lwi_dim *dim)
{
    if (dim->kind != LWI_DIM_NAME)
        return *dim;
    const lw_plugin *plugin = b->args ? lwi_args_plugin(b->args) : NULL;
    const lw_param *param = plugin ? lwi_param_find(plugin, dim->name) : NULL;
    int64_t number = lwi_dims_get(b->dims, dim->name);
    if (param && param->type == LW_PARAM_INT && lw_is_set(b->args, dim->name))
        number = lw_int(b->args, dim->name);
    if (number)
        return (lwi_dim){.kind = LWI_DIM_NUMBER, .number = number};
    for (int i = 0; i < b->symbol_count; i++)
        if (strcmp(b->symbol[i].name, dim->name) == 0)
            return b->symbol[i].value;
    return *dim;
}

static void bind(lwi_bindings *b, const char *name, const lwi_dim *value)
{
    int at = 0;
    while (at < b->symbol_count && strcmp(b->symbol[at].name, name) != 0)
        at++;
    if (at == LWI_MAX_SYMBOLS)
        return; /* stays open: 32 different symbols on one step's ports are beyond what is checked */
    memcpy(b->symbol[at].name, name, strlen(name) + 1);
    b->symbol[at].value = *value;
    b->symbol_count += at == b->symbol_count;
}

/* The port's type with everything known filled in. */
static lwi_port_type evaluated(const lwi_bindings *b, const lwi_port_type *pattern)
{
    lwi_port_type type = *pattern;
    for (int i = 0; i < type.rank; i++)
        type.dim[i] = evaluate(b, &pattern->dim[i]);
    if (strcmp(type.space, "latent") == 0 && *b->latent)
        memcpy(type.space, b->latent, sizeof type.space);
    return type;
}

/* --- fitting -------------------------------------------------------------------------------- */

/* What nothing fixes yet fits everything; run time checks again with real shapes. */
static bool fit_dim(lwi_bindings *b, const lwi_dim *pattern, const lwi_dim *actual)
{
    lwi_dim expected = evaluate(b, pattern);
    if (expected.kind == LWI_DIM_NUMBER)
        return actual->kind != LWI_DIM_NUMBER || actual->number == expected.number;
    bind(b, pattern->name, actual);
    return true;
}

static int rest_of(const lwi_port_type *type)
{
    for (int i = 0; i < type->rank; i++)
        if (type->dim[i].kind == LWI_DIM_REST)
            return i;
    return -1;
}

/* From both ends inwards, until "…" on either side. */
static bool fit_dims(lwi_bindings *b, const lwi_port_type *pattern, const lwi_port_type *actual)
{
    int mine = rest_of(pattern), theirs = rest_of(actual);
    if (mine < 0 && theirs < 0 && pattern->rank != actual->rank)
        return false;
    if (mine >= 0 && theirs < 0 && actual->rank < pattern->rank - 1)
        return false;
    if (mine < 0 && theirs >= 0 && pattern->rank < actual->rank - 1)
        return false;
    int front = mine < 0 ? pattern->rank : mine, back = mine < 0 ? 0 : pattern->rank - 1 - mine;
    for (int i = 0; i < front && (theirs < 0 || i < theirs) && i < actual->rank; i++)
        if (!fit_dim(b, &pattern->dim[i], &actual->dim[i]))
            return false;
    if (mine < 0 && theirs >= 0)
        back = actual->rank - 1 - theirs;
    for (int i = 1; i <= back && (theirs < 0 || i < actual->rank - theirs); i++)
        if (!fit_dim(b, &pattern->dim[pattern->rank - i], &actual->dim[actual->rank - i]))
            return false;
    if (mine >= 0 && theirs < 0 && b->rest_count < 0) {
        b->rest_count = actual->rank - (pattern->rank - 1);
        memcpy(b->rest, &actual->dim[mine], (size_t)b->rest_count * sizeof *b->rest);
    }
    return true;
}

/* `latent` takes any latent space, but one and the same on all of the step's latent ports. */
static bool fit_space(lwi_bindings *b, const char *expected, const char *actual)
{
    if (strcmp(expected, "any") == 0)
        return strcmp(actual, "dataset") != 0;
    if (strcmp(actual, "latent") == 0) /* not known before run time */
        return lwi_list_has(latents, expected);
    if (strcmp(expected, "latent") != 0)
        return strcmp(expected, actual) == 0;
    if (!lwi_list_has(latents, actual) || (*b->latent && strcmp(b->latent, actual) != 0))
        return false;
    snprintf(b->latent, sizeof b->latent, "%s", actual);
    return true;
}

static lw_status fit_model(lwi_bindings *b, const lw_port *port, const lwi_port_type *pattern,
                           const lwi_port_type *actual, const char *source)
{
    if (!lwi_list_has(owned, pattern->space) || !*actual->model)
        return LW_OK;
    if (!*b->model)
        memcpy(b->model, actual->model, sizeof b->model);
    if (strcmp(b->model, actual->model) == 0)
        return LW_OK;
    return lw_fail(LW_INVALID,
                   "step '%s', input '%s': '%s' belongs to model '%s', but this step works on model '%s'; "
                   "the latents, directions and features of one model mean nothing to another",
                   b->step, port->name, source, actual->model, b->model);
}

lw_status lwi_unify(lwi_bindings *b, const lw_port *port, const lwi_port_type *actual, const char *source)
{
    lwi_port_type pattern;
    LW_TRY(lwi_port_parse(port->type, &pattern));
    lwi_bindings before = *b;
    if (!fit_space(b, pattern.space, actual->space) || !fit_dims(b, &pattern, actual)) {
        char expected_text[LWI_PORT_TEXT], actual_text[LWI_PORT_TEXT];
        *b = before;
        lwi_port_type expected = evaluated(b, &pattern);
        return lw_fail(LW_SHAPE, "step '%s', input '%s': expected %s, got %s from '%s'", b->step, port->name,
                       lwi_port_text(&expected, expected_text), lwi_port_text(actual, actual_text), source);
    }
    lw_status status = fit_model(b, port, &pattern, actual, source);
    if (status != LW_OK || port->many)
        *b = before;
    return status;
}

lw_status lwi_check_output(lwi_bindings *b, const lw_port *port, lw_shape shape)
{
    lwi_port_type pattern;
    LW_TRY(lwi_port_parse(port->type, &pattern));
    lwi_port_type actual = lwi_port_of_shape(pattern.space, NULL, shape);
    lwi_bindings before = *b;
    if (fit_dims(b, &pattern, &actual))
        return LW_OK;
    char expected_text[LWI_PORT_TEXT], actual_text[LW_SHAPE_TEXT];
    *b = before;
    lwi_port_type expected = evaluated(b, &pattern);
    return lw_fail(LW_SHAPE, "step '%s', output '%s': expected %s, got %s", b->step, port->name,
                   lwi_port_text(&expected, expected_text), lw_shape_text(shape, actual_text));
}

/* --- results -------------------------------------------------------------------------------- */

/* On an output `latent` is the space of the latent inputs, else what the parameter `space` says, else the one
 * walks go through: W where there is a mapping. */
static void resolve_space(const lwi_bindings *b, lwi_port_type *type)
{
    const lw_plugin *plugin = b->args ? lwi_args_plugin(b->args) : NULL;
    const lw_param *param = plugin ? lwi_param_find(plugin, "space") : NULL;
    const char *space = *b->latent ? b->latent : NULL;
    if (!space && param && param->type == LW_PARAM_CHOICE)
        space = lw_text(b->args, "space");
    if (!space && b->dims)
        space = lwi_dims_get(b->dims, "w_dim") ? "w" : "z";
    if (strcmp(type->space, "latent") == 0 && space && lwi_list_has(latents, space))
        snprintf(type->space, sizeof type->space, "%s", space);
}

static lw_status expand_rest(const lwi_bindings *b, const lw_port *port, lwi_port_type *type)
{
    int at = rest_of(type);
    if (at < 0 || b->rest_count < 0)
        return LW_OK;
    int after = type->rank - at - 1;
    if (at + b->rest_count + after > LW_MAX_RANK)
        return lw_fail(LW_SHAPE, "step '%s', output '%s': it would have %d dims; at most %d are possible",
                       b->step, port->name, at + b->rest_count + after, LW_MAX_RANK);
    memmove(&type->dim[at + b->rest_count], &type->dim[at + 1], (size_t)after * sizeof *type->dim);
    memcpy(&type->dim[at], b->rest, (size_t)b->rest_count * sizeof *type->dim);
    type->rank = at + b->rest_count + after;
    return LW_OK;
}

lw_status lwi_resolve(lwi_bindings *b, const lw_port *port, lwi_port_type *type)
{
    LW_TRY(lwi_port_parse(port->type, type));
    for (int i = 0; i < type->rank; i++) {
        lwi_dim value = evaluate(b, &type->dim[i]);
        bool open = value.kind == LWI_DIM_NAME && strcmp(value.name, type->dim[i].name) == 0;
        if (open) /* named after the step, so that equal letters of different steps are different */
            snprintf(value.name, sizeof value.name, "%.31s.%.31s", b->step, type->dim[i].name);
        type->dim[i] = value;
    }
    LW_TRY(expand_rest(b, port, type));
    if (lwi_list_has(owned, type->space))
        memcpy(type->model, b->model, sizeof type->model);
    resolve_space(b, type);
    return LW_OK;
}
