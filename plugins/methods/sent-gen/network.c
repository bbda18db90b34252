/* network.c — the traversal network of equation 2 with its ablations, its losses, and how it is applied. */
#include "sent_gen.h"

#include <math.h>
#include <string.h>

/* [in, out]; weights that are not there yet are drawn as He et al. 2015, for ReLU: what comes of one amount
 * is as large as the amount, however many components there are. */
static lw_value dense(lw_graph *g, int64_t in, int64_t out, const char *name)
{
    double bound = sqrt(6.0 / (double)in);
    return lw_weight(g, LW_SHAPE(in, out), lw_init_uniform(-bound, bound), "%s", name);
}

/* weight[row + i][column + i] = value for all i; rows have `columns` numbers. */
static void set_diagonal(float *weight, int64_t columns, int64_t row, int64_t column, int64_t size,
                         float value)
{
    for (int64_t i = 0; i < size; i++)
        weight[(row + i) * columns + column + i] = value;
}

/* relu(z) - relu(-z) = z, and (z - (-z)) / 2 = z without activations; amounts do not count at first. */
lw_status network_start(traversal_net *net)
{
    const int64_t d = net->size;
    const bool mlp = strcmp(net->variant, "mlp") == 0;
    const float half = strcmp(net->variant, "linear") == 0 ? 0.5f : 1;
    float *out = lw_alloc((size_t)(3 * d * d), sizeof *out), *wz = lw_alloc((size_t)(2 * d * d), sizeof *wz);
    lw_status status = out && wz ? LW_OK : lw_error_status();
    if (status == LW_OK) {
        set_diagonal(wz, 2 * d, 0, 0, d, 1);
        set_diagonal(wz, 2 * d, 0, d, d, -1);
        set_diagonal(out, d, 2 * d, 0, d, mlp ? 1 : -half);
        if (!mlp)
            set_diagonal(out, d, d, 0, d, half);
        status = lw_store_set(net->weights, "out", LW_SHAPE(3 * d, d), out);
    }
    if (status == LW_OK && !mlp)
        status = lw_store_set(net->weights, "wz", LW_SHAPE(d, 2 * d), wz);
    lw_free(out);
    lw_free(wz);
    return status;
}

/* What goes into the last layer, [N, 3D]: the appendix's shape of w_z*, by which the sum of equation 2 is a
 * concatenation. The MLP of the ablation has the same shape: both amounts, each repeated D times, and z. */
static lw_value hidden(lw_graph *g, const traversal_net *net, lw_value z, lw_value c, lw_value wanted)
{
    const int64_t d = net->size;
    if (strcmp(net->variant, "mlp") == 0) {
        lw_shape shape = lw_shape_of(g, z);
        return lw_concat(g, (lw_value[]){lw_broadcast(g, c, shape), lw_broadcast(g, wanted, shape), z}, 3, 1);
    }
    /* c w_c - c* w_c */
    lw_value change = lw_matmul(g, lw_sub(g, c, wanted), dense(g, 1, d, "wc"));
    lw_value context = lw_matmul(g, z, dense(g, d, 2 * d, "wz"));
    lw_value both = lw_concat(g, (lw_value[]){change, context}, 2, 1);
    return strcmp(net->variant, "linear") == 0 ? both : lw_relu(g, both);
}

lw_value network_build(lw_graph *g, sent_gen *s, lw_value z, lw_value c, lw_value wanted)
{
    lw_scope scope = {.size = sizeof scope,
                      .plugin = "method/sent-gen",
                      .model = "traversal",
                      .prefix = "",
                      .store = s->net.weights,
                      .seed = s->seed,
                      .create = true};
    lw_scope_push(g, &scope);
    lw_value h = hidden(g, &s->net, z, c, wanted);
    lw_value out = lw_matmul(g, h, dense(g, 3 * s->net.size, s->net.size, "out"));
    lw_scope_pop(g);
    return strcmp(s->net.variant, "linear") == 0 ? out : lw_tanh(g, out);
}

/* Squared length of the rows, or their mean square, as a mean over rows. */
static lw_value length(lw_graph *g, sent_gen *s, lw_value rows)
{
    lw_value mean = lw_mean(g, lw_square(g, rows), LW_ALL_AXES, false);
    return strcmp(lw_text(s->args, "norm"), "mean") == 0 ? mean : lw_affine(g, mean, (double)s->net.size, 0);
}

