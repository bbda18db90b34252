/* jacobian_spectrum.c — metric/jacobian-spectrum: how strongly each direction of Z acts, by the singular
 * values of the mapping's Jacobian. */
#include <latentwalk/latentwalk.h>

#include <math.h>

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .doc = "The model whose mapping network is looked at."},
    {"tap", LW_PARAM_STRING, NULL, "",
     .doc = "A tap of the generator to be looked at instead of w, as where there is no mapping network."},
    {"cutoff", LW_PARAM_FLOAT, NULL, "0.05", 0, 1e6, NULL,
     "Directions with a singular value up to this count as dead (Bounded Local Space, supplement, section 1: "
     "0.05)."},
    {"batch", LW_PARAM_INT, "latents", "16", 1, 1024, NULL, "Jacobians made at a time."},
};

static const lw_port inputs[] = {
    {"z", "z[N, z_dim]", .doc = "Where the Jacobian is taken."},
};

/* Over latents: each of the k singular values, and what is told of one Jacobian. */
typedef struct sums {
    int64_t k;
    lw_spread *value; /* [k] */
    lw_spread condition;
    double alive;
} sums;

static void add(sums *s, const float *values, double cutoff)
{
    for (int64_t i = 0; i < s->k; i++) {
        lw_spread_add(&s->value[i], (double)values[i]);
        s->alive += values[i] > cutoff;
    }
    lw_spread_add(&s->condition, log10((double)values[0] / fmax(values[s->k - 1], 1e-30)));
}

static lw_status tell(lw_step *step, const sums *s)
{
    for (int64_t i = 0; i < s->k; i++)
        LW_TRY(lw_step_log_spread(step, "singular value", i + 1, &s->value[i]));
    LW_TRY(lw_step_metric(step, "Jacobian", "largest", lw_spread_mean(&s->value[0])));
    LW_TRY(lw_step_metric(step, "Jacobian", "median", lw_spread_mean(&s->value[s->k / 2])));
    LW_TRY(lw_step_metric(step, "Jacobian", "smallest", lw_spread_mean(&s->value[s->k - 1])));
    LW_TRY(lw_step_metric(step, "Jacobian", "condition (log10)", lw_spread_mean(&s->condition)));
    return lw_step_metric(step, "Jacobian", "values above the cutoff", s->alive / s->condition.count);
}

static lw_status see(lw_local *local, const lw_tensor *z, int64_t batch, sums *s, double cutoff)
{
    const int64_t count = z->shape.dim[0], first = batch * local->batch,
                  some = count - first < local->batch ? count - first : local->batch;
    LW_TRY(lw_local_at(local, z->data + first * local->z_dim, some));
    for (int64_t n = 0; n < some; n++)
        add(s, local->values + n * local->k, cutoff);
    return LW_OK;
}

static lw_status measure(lw_step *step, lw_local *local, const lw_tensor *z, sums *s)
{
    const double cutoff = lw_float(lw_step_args(step), "cutoff");
    for (int64_t i; lw_next_again(step, (z->shape.dim[0] + local->batch - 1) / local->batch, &i);)
        LW_TRY(see(local, z, i, s, cutoff));
    LW_TRY(lw_step_finish(step));
    return lw_step_is_dry(step) ? LW_OK : tell(step, s);
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *z = lw_step_input(step, "z", 0);
    const int64_t batch = lw_int(args, "batch"), count = z->shape.dim[0];
    lw_local *local = lw_step_local(step, lw_step_model(step, "model"),
                                    .tap = lw_is_set(args, "tap") ? lw_text(args, "tap") : NULL,
                                    .batch = batch < count ? batch : count);
    if (!local)
        return lw_error_status();
    sums s = {.k = local->k, .value = lw_alloc((size_t)local->k, sizeof(lw_spread))};
    lw_status status = s.value ? measure(step, local, z, &s) : LW_MEMORY;
    lw_free(s.value);
    lw_local_destroy(local);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "jacobian-spectrum", "1.0.0",
          "How strongly each direction of Z acts: the Jacobian's singular values",
          .source =
              "Choi et al., Do Not Escape From the Manifold (Local Basis), section 3; Harada et al., Bounded "
              "Local Space, eq. 2 and 3",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
