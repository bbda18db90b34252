/* reconstructor.h — the reconstructor R of Voynov & Babenko (section 3.2): of an image and its shifted one,
 * by which direction and how far. Weights of the current scope, named as released. */
#ifndef RECONSTRUCTOR_H
#define RECONSTRUCTOR_H

#include <latentwalk/latentwalk.h>

typedef struct reconstruction {
    lw_value logits; /* [N, k] */
    lw_value shift;  /* [N] */
} reconstruction;

/* LeNet (released: width 2): pair [N, 2 C, H, W], at least 28 px. */
reconstruction reconstruct_lenet(lw_graph *g, lw_value pair, int64_t count, int64_t width);
/* torchvision's ResNet-18 with a head for each answer (released: width 64). */
reconstruction reconstruct_resnet18(lw_graph *g, lw_value pair, int64_t count, int64_t width);

/* Cross-entropy against the direction index [N, 1], a mean; mean |predicted - shift [N, 1]|. */
lw_value reconstruction_entropy(lw_graph *g, const reconstruction *r, lw_value index);
lw_value reconstruction_error(lw_graph *g, const reconstruction *r, lw_value shift);

#endif
