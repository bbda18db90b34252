/* sent_gen.c — method/sent-gen: a small network for each attribute that moves a latent so that the attribute
 * of its picture changes by the wanted share, and moves what has nothing to do with the attribute back. */
#include "sent_gen.h"

#include <stdio.h>
#include <string.h>

static const char *const model_needs[] = {"synthesize", NULL};
static const char *const regressor_needs[] = {"network", NULL};
static const char *const estimators[] = {"gaussian", "binned", NULL};
static const char *const scales[] = {"all", "latent", NULL};
static const char *const norms[] = {"sum", "mean", NULL};
static const char *const variants[] = {"sent-gen", "linear", "mlp", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = model_needs, .doc = "The model in whose Z latents are moved."},
    {"regressor", LW_PARAM_MODEL, .choices = regressor_needs,
     .doc = "The model whose network tells the attributes, with outputs in [0, 1]."},
    {"attribute", LW_PARAM_STRING, NULL, "",
     .doc = "The output that is to change, by label or number; with `file`, the file says it."},
    {"changes", LW_PARAM_FLOATS, NULL, "[-1, -0.5, 0, 0.5, 1]", -1, 1e6, NULL,
     "Relative changes r, a point of the walk for each: the amount c is led to c + r c, within 0 and 1 "
     "(equation 1; figures 4, 7, 8: -100 % to +100 %)."},
    {"file", LW_PARAM_PATH, NULL, "",
     .doc = "A network trained before (traversal.safetensors); then nothing is trained."},
    {"force", LW_PARAM_BOOL, NULL, "false",
     .doc = "Takes a `file` trained for other weights all the same; the run says so."},
    {"others", LW_PARAM_STRINGS, NULL, "",
     .doc = "Outputs that are not to change: what pairs must have in common."},
    {"latents", LW_PARAM_INT, NULL, "10000", 2, 1000000, NULL,
     "How many latents are judged, to be paired and to measure information (not in the paper; figure 2: "
     "50,000)."},
    {"pairs", LW_PARAM_INT, NULL, "10000", 1, 10000000, NULL,
     "Valid pairs to train on (N of algorithm 1, not in the paper)."},
    {"epsilon", LW_PARAM_FLOAT, NULL, "0.1", 0, 1e6, NULL,
     "A pair is valid if its squared differences in the other attributes sum up to this at most (paper: "
     "0.1)."},
    {"information", LW_PARAM_CHOICE, NULL, "gaussian", .choices = estimators,
     .doc = "How mutual information is estimated: as of Gaussians (equation 8), or from a table of "
            "frequencies."},
    {"gamma", LW_PARAM_FLOAT, NULL, "0.25", 0, 1, NULL,
     "Components whose information, brought to [0, 1], reaches 1 - gamma may move; 1 lets all of them "
     "(paper: 0.25)."},
    {"scale", LW_PARAM_CHOICE, NULL, "all", .choices = scales,
     .doc = "What brings latents to [-1, 1] for the network: the largest component of all, or of each."},
    {"variant", LW_PARAM_CHOICE, NULL, "sent-gen", .choices = variants,
     .doc = "The network of equation 2, without its activations, or a plain layer (table 5)."},
    {"norm", LW_PARAM_CHOICE, NULL, "sum", .choices = norms,
     .doc = "Whether the losses of latents sum over components (equations 5 and 6) or take their mean."},
    {"lambda1", LW_PARAM_FLOAT, NULL, "0.2", 0, 1e6, NULL,
     "Weight of the distance to z* in the components that count (paper: 0.2)."},
    {"lambda2", LW_PARAM_FLOAT, NULL, "0.7", 0, 1e6, NULL,
     "Weight of the distance to z in all others (paper: 0.7)."},
    {"lambda3", LW_PARAM_FLOAT, NULL, "0.1", 0, 1e6, NULL,
     "Weight of the squared error of the attribute (paper: 0.1)."},
    {"iterations", LW_PARAM_INT, NULL, "200", 1, 10000000, NULL,
     "Training steps (M of algorithm 1, not in the paper)."},
    {"batch", LW_PARAM_INT, "pairs", "32", 1, 4096, NULL, "Pairs per step (not in the paper)."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "3e-5", 0, 10, NULL,
     "Adam's, betas 0.9 and 0.999 (not in the paper; see the README)."},
    {"half", LW_PARAM_BOOL, NULL, "false", .doc = "Store traversal.safetensors in half precision."},
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Latents to move."},
};
static const lw_port outputs[] = {
    {"walk", "z[N, T, z_dim]", .doc = "A walk from each latent through all `changes`."},
    {"images", "image[N, T, channels, height, width]", .doc = "Their images."},
    {"changed", "z[N, z_dim]",
     .doc = "The last point of each walk: where the next attribute's stage begins."},
};

