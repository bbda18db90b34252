/* programs.c — see programs.h. */
#include "programs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool is_generators(update_kind kind)
{
    return kind == GENERATOR || kind == GENERATOR_LAZY;
}

bool is_lazy(update_kind kind)
{
    return kind == DISCRIMINATOR_LAZY || kind == GENERATOR_LAZY;
}

const char *losses_of(update_kind kind)
{
    return is_lazy(kind) ? "regularisers" : "losses";
}

bool takes_part(const trainer *t, update_kind kind, int index)
{
    const char *param = losses_of(kind);
    if (is_generators(kind))
        return !lw_step_loss_needs(t->step, param, index, "real") &&
               !lw_step_loss_needs(t->step, param, index, "real_images");
    return !lw_step_loss_needs(t->step, param, index, "w+");
}

int loss_count(const trainer *t, update_kind kind)
{
    int count = 0;
    for (int i = 0; i < lw_list_count(t->args, losses_of(kind)); i++)
        count += takes_part(t, kind, i);
    return count;
}

/* Does a loss of this kind of update look at the value (or ask for the capability)? */
static bool looked_at(const trainer *t, update_kind kind, const char *value)
{
    for (int i = 0; i < lw_list_count(t->args, losses_of(kind)); i++)
        if (takes_part(t, kind, i) && lw_step_loss_needs(t->step, losses_of(kind), i, value))
            return true;
    return false;
}

/* --- parts of the graphs ---------------------------------------------------------------------- */

/* A graph under construction, for one stage. */
typedef struct drawing {
    trainer *t;
    const stage *s;
    lw_graph *g;
    lw_value fade; /* null where nothing fades */
} drawing;

static bool begin(drawing *d, trainer *t, const stage *s)
{
    *d = (drawing){.t = t, .s = s, .g = lw_graph_create()};
    if (d->g && s->fades)
        d->fade = lw_input(d->g, "fade", LW_SCALAR);
    return d->g != NULL;
}

/* "generator", or "generator 8px" of a stage */
static lw_program *compile(drawing *d, const char *name)
{
    char full[96];
    snprintf(full, sizeof full, "%s %lldpx", name, (long long)d->s->resolution);
    return lw_step_compile(d->t->step, d->g, d->s->resolution ? full : name);
}

static lw_build_options options(const drawing *d, bool training, bool trainable)
{
    return (lw_build_options){.size = sizeof(lw_build_options),
                              .training = training,
                              .trainable = trainable,
                              .resolution = d->s->resolution,
                              .fade = d->fade};
}

static lw_value latents(const drawing *d, int64_t count, const char *purpose)
{
    return lw_random_normal(d->g, LW_SHAPE(count, lw_model_dim(d->t->model, "z_dim")), purpose);
}

/* w [N, w_dim] -> w+ [N, num_ws, w_dim] */
static lw_value repeat(const drawing *d, lw_value w)
{
    int64_t n = lw_dim(d->g, w, 0), size = lw_dim(d->g, w, 1), layers = lw_model_dim(d->t->model, "num_ws");
    return lw_broadcast(d->g, lw_reshape(d->g, w, LW_SHAPE(n, 1, size)), LW_SHAPE(n, layers, size));
}

/* Style mixing (Karras et al. 2019, section 3.1): with the chance given, the layers from a random one on take
 * another latent's w; one cut for the whole batch, as the official code draws it. */
static lw_value mix(const drawing *d, lw_value ws, const char *purpose, const lw_build_options *o)
{
    lw_graph *g = d->g;
    double chance = lw_float(d->t->args, "style_mixing");
    int64_t layers = lw_dim(g, ws, 1);
    if (chance == 0 || layers < 2)
        return ws;
    char other[64];
    snprintf(other, sizeof other, "%s, mixed in", purpose);
    lw_value second = repeat(d, lw_map_with(g, d->t->model, latents(d, lw_dim(g, ws, 0), other), o));
    lw_value drawn = lw_random_uniform(g, LW_SHAPE(2), other);
    lw_value where = lw_affine(g, lw_slice(g, drawn, 0, 0, 1, 1), (double)layers - 1, 0);
    where = lw_affine(g, lw_floor(g, where), 1, 1); /* 1 … layers - 1 */
    lw_value mixed = lw_less(g, lw_slice(g, drawn, 0, 1, 1, 1), lw_scalar(g, chance));
    where = lw_where(g, mixed, where, lw_scalar(g, (double)layers));
    lw_value first = lw_less(g, lw_iota(g, layers), where);
    return lw_where(g, lw_reshape(g, first, LW_SHAPE(1, layers, 1)), ws, second);
}

