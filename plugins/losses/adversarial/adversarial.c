/* adversarial.c — how real do images look to a discriminator: both sides of the GAN game.
 *
 * With a "real" value it is the discriminator's loss on real and fake scores; otherwise the generator's,
 * on "fake" scores or, where only "images" are given, on their scores by the model's discriminator. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const forms[] = {"non-saturating", "saturating",  "wasserstein",
                                    "hinge",          "probability", NULL};

static const lw_param params[] = {
    {"form", LW_PARAM_CHOICE, NULL, "non-saturating", 0, 0, forms,
     "Binary cross-entropy with the generator wanting the label `real` (non-saturating) or not the label "
     "`fake` (saturating; both Goodfellow et al. 2014), Wasserstein (Arjovsky et al. 2017), hinge (Lim & Ye "
     "2017), or minus the mean probability (lateGAN's TrajectoryNet)."},
};

/* scores [N, 1] -> scalar */
static lw_value discriminator_side(lw_graph *g, const char *form, lw_value real, lw_value fake)
{
    if (strcmp(form, "wasserstein") == 0)
        return lw_sub(g, lw_mean(g, fake, LW_ALL_AXES, false), lw_mean(g, real, LW_ALL_AXES, false));
    if (strcmp(form, "probability") == 0)
        return lw_sub(g, lw_mean(g, lw_sigmoid(g, fake), LW_ALL_AXES, false),
                      lw_mean(g, lw_sigmoid(g, real), LW_ALL_AXES, false));
    lw_value on_real, on_fake;
    if (strcmp(form, "hinge") == 0) {
        on_real = lw_relu(g, lw_affine(g, real, -1, 1));
        on_fake = lw_relu(g, lw_affine(g, fake, 1, 1));
    } else { /* -log D(real), -log(1 - D(fake)) */
        on_real = lw_softplus(g, lw_neg(g, real));
        on_fake = lw_softplus(g, fake);
    }
    return lw_add(g, lw_mean(g, on_real, LW_ALL_AXES, false), lw_mean(g, on_fake, LW_ALL_AXES, false));
}

/* scores [N, 1] -> scalar */
static lw_value generator_side(lw_graph *g, const char *form, lw_value fake)
{
    lw_value each;
    if (strcmp(form, "non-saturating") == 0)
        each = lw_softplus(g, lw_neg(g, fake));
    else if (strcmp(form, "saturating") == 0)
        each = lw_neg(g, lw_softplus(g, fake));
    else if (strcmp(form, "probability") == 0)
        each = lw_neg(g, lw_sigmoid(g, fake));
    else
        each = lw_neg(g, fake);
    return lw_mean(g, each, LW_ALL_AXES, false);
}

static lw_value build(lw_graph *g, const lw_args *args, const lw_loss_inputs *inputs)
{
    const char *form = lw_text(args, "form");
    lw_value fake = lw_loss_value(inputs, "fake"), real = lw_loss_value(inputs, "real");
    if (lw_is_null(fake))
        fake = lw_discriminate(g, lw_loss_model(inputs, NULL), lw_loss_value(inputs, "images"));
    return lw_is_null(real) ? generator_side(g, form, fake) : discriminator_side(g, form, real, fake);
}

static const char *const needs[] = {"images", "discriminator", NULL};
static const lw_loss functions = {sizeof(lw_loss), build};

LW_PLUGIN(
    LOSS, "adversarial", "1.0.0", "Realism by the model's discriminator, for both sides of the game",
    .source = "Goodfellow et al. 2014; Arjovsky et al. 2017; Lim & Ye 2017; lateGAN a4604a17 (probability)",
    LW_PARAMS(params), .needs = needs, .functions = &functions);
