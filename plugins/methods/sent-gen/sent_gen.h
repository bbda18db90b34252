/* sent_gen.h — the parts of SeNT-Gen: judging latents, pairs of them, the traversal network, its training,
 * its file. */
#ifndef SENT_GEN_H
#define SENT_GEN_H

#include <latentwalk/latentwalk.h>

/* A traversal network F_k and what goes with it. */
typedef struct traversal_net {
    lw_store *weights; /* "wc" [1, D] and "wz" [D, 2D] (not of `mlp`), "out" [3D, D] */
    char attribute[64], variant[16];
    float unit;   /* what latents are divided by; 0: each by its own largest component */
    int64_t size; /* D */
} traversal_net;

typedef struct sent_gen {
    lw_step *step;
    const lw_args *args;
    lw_model *model, *regressor;
    uint64_t seed; /* of a new network's "wc" */
    traversal_net net;
} sent_gen;

/* --- sent_gen.c ----------------------------------------------------------------------------------- */
enum { MOST_OUTPUTS = 16 };
/* The attribute, then the others, which must not be it: names [MOST_OUTPUTS]. */
lw_status sent_gen_outputs(const sent_gen *s, const char **names, int *count);

/* --- pool.c: what the regressor says of latents' pictures ----------------------------------------- */
enum { POOL_BATCH = 64 };

/* Latents [N, D] -> [N, count]: these outputs of the regressor, by label or number, for the pictures. */
lw_value pool_scores(lw_graph *g, sent_gen *s, lw_value z, const char *const *outputs, int count);
/* Input "z" [POOL_BATCH, D], output "scores" [POOL_BATCH, count]. */
lw_program *pool_compile(sent_gen *s, const char *const *outputs, int count);
/* Latents z [n, D], n <= POOL_BATCH -> scores [n, count]. LW_INVALID where one is not in [0, 1]. */
lw_status pool_judge(sent_gen *s, lw_program *program, const float *z, int64_t n, const char *const *outputs,
                     int count, float *scores);

/* --- pairs.c: latents that differ in the attribute alone ------------------------------------------ */
/* scores [count, columns], the attribute's in column 0. Draws pairs (z, z*) and keeps those with
 *     sum over the other columns of (R(z) - R(z*))^2 <= epsilon
 * until there are `wanted`: rows of both, pairs [wanted, 2]. *rate: the share kept. After a thousand draws
 * for every pair wanted it gives up: LW_INVALID, with the rate and an epsilon that would do. */
lw_status pairs_draw(const float *scores, int64_t count, int columns, double epsilon, lw_stream stream,
                     int64_t wanted, uint32_t *pairs, double *rate);

/* --- network.c: F_k and what it is trained for ---------------------------------------------------- */
/* A new network's "out" and "wz": whatever is wanted, it gives back tanh z (z where there is no tanh). */
lw_status network_start(traversal_net *net);
/* z [N, D] in units, c and wanted [N, 1] -> z^ [N, D] in units (equation 2, or an ablation of it). */
lw_value network_build(lw_graph *g, sent_gen *s, lw_value z, lw_value c, lw_value wanted);

typedef struct network_batch {
    lw_value z, aim;    /* [N, D] in units: z and z* */
    lw_value unit;      /* [N, 1]: of z */
    lw_value c, wanted; /* [N, 1]: c and c* */
    lw_value mask;      /* [1, D]: rho */
} network_batch;
typedef struct network_losses {
    lw_value relevant, irrelevant, attribute; /* L_I, L_-I, L_c: equations 5, 6, 4 */
    lw_value total;                           /* equation 9 */
} network_losses;
network_losses network_losses_of(lw_graph *g, sent_gen *s, const network_batch *batch);

/* Divides a latent by its unit, which is returned. */
float network_scale(const traversal_net *net, const float *z, float *scaled);
/* c* of equation 1. */
float network_wanted(float c, double change);
/* Walks from every latent z [N, D], of amount c [N], through the relative `changes`: [N, T, D]. No change
 * leaves the latent where it is. */
lw_status network_walk(sent_gen *s, const lw_tensor *z, const float *c, lw_tensor *walk);

/* --- train.c -------------------------------------------------------------------------------------- */
/* Trains a network and makes it s->net; tells what it saw. */
lw_status train(sent_gen *s);

/* --- file.c --------------------------------------------------------------------------------------- */
/* .safetensors: the weights; metadata "latentwalk.traversal" = "1", "attribute", "variant", "unit", and the
 * identities "model" and "regressor". Atomic. */
lw_status file_save(sent_gen *s, const char *path, lw_storage storage);
/* Makes s->net of a file; its weights belong to the step. LW_INVALID where it was trained for another model
 * or regressor, unless forced, which is noted. */
lw_status file_load(sent_gen *s, const char *path, bool force);

#endif