/* Fresh images [count, C, s, s]; *ws gets the w+ they are made from, null without a mapping. */
static lw_value make(const drawing *d, int64_t count, const char *purpose, const lw_build_options *o,
                     lw_value *ws)
{
    lw_value z = latents(d, count, purpose);
    *ws = (lw_value){0};
    if (!lw_model_has(d->t->model, "map"))
        return lw_generate_with(d->g, d->t->model, z, o);
    *ws = mix(d, repeat(d, lw_map_with(d->g, d->t->model, z, o)), purpose, o);
    return lw_synthesize_with(d->g, d->t->model, *ws, o);
}

/* Photographs [batch, C, H, W] -> [batch, C, s, s] as a stage sees them: averaged down, and blended with what
 * the stage before saw, as its images are (progressive_growing_of_gans, train.py, process_reals). */
static lw_value real_images(const drawing *d)
{
    lw_graph *g = d->g;
    lw_value x = lw_input(g, "real", d->t->image);
    int64_t factor = d->s->resolution ? d->t->image.dim[2] / d->s->resolution : 1;
    if (factor > 1)
        x = lw_avg_pool2d(g, x, (int)factor);
    if (lw_is_null(d->fade))
        return x;
    lw_value before = lw_upsample_nearest2d(g, lw_avg_pool2d(g, x, 2), 2);
    return lw_add(g, before, lw_mul(g, d->fade, lw_sub(g, x, before)));
}

/* --- losses ----------------------------------------------------------------------------------- */

/* `score`: how the discriminator is built for all scores. Made images are only made where a loss looks at
 * them. */
static lw_value discriminators_loss(const drawing *d, update_kind kind)
{
    lw_graph *g = d->g;
    trainer *t = d->t;
    const lw_build_options make_options = options(d, true, false), score = options(d, true, true);
    lw_named_value values[4] = {{"real_images", real_images(d)}};
    int count = 1;
    values[count++] = (lw_named_value){"real", lw_discriminate_with(g, t->model, values[0].value, &score)};
    if (looked_at(t, kind, "images") || looked_at(t, kind, "fake")) {
        lw_value ws,
            fake = make(d, t->image.dim[0], is_lazy(kind) ? "lazy" : "discriminator", &make_options, &ws);
        fake = lw_stop_gradient(g, fake);
        values[count++] = (lw_named_value){"images", fake};
        values[count++] = (lw_named_value){"fake", lw_discriminate_with(g, t->model, fake, &score)};
    }
    return lw_step_fitting_losses(t->step, g, losses_of(kind), t->model, values, count, "loss", &score);
}

static lw_value generators_loss(const drawing *d, update_kind kind)
{
    lw_graph *g = d->g;
    trainer *t = d->t;
    const lw_build_options make_options = options(d, true, true), score = options(d, true, false);
    int64_t batch = t->image.dim[0], shrink = is_lazy(kind) ? lw_int(t->args, "generator_shrink") : 1;
    lw_value ws, images = make(d, batch > shrink ? batch / shrink : 1, is_lazy(kind) ? "lazy" : "generator",
                               &make_options, &ws);
    lw_named_value values[3] = {{"images", images}};
    int count = 1;
    if (!lw_is_null(ws))
        values[count++] = (lw_named_value){"w+", ws};
    if (looked_at(t, kind, "fake") || looked_at(t, kind, "discriminator"))
        values[count++] = (lw_named_value){"fake", lw_discriminate_with(g, t->model, images, &score)};
    return lw_step_fitting_losses(t->step, g, losses_of(kind), t->model, values, count, "loss", &score);
}

/* --- programs --------------------------------------------------------------------------------- */

/* StyleGAN2 (appendix B): where regularisers have updates of their own, one in `interval`, the rate is
 * multiplied and the betas are raised by interval / (interval + 1), so that moments decay as if there were
 * none. */
static double lazy_ratio(const trainer *t, bool generators)
{
    if (loss_count(t, generators ? GENERATOR_LAZY : DISCRIMINATOR_LAZY) == 0)
        return 1;
    double interval = (double)lw_int(t->args, generators ? "generator_interval" : "discriminator_interval");
    return interval / (interval + 1);
}

static void adam(const drawing *d, update_kind kind, lw_value loss)
{
    trainer *t = d->t;
    bool generators = is_generators(kind);
    double ratio = lazy_ratio(t, generators);
    lw_value rate = lw_affine(d->g, lw_input(d->g, "rate", LW_SCALAR), ratio, 0);
    lw_adam(d->g, loss, generators ? t->generator : t->discriminator, t->adam[generators], .rate = rate,
            .beta1 = (float)pow(lw_float(t->args, "beta1"), ratio),
            .beta2 = (float)pow(lw_float(t->args, "beta2"), ratio), .sums = t->sums[generators]);
}

