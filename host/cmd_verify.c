/* cmd_verify.c — latentwalk verify: a network against numbers of its official implementation. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "claims.h"
#include "common.h"
#include "network.h"
#include "plugin/args.h"

enum { MOST = 256, MOST_ARGS = 64 };

typedef struct verification {
    const lwh_options *options;
    lwi_registry *registry;
    lw_store *weights, *expected;
    lw_device *device;
    lw_model *model;
    const char *generator; /* plugin id, once known */
    lwh_claim claim[MOST];
    int count;
    /* of the graph being built */
    lw_value tap[MOST], z, labels, image;
} verification;

/* --- values of the fixture ------------------------------------------------------------------- */

static lw_value given(verification *v, lw_graph *g, const char *name)
{
    const lw_tensor *tensor = lw_store_has(v->expected, name) ? lw_store_get(v->expected, name) : NULL;
    return tensor ? lw_constant(g, tensor->shape, tensor->data) : (lw_value){0};
}

static lw_value first_given(verification *v, lw_graph *g, const char *const *names)
{
    while (*names && !lw_store_has(v->expected, *names))
        names++;
    return *names ? given(v, g, *names) : (lw_value){0};
}

/* [N, classes]: as given, or class numbers [N] as one-hot rows; null for a model without classes. */
static lw_value labels_of(verification *v, lw_graph *g, bool mixed)
{
    static const char *const names[] = {"class_vector", "c", "label", "labels", "y", NULL};
    int64_t classes = lw_model_dim(v->model, "classes");
    if (!classes)
        return (lw_value){0};
    lw_value labels = mixed ? given(v, g, "class_mix") : first_given(v, g, names);
    if (lw_is_null(labels) || lw_shape_of(g, labels).rank == 2)
        return labels;
    int64_t n = lw_dim(g, labels, 0);
    lw_value row =
        lw_broadcast(g, lw_reshape(g, lw_iota(g, classes), LW_SHAPE(1, classes)), LW_SHAPE(n, classes));
    return lw_equal(g, row, lw_reshape(g, labels, LW_SHAPE(n, 1)));
}

static lw_value tap(verification *v, lw_graph *g, const char *part, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s/%s", lw_model_name(v->model), part, name);
    return lw_tap_value(g, full);
}

/* The generator's tap, under the fixture's name or under the plugin's where pytorch_GAN_zoo's modules have
 * others. */
static lw_value feature(verification *v, lw_graph *g, const char *name)
{
    char other[LWH_CLAIM_TEXT + 8] = "";
    lw_value found = tap(v, g, "generator", name);
    if (strcmp(name, "formatLayer") == 0)
        strcpy(other, "format");
    else if (strncmp(name, "relu", 4) == 0)
        snprintf(other, sizeof other, "block%s", name + 4);
    return lw_is_null(found) && *other ? tap(v, g, "generator", other) : found;
}

/* --- what is compared ------------------------------------------------------------------------ */

static lw_value repeat(lw_graph *g, lw_value w, int64_t count)
{
    int64_t n = lw_dim(g, w, 0), d = lw_dim(g, w, 1);
    return lw_broadcast(g, lw_reshape(g, w, LW_SHAPE(n, 1, d)), LW_SHAPE(n, count, d));
}

/* w [N, w_dim] or w+ [N, num_ws, w_dim], as the expected tensor is */
static lw_value latent(verification *v, lw_graph *g, const lwh_claim *claim)
{
    lw_shape shape;
    if (!lw_model_has(v->model, "map") || lw_store_shape(v->expected, claim->name, &shape) != LW_OK)
        return (lw_value){0};
    lw_value w = lw_map(g, v->model, v->z, .labels = v->labels);
    if (claim->with_count)
        w = lw_truncate(g, v->model, w);
    bool plus = shape.rank == 3 && !lw_is_null(w) && lw_shape_of(g, w).rank == 2;
    return plus ? repeat(g, w, lw_model_dim(v->model, "num_ws")) : w;
}

