/* claims.h — what the names of a fixture's expected tensors mean. */
#ifndef LWH_CLAIMS_H
#define LWH_CLAIMS_H

#include "latentwalk/latentwalk.h"

typedef enum lwh_claim_kind {
    LWH_CLAIM_INPUT,    /* z, y, grad_out, …: given, not made */
    LWH_CLAIM_IMAGE,    /* image_…: of z, or of the w+ called `rest` */
    LWH_CLAIM_LATENT,   /* w, ws, wp, latent: z mapped and perhaps truncated */
    LWH_CLAIM_TAP,      /* feat_NAME, or the name itself: the generator's tap */
    LWH_CLAIM_SCORE,    /* D_score, D_prob: of the expected image */
    LWH_CLAIM_SINGLE,   /* D_score_single0: of the first image alone */
    LWH_CLAIM_DOUBLED,  /* D_score_doubled: of each image beside itself */
    LWH_CLAIM_FEATURES, /* D_feat: the discriminator's tap `features` */
    LWH_CLAIM_GRADIENT, /* grad_NAME: of sum(image * grad_out), or of the scores' sum, by z, a w+ or a tap */
    LWH_CLAIM_JACOBIAN, /* jacobian_dw_dz0: dw/dz at z[0] */
} lwh_claim_kind;

enum { LWH_CLAIM_TEXT = 64, LWH_CLAIM_ARGS = 4 };

typedef struct lwh_claim {
    const char *name; /* borrowed */
    lwh_claim_kind kind;
    char rest[LWH_CLAIM_TEXT];                 /* the tap, the w+, or what a gradient is by */
    char with[LWH_CLAIM_ARGS][LWH_CLAIM_TEXT]; /* the generator's arguments it is made with, "key=value" */
    int with_count;
    const char *prefix; /* of the generator's weights, where the name tells */
    bool mixed;         /* of the labels class_mix */
    int crossed;   /* styles are mixed: the batch's w in reverse order from this layer on; 0: they are not */
    bool of_score; /* a gradient of the discriminator's scores */
    const char *problem; /* why it is not compared; NULL once it was */
    double error;        /* largest, in standard deviations */
} lwh_claim;

/* Fills in what the name says. */
void lwh_claim_read(lwh_claim *claim, const char *name);
double lwh_claim_tolerance(const lwh_claim *claim);
/* Can both be made by one model in one run? */
bool lwh_claims_agree(const lwh_claim *a, const lwh_claim *b);

#endif