/* `gathers`: only adds the gradients to the sums. */
static lw_program *compile_update(trainer *t, const stage *s, update_kind kind, bool gathers)
{
    static const char *const names[] = {"discriminator", "discriminator's regularisers",
                                        "generator's regularisers", "generator"};
    char name[64];
    drawing d;
    if (!begin(&d, t, s))
        return NULL;
    lw_value loss = is_generators(kind) ? generators_loss(&d, kind) : discriminators_loss(&d, kind);
    lw_output(d.g, "loss", loss);
    double weight = 1.0 / (double)lw_int(t->args, "accumulate");
    if (is_lazy(kind)) /* as many times as it is left out */
        weight *=
            (double)lw_int(t->args, is_generators(kind) ? "generator_interval" : "discriminator_interval");
    loss = lw_affine(d.g, loss, weight, 0);
    if (gathers)
        lw_accumulate(d.g, loss, is_generators(kind) ? t->generator : t->discriminator,
                      t->sums[is_generators(kind)]);
    else
        adam(&d, kind, loss);
    if (kind == GENERATOR && !gathers)
        lw_moving_average_by(d.g, t->generator, t->average, lw_input(d.g, "average", LW_SCALAR));
    snprintf(name, sizeof name, "%s%s", names[kind], gathers ? ", a part" : "");
    return compile(&d, name);
}

static lw_program *compile_validation(trainer *t, const stage *s)
{
    drawing d;
    if (!begin(&d, t, s))
        return NULL;
    const lw_build_options plain = options(&d, false, false);
    lw_value z = latents(&d, t->image.dim[0], "validation");
    lw_value images = lw_generate_with(d.g, t->model, z, &plain);
    lw_value real = lw_discriminate_with(d.g, t->model, real_images(&d), &plain);
    lw_value fake = lw_discriminate_with(d.g, t->model, images, &plain);
    const lw_named_value both[] = {{"real", real}, {"fake", fake}, {"images", images}};
    for (int side = 0; side < 2; side++) {
        const char *name = side ? "generator" : "discriminator";
        lw_output(
            d.g, name,
            lw_step_fitting_losses(t->step, d.g, "losses", t->model, both + side, 3 - side, name, &plain));
    }
    lw_output(d.g, "real", lw_mean(d.g, real, LW_ALL_AXES, false));
    lw_output(d.g, "fake", lw_mean(d.g, fake, LW_ALL_AXES, false));
    return compile(&d, "validation");
}

/* Leaves NULL where nothing is to be updated. */
static lw_status compile_calibration(trainer *t, stage *s)
{
    drawing d;
    if (!begin(&d, t, s))
        return LW_MEMORY;
    lw_build_options averaged = options(&d, true, false);
    averaged.store = t->average;
    lw_generate_with(d.g, t->model, latents(&d, t->image.dim[0], "calibration"), &averaged);
    if (!(s->calibration = compile(&d, "calibration")))
        return lw_error_status();
    lw_program_stats stats;
    LW_TRY(lw_program_describe(s->calibration, &stats));
    if (stats.kernels == 0)
        s->calibration = NULL;
    return LW_OK;
}

static lw_program *compile_sampler(trainer *t, const stage *s)
{
    drawing d;
    if (!begin(&d, t, s))
        return NULL;
    lw_build_options averaged = options(&d, false, false);
    averaged.store = t->average;
    lw_value z = lw_input(d.g, "z", LW_SHAPE(t->image.dim[0], lw_model_dim(t->model, "z_dim")));
    lw_value images = lw_generate_with(d.g, t->model, z, &averaged);
    if (s->resolution && s->resolution < t->image.dim[2])
        images = lw_upsample_nearest2d(d.g, images, (int)(t->image.dim[2] / s->resolution));
    lw_output(d.g, "images", images);
    return compile(&d, "samples");
}

lw_status compile_stage(trainer *t, stage *s, bool with_validation)
{
    for (update_kind kind = 0; kind < UPDATE_KINDS; kind++) {
        if (loss_count(t, kind) == 0)
            continue;
        if (!(s->update[kind] = compile_update(t, s, kind, false)) ||
            (t->sums[0] && !(s->gather[kind] = compile_update(t, s, kind, true))))
            return lw_error_status();
    }
    LW_TRY(compile_calibration(t, s));
    if (!(s->sampler = compile_sampler(t, s)) ||
        (with_validation && !(s->validation = compile_validation(t, s))))
        return lw_error_status();
    return LW_OK;
}