/* dw/dz at z[0], [w_dim, z_dim]: a row of z for every row of the result. */
static lw_value jacobian(verification *v, lw_graph *g)
{
    int64_t rows = lw_model_dim(v->model, "w_dim"), size = lw_model_dim(v->model, "z_dim");
    if (!rows)
        return (lw_value){0};
    lw_value labels = v->labels, result, i = lw_iota(g, rows);
    lw_value z0 = lw_broadcast(g, lw_slice(g, v->z, 0, 0, 1, 1), LW_SHAPE(rows, size));
    if (!lw_is_null(labels))
        labels = lw_broadcast(g, lw_slice(g, labels, 0, 0, 1, 1), LW_SHAPE(rows, lw_dim(g, labels, 1)));
    lw_value each = lw_equal(g, lw_reshape(g, i, LW_SHAPE(rows, 1)), i);
    lw_gradient(g, lw_map(g, v->model, z0, .labels = labels), each, &z0, 1, &result);
    return result;
}

static lw_value gradient(verification *v, lw_graph *g, const lwh_claim *claim, lw_value of_tap)
{
    lw_shape shape;
    lw_value y = v->image, by = v->z, seed = given(v, g, "grad_out"), result = {0};
    bool plus = lw_model_has(v->model, "map") && lw_store_has(v->expected, claim->rest) &&
                lw_store_shape(v->expected, claim->rest, &shape) == LW_OK && shape.rank == 3;
    if (claim->of_score) {
        if (!lw_model_has(v->model, "discriminator"))
            return result;
        y = lw_discriminate(g, v->model, v->image, .labels = v->labels);
        seed = (lw_value){0};
    } else if (plus) {
        by = given(v, g, claim->rest);
        y = lw_synthesize(g, v->model, by, .labels = v->labels);
    } else if (strcmp(claim->rest, "z") != 0) {
        by = of_tap;
    }
    if (lw_is_null(by) || lw_is_null(y))
        return result;
    lw_gradient(g, y, seed, &by, 1, &result);
    return result;
}

static lw_value score(verification *v, lw_graph *g, const lwh_claim *claim)
{
    static const char *const images[] = {"image", "image_const", NULL};
    lw_value image = first_given(v, g, images), all[64];
    if (lw_is_null(image) || !lw_model_has(v->model, "discriminator"))
        return (lw_value){0};
    int64_t n = lw_dim(g, image, 0);
    for (int64_t i = 0; claim->kind == LWH_CLAIM_DOUBLED && i < n && i < 64; i++) {
        lw_value one = lw_slice(g, image, 0, i, 1, 1);
        lw_value both = lw_discriminate(g, v->model, lw_concat(g, (lw_value[]){one, one}, 2, 0));
        all[i] = lw_slice(g, both, 0, 0, 1, 1);
    }
    if (claim->kind == LWH_CLAIM_DOUBLED)
        return lw_concat(g, all, (int)(n < 64 ? n : 64), 0);
    if (claim->kind == LWH_CLAIM_SINGLE)
        return lw_discriminate(g, v->model, lw_slice(g, image, 0, 0, 1, 1));
    lw_value raw = lw_discriminate(g, v->model, image, .labels = v->labels);
    if (claim->kind == LWH_CLAIM_FEATURES)
        return tap(v, g, "discriminator", "features");
    return strcmp(claim->name, "D_prob") == 0 ? lw_sigmoid(g, raw) : raw;
}

/* Style mixing: the first `crossed` layers by w, the others by the batch's w in reverse order. */
static lw_value mixed_image(verification *v, lw_graph *g, const lwh_claim *claim)
{
    int64_t n = lw_dim(g, v->z, 0), rest = lw_model_dim(v->model, "num_ws") - claim->crossed;
    if (!lw_model_has(v->model, "map") || rest <= 0)
        return (lw_value){0};
    lw_value w = lw_map(g, v->model, v->z, .labels = v->labels);
    lw_value parts[2] = {repeat(g, w, claim->crossed), repeat(g, lw_slice(g, w, 0, n - 1, n, -1), rest)};
    return lw_synthesize(g, v->model, lw_concat(g, parts, 2, 1), .labels = v->labels);
}

