/* programs.c — see trainer.h. */
#include "trainer.h"

#include <string.h>

/* Of every picture and output, before masks and weights: binary cross-entropy for a class, the squared or
 * smooth-L1 error, in deviations of its label, for an amount. [B, K] all. */
static lw_value losses(trainer *t, lw_graph *g, lw_value logits, lw_value outputs, lw_value target)
{
    const lw_shape row = LW_SHAPE(1, t->targets.count);
    /* -t log s(x) - (1 - t) log(1 - s(x)) = softplus(x) - t x */
    lw_value entropy = lw_sub(g, lw_softplus(g, logits), lw_mul(g, target, logits));
    lw_value error = lw_div(g, lw_sub(g, outputs, target), lw_constant(g, row, t->targets.deviation));
    lw_value squared = lw_affine(g, lw_square(g, error), 0.5, 0);
    if (strcmp(lw_text(t->args, "amount_loss"), "smooth-l1") == 0) {
        /* e^2 / 2 up to 1, from there on |e| - 1/2 (Girshick 2015, equation 3) */
        lw_value size = lw_abs(g, error);
        squared = lw_where(g, lw_less(g, size, lw_scalar(g, 1)), squared, lw_affine(g, size, 1, -0.5));
    }
    return lw_where(g, lw_broadcast(g, lw_constant(g, row, t->targets.is_class), lw_shape_of(g, target)),
                    entropy, squared);
}

/* The model's outputs and, by its tap, what went into them: [B, K] both. */
static lw_value apply(trainer *t, lw_graph *g, lw_value images, bool training, lw_value *logits)
{
    lw_value outputs = lw_apply(g, t->model, images, .training = training, .trainable = training);
    *logits = lw_part_tap(g, t->model, LW_PART_NETWORK, "logits");
    if (!lw_is_null(outputs) && lw_is_null(*logits))
        return lw_graph_fail(g, LW_UNSUPPORTED,
                             "the network of model '%s' names no tap `logits`, as one with `labels` must",
                             lw_model_name(t->model));
    return outputs;
}

static void optimise(trainer *t, lw_graph *g, lw_value loss)
{
    lw_value rate = lw_input(g, "rate", LW_SCALAR);
    float decay = (float)lw_float(t->args, "weight_decay"), momentum = (float)lw_float(t->args, "momentum");
    if (strcmp(lw_text(t->args, "optimizer"), "sgd") == 0)
        lw_sgd(g, loss, t->network, t->state, .rate = rate, .momentum = momentum, .weight_decay = decay);
    else
        lw_adam(g, loss, t->network, t->state, .rate = rate, .beta1 = momentum, .weight_decay = decay);
}

lw_program *compile_training(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    const lw_shape table = LW_SHAPE(t->image.dim[0], t->targets.count);
    lw_value target = lw_input(g, "target", table), known = lw_input(g, "known", table), logits;
    lw_value outputs = apply(t, g, lw_input(g, "images", t->image), true, &logits);
    lw_value weight = lw_mul(g, known, lw_constant(g, LW_SHAPE(1, t->targets.count), t->targets.share));
    lw_value loss = lw_sum(g, lw_mul(g, losses(t, g, logits, outputs, target), weight), LW_ALL_AXES, false);
    loss = lw_affine(g, loss, 1 / (double)t->image.dim[0], 0);
    lw_output(g, "loss", loss);
    optimise(t, g, loss);
    return lw_step_compile(t->step, g, "training");
}

lw_program *compile_validation(trainer *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_value target = lw_input(g, "target", LW_SHAPE(t->image.dim[0], t->targets.count)), logits;
    lw_value outputs = apply(t, g, lw_input(g, "images", t->image), false, &logits);
    lw_output(g, "losses", losses(t, g, logits, outputs, target));
    lw_output(g, "outputs", outputs);
    return lw_step_compile(t->step, g, "validation");
}