/* --- what the table cannot say -------------------------------------------------------------------- */
lw_status sent_gen_outputs(const sent_gen *s, const char **names, int *count)
{
    const int others = lw_list_count(s->args, "others");
    if (others >= MOST_OUTPUTS)
        return lw_fail(LW_INVALID, "others: %d attributes are too many; at most %d are possible", others,
                       MOST_OUTPUTS - 1);
    names[0] = s->net.attribute;
    for (int i = 0; i < others; i++) {
        names[i + 1] = lw_list_text(s->args, "others", i);
        if (strcmp(names[i + 1], names[0]) == 0)
            return lw_fail(LW_INVALID, "others: '%s' is the attribute that is to change", names[0]);
    }
    *count = others + 1;
    return LW_OK;
}

/* With a trained network nothing is trained. */
static lw_status check_file(const sent_gen *s)
{
    static const char *const keys[] = {
        "others", "latents", "pairs",   "epsilon", "information", "gamma", "scale",         "variant",
        "norm",   "lambda1", "lambda2", "lambda3", "iterations",  "batch", "learning_rate", "half"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (lw_is_given(s->args, keys[i]))
            return lw_fail(LW_INVALID, "%s: it is for training, but `file` names a network trained already",
                           keys[i]);
    return LW_OK;
}

/* Attributes that the regressor does not tell are found by asking for them. */
static lw_status check_training(sent_gen *s)
{
    const char *attribute = lw_text(s->args, "attribute"), *names[MOST_OUTPUTS];
    int count;
    if (!attribute)
        return lw_fail(LW_INVALID, "attribute: which one is to change must be said, unless a `file` says it");
    if (lw_bool(s->args, "force"))
        return lw_fail(LW_INVALID, "force: it is for a `file`, which is not given");
    if (strlen(attribute) >= sizeof s->net.attribute)
        return lw_fail(LW_INVALID,
                       "attribute: '%.80s…' is too long for a label; labels have at most %zu bytes",
                       attribute, sizeof s->net.attribute - 1);
    snprintf(s->net.attribute, sizeof s->net.attribute, "%s", attribute);
    snprintf(s->net.variant, sizeof s->net.variant, "%s", lw_text(s->args, "variant"));
    LW_TRY(sent_gen_outputs(s, names, &count));
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    pool_scores(g, s, lw_input(g, "z", LW_SHAPE(1, s->net.size)), names, count);
    lw_status status = lw_graph_status(g);
    lw_graph_destroy(g);
    return status;
}

static sent_gen open_step(lw_step *step)
{
    sent_gen s = {.step = step,
                  .args = lw_step_args(step),
                  .model = lw_step_model(step, "model"),
                  .regressor = lw_step_model(step, "regressor"),
                  .seed = lw_step_seed(step)};
    s.net.size = lw_model_dim(s.model, "z_dim");
    return s;
}

static lw_status check_settings(sent_gen *s)
{
    if (lw_list_count(s->args, "changes") == 0)
        return lw_fail(LW_INVALID, "changes: at least one is needed");
    return lw_is_set(s->args, "file") ? check_file(s) : check_training(s);
}

static lw_status check(lw_step *step)
{
    sent_gen s = open_step(step);
    return check_settings(&s);
}

/* --- a network, trained now or before ------------------------------------------------------------- */
static lw_status load(sent_gen *s)
{
    LW_TRY(file_load(s, lw_text(s->args, "file"), lw_bool(s->args, "force")));
    if (lw_is_given(s->args, "attribute") && strcmp(lw_text(s->args, "attribute"), s->net.attribute) != 0)
        return lw_fail(LW_INVALID, "attribute: '%s' is asked for, but '%s' was trained for '%s'",
                       lw_text(s->args, "attribute"), lw_text(s->args, "file"), s->net.attribute);
    return LW_OK;
}

static lw_status learn(sent_gen *s)
{
    LW_TRY(train(s));
    if (lw_step_is_dry(s->step))
        return LW_OK;
    char *path = lw_step_path(s->step, "traversal.safetensors");
    lw_status status =
        path ? file_save(s, path, lw_bool(s->args, "half") ? LW_STORE_F16 : LW_STORE_F32) : lw_error_status();
    lw_free(path);
    return status;
}

/* --- applying it ---------------------------------------------------------------------------------- */
/* What the regressor says of the latents now: c [N]. */
static lw_status judge(sent_gen *s, const lw_tensor *z, float *c)
{
    const char *attribute = s->net.attribute;
    lw_program *program = pool_compile(s, &attribute, 1);
    if (!program)
        return lw_error_status();
    for (int64_t first = 0, n = z->shape.dim[0]; first < n; first += POOL_BATCH)
        LW_TRY(pool_judge(s, program, z->data + first * s->net.size,
                          n - first < POOL_BATCH ? n - first : POOL_BATCH, &attribute, 1, c + first));
    return LW_OK;
}

static lw_status hand_over(sent_gen *s, lw_tensor *walk)
{
    const int64_t n = walk->shape.dim[0], steps = walk->shape.dim[1], d = s->net.size;
    lw_tensor *changed = lw_tensor_create(LW_SHAPE(n, d)), flat = *walk, *images = NULL;
    for (int64_t i = 0; changed && i < n; i++)
        memcpy(changed->data + i * d, walk->data + ((i + 1) * steps - 1) * d, (size_t)d * sizeof(float));
    flat.shape = LW_SHAPE(n * steps, d);
    lw_status status =
        changed ? lw_model_images(s->model, lw_step_device(s->step), "z", &flat, POOL_BATCH, &images, NULL)
                : lw_error_status();
    if (status != LW_OK) {
        lw_tensor_destroy(changed);
        lw_tensor_destroy(walk);
        return status;
    }
    const int64_t *pixels = images->shape.dim;
    images->shape = LW_SHAPE(n, steps, pixels[1], pixels[2], pixels[3]);
    status = lw_step_output(s->step, "walk", walk);
    lw_status shown = lw_step_output(s->step, "images", images);
    lw_status next = lw_step_output(s->step, "changed", changed);
    return status != LW_OK ? status : shown != LW_OK ? shown : next;
}

static lw_status apply(sent_gen *s)
{
    const lw_tensor *z = lw_step_input(s->step, "z", 0);
    const int64_t n = z->shape.dim[0];
    lw_tensor *walk = lw_tensor_create(LW_SHAPE(n, lw_list_count(s->args, "changes"), s->net.size));
    float *c = walk ? lw_alloc((size_t)n, sizeof *c) : NULL;
    lw_status status = c ? judge(s, z, c) : lw_error_status();
    if (status == LW_OK)
        status = network_walk(s, z, c, walk);
    lw_free(c);
    if (status == LW_OK)
        return hand_over(s, walk);
    lw_tensor_destroy(walk);
    return status;
}

static lw_status run(lw_step *step)
{
    sent_gen s = open_step(step);
    LW_TRY(check_settings(&s));
    LW_TRY(lw_is_set(s.args, "file") ? load(&s) : learn(&s));
    return apply(&s);
}

static const lw_runner functions = {sizeof functions, run, check};

LW_PLUGIN(METHOD, "sent-gen", "1.0.0",
          "Moves latents by a learned network until an attribute has changed as wanted",
          .source = "Neural Latent Traversal with Semantic Constraints (SeNT-Gen)", LW_PARAMS(params),
          LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