static lw_value image(verification *v, lw_graph *g, const lwh_claim *claim)
{
    if (claim->crossed)
        return mixed_image(v, g, claim);
    if (!*claim->rest)
        return v->image;
    lw_value plus = given(v, g, claim->rest);
    return lw_is_null(plus) ? plus : lw_synthesize(g, v->model, plus, .labels = v->labels);
}

/* `of_tap`: the generator's tap called `rest`, or null */
static lw_value make(verification *v, lw_graph *g, const lwh_claim *claim, lw_value of_tap)
{
    switch (claim->kind) {
    case LWH_CLAIM_IMAGE: return image(v, g, claim);
    case LWH_CLAIM_LATENT: return latent(v, g, claim);
    case LWH_CLAIM_SCORE:
    case LWH_CLAIM_SINGLE:
    case LWH_CLAIM_DOUBLED:
    case LWH_CLAIM_FEATURES: return score(v, g, claim);
    case LWH_CLAIM_GRADIENT: return gradient(v, g, claim, of_tap);
    case LWH_CLAIM_JACOBIAN: return jacobian(v, g);
    case LWH_CLAIM_TAP: return of_tap;
    default: return (lw_value){0};
    }
}

/* --- comparing ------------------------------------------------------------------------------- */

static double deviation(const lw_tensor *t)
{
    int64_t n = lw_shape_count(t->shape);
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)t->data[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (t->data[i] - mean) * (t->data[i] - mean) / (double)n;
    return n > 1 ? sqrt(square) : fabs(mean);
}

static void compare(verification *v, lwh_claim *claim, const lw_tensor *got)
{
    const lw_tensor *want = lw_store_get(v->expected, claim->name);
    claim->problem = NULL;
    claim->error = 0;
    if (!want || lw_shape_count(got->shape) != lw_shape_count(want->shape)) {
        claim->error = INFINITY; /* another number of elements agrees with nothing */
        return;
    }
    for (int64_t i = 0; i < lw_shape_count(want->shape); i++) {
        double error = fabs((double)got->data[i] - want->data[i]);
        claim->error = error <= claim->error ? claim->error : error; /* keeps a NaN */
    }
    claim->error /= deviation(want);
}

static bool in_group(const lwh_claim *claim, const lwh_claim *first)
{
    return claim->kind != LWH_CLAIM_INPUT && lwh_claims_agree(claim, first);
}

/* Builds what the group claims; taps first, before another build of the generator takes their places. */
static void build(verification *v, lw_graph *g, const lwh_claim *first)
{
    v->z = given(v, g, "z");
    v->labels = labels_of(v, g, first->mixed);
    v->image = lw_generate(g, v->model, v->z, .labels = v->labels);
    for (int i = 0; i < v->count; i++)
        v->tap[i] = *v->claim[i].rest ? feature(v, g, v->claim[i].rest) : (lw_value){0};
    for (int i = 0; i < v->count; i++) {
        lwh_claim *claim = &v->claim[i];
        if (!in_group(claim, first) || claim->problem)
            continue;
        lw_value value = make(v, g, claim, v->tap[i]);
        if (lw_is_null(value))
            claim->problem = "neither an output nor a tap of this model";
        else
            lw_output(g, claim->name, value);
    }
}

static lw_status run_group(verification *v, lw_graph *g, const lwh_claim *first)
{
    build(v, g, first);
    LW_TRY(lw_graph_status(g));
    bool any = false;
    for (int i = 0; i < v->count; i++)
        any = any || (in_group(&v->claim[i], first) && !v->claim[i].problem);
    if (!any)
        return LW_OK;
    lw_program *program = lw_compile(g, v->device);
    lw_status status = program ? lw_program_run(program) : lw_error_status();
    for (int i = 0; i < v->count && status == LW_OK; i++) {
        if (!in_group(&v->claim[i], first) || v->claim[i].problem)
            continue;
        lw_tensor *got = lw_program_read_tensor(program, v->claim[i].name);
        if (got)
            compare(v, &v->claim[i], got);
        status = got ? LW_OK : lw_error_status();
        lw_tensor_destroy(got);
    }
    lw_program_destroy(program);
    return status;
}