network_losses network_losses_of(lw_graph *g, sent_gen *s, const network_batch *b)
{
    const char *attribute = s->net.attribute;
    network_losses l;
    lw_value moved = network_build(g, s, b->z, b->c, b->wanted);
    lw_value others = lw_affine(g, b->mask, -1, 1);
    lw_value seen = pool_scores(g, s, lw_mul(g, moved, b->unit), &attribute, 1);
    l.relevant = length(g, s, lw_mul(g, b->mask, lw_sub(g, moved, b->aim)));
    l.irrelevant = length(g, s, lw_mul(g, others, lw_sub(g, moved, b->z)));
    l.attribute = lw_mean(g, lw_square(g, lw_sub(g, seen, b->wanted)), LW_ALL_AXES, false);
    l.total = lw_add(g, lw_affine(g, l.relevant, lw_float(s->args, "lambda1"), 0),
                     lw_affine(g, l.irrelevant, lw_float(s->args, "lambda2"), 0));
    l.total = lw_add(g, l.total, lw_affine(g, l.attribute, lw_float(s->args, "lambda3"), 0));
    return l;
}

/* --- applying it ---------------------------------------------------------------------------------- */
float network_scale(const traversal_net *net, const float *z, float *scaled)
{
    float unit = net->unit;
    for (int64_t i = 0; !(net->unit > 0) && i < net->size; i++)
        unit = fmaxf(unit, fabsf(z[i]));
    unit = unit > 0 ? unit : 1; /* the origin */
    for (int64_t i = 0; i < net->size; i++)
        scaled[i] = z[i] / unit;
    return unit;
}

float network_wanted(float c, double change)
{
    return (float)fmax(0, fmin((double)c + change * (double)c, 1));
}

/* Inputs "z" [POOL_BATCH, D], "c" and "wanted" [POOL_BATCH, 1], output "moved", all in units. */
static lw_program *compile(sent_gen *s)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value z = lw_input(g, "z", LW_SHAPE(POOL_BATCH, s->net.size));
    lw_value c = lw_input(g, "c", LW_SHAPE(POOL_BATCH, 1));
    lw_output(g, "moved", network_build(g, s, z, c, lw_input(g, "wanted", LW_SHAPE(POOL_BATCH, 1))));
    return lw_step_compile(s->step, g, "traverse");
}

/* Rows first … of all points, counted along walks, that the batch holds. */
typedef struct points {
    float *z, *moved; /* [POOL_BATCH, D] in units */
    float unit[POOL_BATCH], c[POOL_BATCH], wanted[POOL_BATCH];
} points;

static lw_status move(sent_gen *s, lw_program *program, points *p, const lw_tensor *z, const float *c,
                      lw_tensor *walk, int64_t first)
{
    const int64_t d = s->net.size, steps = walk->shape.dim[1], total = walk->shape.dim[0] * steps;
    for (int64_t i = 0; i < POOL_BATCH; i++) {
        int64_t at = first + i < total ? first + i : total - 1;
        p->unit[i] = network_scale(&s->net, z->data + at / steps * d, p->z + i * d);
        p->c[i] = c[at / steps];
        p->wanted[i] = network_wanted(p->c[i], lw_list_float(s->args, "changes", (int)(at % steps)));
    }
    LW_TRY(lw_program_write(program, "z", p->z, (size_t)(POOL_BATCH * d)));
    LW_TRY(lw_program_write(program, "c", p->c, POOL_BATCH));
    LW_TRY(lw_program_write(program, "wanted", p->wanted, POOL_BATCH));
    LW_TRY(lw_program_run(program));
    LW_TRY(lw_program_read(program, "moved", p->moved, (size_t)(POOL_BATCH * d)));
    for (int64_t i = 0; i < POOL_BATCH && first + i < total; i++) {
        const int64_t at = first + i;
        const bool stays = lw_list_float(s->args, "changes", (int)(at % steps)) == 0;
        for (int64_t k = 0; k < d; k++)
            walk->data[at * d + k] = stays ? z->data[at / steps * d + k] : p->moved[i * d + k] * p->unit[i];
    }
    return LW_OK;
}

lw_status network_walk(sent_gen *s, const lw_tensor *z, const float *c, lw_tensor *walk)
{
    const int64_t total = walk->shape.dim[0] * walk->shape.dim[1];
    points p = {.z = lw_alloc((size_t)(POOL_BATCH * s->net.size), sizeof *p.z),
                .moved = lw_alloc((size_t)(POOL_BATCH * s->net.size), sizeof *p.moved)};
    lw_program *program = p.z && p.moved ? compile(s) : NULL;
    lw_status status = program ? LW_OK : lw_error_status();
    for (int64_t first = 0; status == LW_OK && first < total; first += POOL_BATCH)
        status = move(s, program, &p, z, c, walk, first);
    lw_free(p.z);
    lw_free(p.moved);
    return status;
}
