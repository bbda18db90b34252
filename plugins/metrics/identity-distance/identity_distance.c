/* identity_distance.c — metric/identity-distance: how far pictures along a walk are from its start, as a
 * network sees them. */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model that the walks go through."},
    {"network", LW_PARAM_MODEL, .choices = network_needs,
     .doc =
         "The model whose network sees the pictures. Only a network that recognises people sees identity."},
    {"tap", LW_PARAM_STRING, NULL, "features",
     .doc = "The place in the network where features are taken, [N, F], or [N, C, H, W] to be averaged over "
            "pixels; `output` stands for what the network returns."},
    {"from", LW_PARAM_INT, "point", "0", 0, 1000000, NULL,
     "The point of each walk that the others are compared with, counted from 0 (of a walk from -3 to 3, the "
     "one at 0)."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures made and seen at a time."},
};

static const lw_port inputs[] = {
    {"walk", "latent[N, T, \xe2\x80\xa6]", .doc = "N walks of T points, z, w or w+."},
};

/* 1 - cosine of the angle between two rows of features. */
static lw_status distance(const float *a, const float *b, int64_t size, double *out)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < size; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    *out = 1 - ab / sqrt(aa * bb);
    return isfinite(*out)
               ? LW_OK
               : lw_fail(LW_NUMERIC, "features are zero or not finite: they have no direction to compare");
}

static lw_status tell(lw_step *step, const lw_tensor *features, int64_t count, int64_t points)
{
    const int64_t size = features->shape.dim[1], from = lw_int(lw_step_args(step), "from");
    double total = 0, mean = 0;
    for (int64_t t = 0; t < points; t++) {
        lw_spread spread = {0};
        double apart;
        for (int64_t n = 0; n < count; n++) {
            const float *walk = features->data + n * points * size;
            LW_TRY(distance(walk + from * size, walk + t * size, size, &apart));
            lw_spread_add(&spread, apart);
        }
        mean = lw_spread_mean(&spread);
        total += t == from ? 0 : mean;
        LW_TRY(lw_step_log_spread(step, "identity distance", t, &spread));
    }
    LW_TRY(lw_step_metric(step, "walk", "mean over the other points", total / (double)(points - 1)));
    return lw_step_metric(step, "walk", "at the end", mean);
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *walks = lw_step_input(step, "walk", 0);
    const int64_t count = walks->shape.dim[0], points = walks->shape.dim[1];
    lw_model *network = lw_step_model(step, "network");
    if (points < 2 || lw_int(args, "from") >= points)
        return lw_fail(LW_SHAPE,
                       "from: point %lld; the walks have %lld points, counted from 0, and need at least 2",
                       (long long)lw_int(args, "from"), (long long)points);
    lw_tensor *features =
        lw_step_features(step, network, lw_text(args, "tap"), lw_step_model(step, "model"),
                         lw_step_input_space(step, "walk", 0), walks, lw_int(args, "batch"));
    if (!features)
        return lw_error_status();
    lw_step_note(
        step,
        "distances are in `%s` of the network of model '%s'; they tell of identity only if it recognises "
        "people",
        lw_text(args, "tap"), lw_model_name(network));
    lw_status status = lw_step_is_dry(step) ? LW_OK : tell(step, features, count, points);
    lw_tensor_destroy(features);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "identity-distance", "1.0.0",
          "How far pictures along walks are from their start, in the features of a network",
          .source = "1 - cosine of features, as face recognition compares them (Deng et al. 2019, ArcFace)",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