/* Why the group cannot be made, for all its claims. */
static void refuse(verification *v, const lwh_claim *first, const char *problem)
{
    lwh_claim key = *first;
    for (int i = 0; i < v->count; i++)
        if (in_group(&v->claim[i], &key) && !v->claim[i].problem)
            v->claim[i].problem = problem;
}

static bool has_parameters(const verification *v, const lwh_claim *first)
{
    const lw_plugin *plugin = lwi_model_plugin(v->model, LW_PART_GENERATOR);
    for (int i = 0; i < first->with_count; i++) {
        char key[LWH_CLAIM_TEXT];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(first->with[i], "="), first->with[i]);
        if (plugin && !lwi_param_find(plugin, key))
            return false;
    }
    return true;
}

static bool has_prefix(const lw_store *weights, const char *prefix)
{
    for (size_t i = 0; prefix && i < lw_store_count(weights); i++)
        if (strncmp(lw_store_name(weights, i), prefix, strlen(prefix)) == 0)
            return true;
    return !prefix;
}

/* The generator with the arguments of the command line and of the claim. */
static lw_status set_generator(verification *v, const lwh_claim *first)
{
    const char *with[MOST_ARGS + LWH_CLAIM_ARGS + 1] = {NULL};
    int count = 0;
    for (int i = 0; i < v->options->set_count && count < MOST_ARGS; i++)
        if (strncmp(v->options->sets[i], "with.", 5) == 0)
            with[count++] = v->options->sets[i] + 5;
    for (int i = 0; first && i < first->with_count; i++)
        with[count++] = first->with[i];
    return lwh_network_part(v->model, v->registry, LW_PART_GENERATOR, v->weights, v->generator,
                            first ? first->prefix : NULL, with);
}

static lw_status verify_group(verification *v, const lwh_claim *first)
{
    if (!has_parameters(v, first))
        return refuse(v, first, "this generator has no parameter for it"), LW_OK;
    if (!has_prefix(v->weights, first->prefix))
        return refuse(v, first, "these weights do not hold that network"), LW_OK;
    LW_TRY(set_generator(v, first));
    lw_graph *g = lw_graph_create();
    lw_status status = g ? run_group(v, g, first) : LW_MEMORY;
    lw_graph_destroy(g);
    return status;
}

static lw_status verify(verification *v)
{
    bool done[MOST] = {false}, scores = false;
    LW_TRY(set_generator(v, NULL));
    v->generator = lwi_plugin_id(lwi_model_plugin(v->model, LW_PART_GENERATOR));
    for (int i = 0; i < v->count; i++)
        scores = scores || strncmp(v->claim[i].name, "D_", 2) == 0 || v->claim[i].of_score;
    if (scores &&
        lwh_network_part(v->model, v->registry, LW_PART_DISCRIMINATOR, v->weights, NULL, NULL, NULL) != LW_OK)
        fprintf(stderr, "no discriminator: %s\n", lw_error_text());
    for (int i = 0; i < v->count; i++) {
        if (done[i] || v->claim[i].kind == LWH_CLAIM_INPUT)
            continue;
        lwh_claim first = v->claim[i];
        LW_TRY(verify_group(v, &first));
        for (int k = i; k < v->count; k++)
            done[k] = done[k] || in_group(&v->claim[k], &first);
    }
    return LW_OK;
}

/* --- files and telling ----------------------------------------------------------------------- */

/* The fixture's description stands for constructor arguments where the weights bring none. */
static lw_status add_config(lw_store *weights, const char *folder)
{
    uint8_t *text = NULL;
    size_t size;
    char *path = lw_format("%s/config.json", folder);
    lw_status status = !path ? LW_MEMORY : lw_file_read(path, 1 << 20, &text, &size);
    char *copy = status == LW_OK ? lw_format("%.*s", (int)size, (const char *)text) : NULL;
    if (copy && !lw_store_metadata(weights, "config"))
        status = lw_store_set_metadata(weights, "config", copy);
    lw_free(copy);
    lw_free(text);
    lw_free(path);
    return status;
}

