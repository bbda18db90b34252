/* graph.c — the graph itself: memory, nodes, the first error. */
#include "graph/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct lwi_block {
    lwi_block *next;
    size_t used, size;
    max_align_t data[];
};

static const struct {
    const char *name;
    char cls;
} op_info[] = {
#define X(name, cls) {#name, #cls[0]},
    LWI_OP_MAP(X)
#undef X
};

const char *lwi_op_name(lwi_op op)
{
    static _Thread_local char text[32];
    size_t i = 0;
    for (const char *c = op_info[op].name; *c && i + 1 < sizeof text; c++, i++)
        text[i] = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    text[i] = 0;
    return text;
}

char lwi_op_class(lwi_op op)
{
    return op_info[op].cls;
}

/* --- life and memory ------------------------------------------------------------------------ */

lw_graph *lw_graph_create(void)
{
    lw_graph *g = lw_alloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->capacity = 64;
    g->count = 1; /* id 0 is the null value */
    g->node = lw_alloc((size_t)g->capacity, sizeof *g->node);
    g->build = lw_alloc(1, sizeof *g->build);
    if (!g->node || !g->build) {
        lw_graph_destroy(g);
        return NULL;
    }
    g->build->private_from = INT32_MAX;
    return g;
}

void lw_graph_destroy(lw_graph *g)
{
    if (!g)
        return;
    if (g->build) {
        for (lwi_block *block = g->build->blocks, *next; block; block = next) {
            next = block->next;
            lw_free(block);
        }
        lw_free(g->build->message);
        lw_free(g->build->scope);
        lw_free(g->build->tap);
        lw_free(g->build->trainable);
        lw_free(g->build->misfit);
        lw_free(g->build->table);
    }
    lw_free(g->build);
    lw_free(g->node);
    lw_free(g->output);
    lw_free(g->assign);
    lw_free(g);
}

static void out_of_memory(lw_graph *g)
{
    if (g->build->status == LW_OK)
        g->build->status = LW_MEMORY;
}

void *lwi_graph_alloc(lw_graph *g, size_t count, size_t size)
{
    const size_t align = sizeof(max_align_t);
    if (size && count > (SIZE_MAX - 4096) / size) {
        out_of_memory(g);
        return NULL;
    }
    size_t bytes = (count * size + align - 1) / align * align;
    lwi_block *block = g->build->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t room = bytes > 16384 ? bytes : 65536;
        block = lw_alloc(1, sizeof *block + room);
        if (!block) {
            out_of_memory(g);
            return NULL;
        }
        block->size = room;
        block->next = g->build->blocks;
        g->build->blocks = block;
    }
    void *memory = (char *)block->data + block->used;
    block->used += bytes;
    return memory;
}

