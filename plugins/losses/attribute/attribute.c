/* attribute.c — guides a walk by what a network sees in its images (TrajectoryNet, section III.C, "optional
 * attribute loss", whose form neither paper nor code gives).
 *
 * classifier: the attribute's logit follows a straight ramp of probabilities `from` -> `to` along the walk,
 * by binary cross-entropy. contrastive (Hadsell, Chopra, LeCun 2006, eq. 4): points of the same half of a
 * walk carry the same label and are drawn together in the network's output, points of different halves are
 * pushed at least `margin` apart. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const forms[] = {"classifier", "contrastive", NULL};
static const char *const network_needs[] = {"network", NULL};

static const lw_param params[] = {
    {"network", LW_PARAM_MODEL, NULL, NULL, 0, 0, network_needs,
     "The model whose network judges the images."},
    {"form", LW_PARAM_CHOICE, NULL, "classifier", 0, 0, forms, "How the walk is guided; see the README."},
    {"output", LW_PARAM_STRING, NULL, "0", 0, 0, NULL,
     "Which of the network's outputs is the attribute: its number, or its label (classifier)."},
    {"from", LW_PARAM_FLOAT, "probability", "0", 0, 1, NULL, "Wanted at the first point (classifier)."},
    {"to", LW_PARAM_FLOAT, "probability", "1", 0, 1, NULL, "Wanted at the last point (classifier)."},
    {"margin", LW_PARAM_FLOAT, NULL, "1", 0, 1e6, NULL,
     "Least distance between the halves (contrastive; Hadsell et al. use 1)."},
};

/* logits [N, T, K] -> scalar */
static lw_value classifier(lw_graph *g, const lw_args *args, const lw_model *network, lw_value logits)
{
    int64_t points = lw_dim(g, logits, 1),
            output = lw_model_find_output(network, lw_text(args, "output"), lw_dim(g, logits, 2));
    if (output < 0)
        return lw_graph_fail(g, LW_INVALID, "loss/attribute: output: %s", lw_error_text());
    double from = lw_float(args, "from"), to = lw_float(args, "to");
    lw_value ramp = lw_affine(g, lw_iota(g, points), (to - from) / (double)(points - 1), from);
    lw_value logit = lw_reshape(g, lw_slice(g, logits, 2, output, 1, 1), LW_SHAPE(-1, points));
    /* -p log s(x) - (1 - p) log(1 - s(x)) = softplus(x) - p x */
    return lw_mean(g, lw_sub(g, lw_softplus(g, logit), lw_mul(g, ramp, logit)), LW_ALL_AXES, false);
}

/* embedding [N, T, K] -> scalar: mean over pairs i < j of each walk */
static lw_value contrastive(lw_graph *g, const lw_args *args, lw_value embedding)
{
    int64_t walks = lw_dim(g, embedding, 0), points = lw_dim(g, embedding, 1), size = lw_dim(g, embedding, 2);
    lw_value left = lw_reshape(g, embedding, LW_SHAPE(walks, points, 1, size));
    lw_value right = lw_reshape(g, embedding, LW_SHAPE(walks, 1, points, size));
    lw_value squared = lw_sum(g, lw_square(g, lw_sub(g, left, right)), LW_AXIS(3), false); /* [N, T, T] */
    lw_value distance = lw_sqrt(g, lw_affine(g, squared, 1, 1e-12));
    lw_value half = lw_less(g, lw_affine(g, lw_iota(g, points), 1, 0.5), lw_scalar(g, (double)points / 2));
    lw_value same = lw_equal(g, lw_reshape(g, half, LW_SHAPE(points, 1)), half);
    lw_value apart = lw_square(g, lw_relu(g, lw_affine(g, distance, -1, lw_float(args, "margin"))));
    lw_value later = lw_less(g, lw_reshape(g, lw_iota(g, points), LW_SHAPE(points, 1)), lw_iota(g, points));
    lw_value pairs = lw_mul(g, later, lw_where(g, same, squared, apart));
    return lw_affine(g, lw_sum(g, pairs, LW_ALL_AXES, false), 2.0 / (double)(walks * points * (points - 1)),
                     0);
}

static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    int64_t points = lw_dim(g, lw_loss_value(inputs, "latents"), 1);
    if (points < 2)
        return lw_graph_fail(g, LW_SHAPE, "loss/attribute: a walk needs at least 2 points, this one has %lld",
                             (long long)points);
    lw_model *network = lw_loss_model(inputs, "network");
    bool classifies = strcmp(lw_text(args, "form"), "classifier") == 0;
    lw_value seen = lw_apply(g, network, lw_loss_value(inputs, "images"));
    lw_value logits = lw_part_tap(g, network, LW_PART_NETWORK, "logits");
    if (classifies && !lw_is_null(logits)) /* a network with labels returns probabilities */
        seen = logits;
    seen = lw_reshape(g, lw_flatten(g, seen, 1),
                      LW_SHAPE(-1, points, lw_shape_count(lw_shape_of(g, seen)) / lw_dim(g, seen, 0)));
    return classifies ? classifier(g, args, network, seen) : contrastive(g, args, seen);
}

static const char *const needs[] = {"latents", "images", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(LOSS, "attribute", "1.0.0", "Guides a walk by an attribute that a network sees in its images",
          .source = "TrajectoryNet, section III.C; Hadsell, Chopra, LeCun 2006 (contrastive)",
          LW_PARAMS(params), .needs = needs, .functions = &functions);