/* rosinality's files keep the mean of w beside the network, so weights.safetensors does not hold it. */
static lw_status add_mean(lw_store *weights, lw_store *expected)
{
    const lw_tensor *mean =
        lw_store_has(expected, "latent_avg") ? lw_store_get(expected, "latent_avg") : NULL;
    return mean && !lw_store_has(weights, "latent_avg")
               ? lw_store_set(weights, "latent_avg", mean->shape, mean->data)
               : LW_OK;
}

static lw_status open_fixture(verification *v)
{
    const char *folder = v->options->fixture,
               *file = v->options->weights ? v->options->weights : "weights.safetensors";
    char *weights = strchr(file, '/') ? lw_strdup(file) : lw_format("%s/%s", folder, file);
    char *expected = lw_format("%s/expected.safetensors", folder);
    v->weights = weights ? lwi_weights_load(weights) : NULL;
    v->expected = v->weights && expected ? lw_store_load(expected) : NULL;
    lw_free(weights);
    lw_free(expected);
    if (!v->expected)
        return lw_error_status();
    LW_TRY(add_config(v->weights, folder));
    LW_TRY(add_mean(v->weights, v->expected));
    if (!lw_store_has(v->expected, "z"))
        return lw_fail(LW_UNSUPPORTED, "'%s' is no fixture of a generator: it expects nothing of a z",
                       folder);
    for (size_t i = 0; i < lw_store_count(v->expected) && v->count < MOST; i++)
        lwh_claim_read(&v->claim[v->count++], lw_store_name(v->expected, i));
    v->device = lwh_open_device(v->options);
    v->model = v->device ? lwi_model_create("fixture") : NULL;
    return v->model ? LW_OK : lw_error_status();
}

static void tell_json(const lwh_claim *claim, bool passes)
{
    json_t *line =
        claim->problem
            ? json_pack("{s:s, s:b, s:s}", "tensor", claim->name, "compared", 0, "why", claim->problem)
            : json_pack("{s:s, s:b, s:o?, s:f, s:b}", "tensor", claim->name, "compared", 1, "error",
                        json_real(claim->error), "allowed", lwh_claim_tolerance(claim), "passes", passes);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
}

static int tell(const verification *v)
{
    int compared = 0, passed = 0;
    if (!v->options->json)
        printf("%s\n", v->generator);
    for (int i = 0; i < v->count; i++) {
        const lwh_claim *claim = &v->claim[i];
        if (claim->kind == LWH_CLAIM_INPUT)
            continue;
        bool passes = !claim->problem && claim->error <= lwh_claim_tolerance(claim);
        compared += !claim->problem;
        passed += passes;
        if (v->options->json)
            tell_json(claim, passes);
        else if (claim->problem)
            printf("  %-28s not compared: %s\n", claim->name, claim->problem);
        else
            printf("  %-28s %-9.2g %s (allowed %g)\n", claim->name, claim->error, passes ? "passes" : "FAILS",
                   lwh_claim_tolerance(claim));
    }
    if (!v->options->json)
        printf("%d of %d compared tensors pass (largest errors in standard deviations)\n", passed, compared);
    return compared > 0 && passed == compared ? LWH_FINE : LWH_RUN_FAILED;
}

int lwh_cmd_verify(const lwh_options *options)
{
    if (!options->fixture) {
        lw_fail(LW_INVALID, "say which folder: latentwalk verify --fixture FOLDER");
        return lwh_tell_error(options, LWH_USAGE);
    }
    verification *v = lw_alloc(1, sizeof *v);
    if (!v)
        return lwh_tell_error(options, LWH_RUN_FAILED);
    v->options = options;
    v->generator = options->arch;
    v->registry = lwh_find_plugins(options);
    int code = LWH_USAGE;
    if (v->registry)
        code = open_fixture(v) != LW_OK ? lwh_tell_error(options, LWH_USAGE)
               : verify(v) != LW_OK     ? lwh_tell_error(options, LWH_RUN_FAILED)
                                        : tell(v);
    lwi_model_destroy(v->model);
    lw_device_close(v->device);
    lw_store_destroy(v->weights);
    lw_store_destroy(v->expected);
    lwi_registry_destroy(v->registry);
    lw_free(v);
    return code;
}