const char *lwi_graph_strdup(lw_graph *g, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = lwi_graph_alloc(g, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

bool lwi_grow(lw_graph *g, void **array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    int room = *capacity ? *capacity * 2 : 16;
    void *memory = lw_resize(*array, (size_t)room, size);
    if (!memory) {
        out_of_memory(g);
        return false;
    }
    *array = memory;
    *capacity = room;
    return true;
}

/* --- errors --------------------------------------------------------------------------------- */

static const char *layer_of(const lw_graph *g, const lw_value *in, int count)
{
    for (int i = count - 1; i >= 0; i--) /* weights come last: the nearest one */
        if (in[i].id > 0 && in[i].id < g->count && g->node[in[i].id].layer)
            return g->node[in[i].id].layer;
    return NULL;
}

static const char *plugin_of(const lw_graph *g)
{
    return g->build->scope_count ? g->build->scope[g->build->scope_count - 1].plugin : NULL;
}

static lw_value keep_error(lw_graph *g, lw_status status, const char *op, const char *layer,
                           const char *format, va_list args)
{
    if (!g || g->build->status != LW_OK)
        return (lw_value){0};
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    const char *plugin = plugin_of(g);
    g->build->status = status;
    g->build->message =
        lw_format("%s%s%s%s%s%s%s%s", plugin ? plugin : "", plugin ? ": " : "", op ? op : "",
                  layer ? " at '" : "", layer ? layer : "", layer ? "'" : "", op ? ": " : "", text);
    return (lw_value){0};
}

lw_value lwi_error(lw_graph *g, lw_status status, const char *op, const lw_value *in, int count,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_error(g, status, op, g ? layer_of(g, in, count) : NULL, format, args);
    va_end(args);
    return (lw_value){0};
}

lw_value lw_graph_fail(lw_graph *g, lw_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_error(g, status == LW_OK ? LW_INVALID : status, NULL, NULL, format, args);
    va_end(args);
    return (lw_value){0};
}

/* All tensors that did not fit, one model per message: "faces: 2 tensors do not fit: missing 'a'; 'b' is
 * …". */
static lw_status report_misfits(const struct lwi_build *build)
{
    const char *model = build->misfit[0].model;
    int count = 0;
    char *text = NULL;
    for (int i = 0; i < build->misfit_count; i++) {
        if (strcmp(build->misfit[i].model, model) != 0)
            continue;
        char *longer = lw_format("%s%s%s", text ? text : "", text ? "; " : "", build->misfit[i].text);
        lw_free(text);
        text = longer;
        if (!text)
            return LW_MEMORY;
        count++;
    }
    lw_fail(LW_SHAPE, "%s: %d tensor%s not fit: %s", *model ? model : "the weights", count,
            count == 1 ? " does" : "s do", text);
    lw_free(text);
    return LW_SHAPE;
}

lw_status lw_graph_status(lw_graph *g)
{
    if (!g)
        return lw_fail(LW_INVALID, "there is no graph");
    if (g->build->misfit_count) /* noted before any other error, since after one nothing is noted */
        return report_misfits(g->build);
    if (g->build->status == LW_OK)
        return LW_OK;
    return lw_fail(g->build->status, "%s", g->build->message ? g->build->message : "out of memory");
}

bool lwi_usable(lw_graph *g, const char *op, const lw_value *in, int count)
{
    if (!g || g->build->status != LW_OK)
        return false;
    for (int i = 0; i < count; i++) {
        if (in[i].id > 0 && in[i].id < g->count)
            continue;
        if (in[i].id == 0)
            lwi_error(g, LW_INVALID, op, in, count, "operand %d is the null value", i + 1);
        else
            lwi_error(g, LW_INVALID, op, in, count, "operand %d is not a value of this graph", i + 1);
        return false;
    }
    return true;
}

/* --- nodes ---------------------------------------------------------------------------------- */

/* Parameters and inputs are one node each; otherwise only a derivative's own nodes are found again. */
static bool shared_leaf(lwi_op op)
{
    return op == LWI_PARAMETER || op == LWI_INPUT;
}

static uint32_t mix(uint32_t hash, const void *data, size_t size)
{
    for (const unsigned char *byte = data; size--; byte++)
        hash = (hash ^ *byte) * 16777619u;
    return hash;
}

static uint32_t hash_node(const lwi_node *n)
{
    uint32_t hash = mix(2166136261u, &n->op, sizeof n->op);
    if (n->name)
        hash = mix(hash, n->name, strlen(n->name));
    if (shared_leaf(n->op))
        return hash;
    hash = mix(hash, n->in, (size_t)n->in_count * sizeof *n->in);
    hash = mix(hash, n->i, sizeof n->i);
    hash = mix(hash, n->f, sizeof n->f);
    return mix(hash, n->shape.dim, sizeof *n->shape.dim * (size_t)n->shape.rank);
}

static bool same_data(const lwi_node *a, const lwi_node *b)
{
    if (!a->data && !b->data)
        return true;
    return a->op == LWI_RESAMPLE2D && memcmp(a->data, b->data, (size_t)a->i[4] * sizeof(float)) == 0;
}

static bool same_node(const lwi_node *a, const lwi_node *b)
{
    if (a->op != b->op || a->store != b->store || !a->name != !b->name ||
        (a->name && strcmp(a->name, b->name) != 0))
        return false;
    if (shared_leaf(a->op))
        return true;
    return a->in_count == b->in_count && lw_shape_equal(a->shape, b->shape) &&
           (!a->in_count || memcmp(a->in, b->in, (size_t)a->in_count * sizeof *a->in) == 0) &&
           memcmp(a->i, b->i, sizeof a->i) == 0 && memcmp(a->f, b->f, sizeof a->f) == 0 && same_data(a, b);
}

static int32_t find_node(const lw_graph *g, const lwi_node *node)
{
    const struct lwi_build *build = g->build;
    if (!build->table_size)
        return 0;
    uint32_t mask = (uint32_t)build->table_size - 1;
    for (uint32_t at = hash_node(node) & mask; build->table[at]; at = (at + 1) & mask) {
        int32_t id = build->table[at];
        if ((shared_leaf(node->op) || id >= build->private_from) && same_node(&g->node[id], node))
            return id;
    }
    return 0;
}

static void put(const lw_graph *g, int32_t id)
{
    uint32_t mask = (uint32_t)g->build->table_size - 1;
    uint32_t at = hash_node(&g->node[id]) & mask;
    while (g->build->table[at])
        at = (at + 1) & mask;
    g->build->table[at] = id;
}

static bool remember_node(lw_graph *g, int32_t id)
{
    struct lwi_build *build = g->build;
    if (2 * build->table_used >= build->table_size) {
        int32_t *old = build->table;
        int old_size = build->table_size;
        int32_t *table = lw_alloc((size_t)(old_size ? old_size * 2 : 256), sizeof *table);
        if (!table) {
            out_of_memory(g);
            return false;
        }
        build->table = table;
        build->table_size = old_size ? old_size * 2 : 256;
        for (int i = 0; i < old_size; i++)
            if (old[i])
                put(g, old[i]);
        lw_free(old);
    }
    put(g, id);
    build->table_used++;
    return true;
}

static bool valid_shape(lw_graph *g, const lwi_node *node)
{
    bool ok = node->shape.rank >= 0 && node->shape.rank <= LW_MAX_RANK;
    int64_t count = 1;
    for (int i = 0; ok && i < node->shape.rank; i++) {
        ok = node->shape.dim[i] >= 1 && node->shape.dim[i] <= INT32_MAX / count;
        count *= ok ? node->shape.dim[i] : 1;
    }
    if (ok)
        return true;
    if (node->shape.rank < 0 || node->shape.rank > LW_MAX_RANK) {
        lwi_error(g, LW_SHAPE, lwi_op_name(node->op), node->in, node->in_count,
                  "the result would have %d dimensions; at most %d are possible", node->shape.rank,
                  LW_MAX_RANK);
        return false;
    }
    char text[LW_SHAPE_TEXT];
    lwi_error(
        g, LW_SHAPE, lwi_op_name(node->op), node->in, node->in_count,
        "the shape %s is not possible: dimensions are at least 1, and at most 2147483647 elements in all",
        lw_shape_text(node->shape, text));
    return false;
}

lw_value lwi_make(lw_graph *g, const lwi_node *proto)
{
    if (!g || g->build->status != LW_OK || !valid_shape(g, proto))
        return (lw_value){0};
    lwi_node node = *proto;
    for (int i = node.shape.rank; i < LW_MAX_RANK; i++)
        node.shape.dim[i] = 0;
    bool findable = shared_leaf(node.op) || g->build->private_from != INT32_MAX;
    int32_t found = findable ? find_node(g, &node) : 0;
    if (found)
        return (lw_value){found};

    if (node.in_count) {
        lw_value *in = lwi_graph_alloc(g, (size_t)node.in_count, sizeof *in);
        if (!in)
            return (lw_value){0};
        node.in = memcpy(in, proto->in, (size_t)node.in_count * sizeof *in);
    }
    if (node.name && !(node.name = lwi_graph_strdup(g, node.name)))
        return (lw_value){0};
    node.layer = node.op == LWI_PARAMETER ? node.name : layer_of(g, node.in, node.in_count);
    node.plugin = plugin_of(g);
    if (g->count == INT32_MAX || !lwi_grow(g, (void **)&g->node, g->count, &g->capacity, sizeof *g->node))
        return (lw_value){0};
    g->node[g->count] = node;
    if (findable && !remember_node(g, g->count))
        return (lw_value){0};
    return (lw_value){g->count++};
}

bool lwi_private_fill(const lw_graph *g, lw_value v, float *value)
{
    const lwi_node *node = lwi_node_of(g, v);
    if (!lwi_private(g, v) || node->op != LWI_CONSTANT || node->data)
        return false;
    *value = node->f[0];
    return true;
}

/* --- questions ------------------------------------------------------------------------------ */

lw_shape lw_shape_of(lw_graph *g, lw_value v)
{
    return lwi_usable(g, "shape_of", &v, 1) ? lwi_node_of(g, v)->shape : LW_SCALAR;
}

int lwi_axis(lw_graph *g, const char *op, lw_value x, int axis)
{
    lw_shape shape = lwi_node_of(g, x)->shape;
    int from_front = axis < 0 ? axis + shape.rank : axis;
    if (from_front >= 0 && from_front < shape.rank)
        return from_front;
    char text[LW_SHAPE_TEXT];
    lwi_error(g, LW_SHAPE, op, &x, 1, "there is no axis %d in %s", axis, lw_shape_text(shape, text));
    return -1;
}

int64_t lw_dim(lw_graph *g, lw_value v, int axis)
{
    if (!lwi_usable(g, "dim", &v, 1))
        return 1;
    int at = lwi_axis(g, "dim", v, axis);
    return at < 0 ? 1 : lwi_node_of(g, v)->shape.dim[at];
}

bool lw_is_null(lw_value v)
{
    return v.id == 0;
}

void lwi_options(void *options, size_t size, const void *given)
{
    uint32_t given_size = 0;
    memset(options, 0, size);
    if (given)
        memcpy(&given_size, given, sizeof given_size);
    memcpy(options, given ? given : options, given_size < size ? given_size : size);
}
