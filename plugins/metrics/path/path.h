/* path.h — the parts of metric/path: what is measured of one walk. */
#ifndef PATH_H
#define PATH_H

#include "latentwalk/latentwalk.h"

/* The table's columns. Each is the mean over walks, of the walks where it is defined. */
#define PATH_COLUMNS(X)                                                                            \
    X(STEP, "step length")         /* mean ‖z[i+1] - z[i]‖ */                                       \
    X(SMOOTHNESS, "smoothness")    /* Σ ‖z[i+1] - z[i]‖²: the paper's loss, of one walk */          \
    X(LENGTH, "length")            /* Σ ‖z[i+1] - z[i]‖ */                                          \
    X(DISTANCE, "end to end")      /* ‖z[T-1] - z[0]‖ */                                            \
    X(CURVATURE, "curvature °")    /* mean angle between one step and the next, in degrees */       \
    X(COSINE, "step cosine")       /* mean cosine of that angle */                                  \
    X(IMAGE_STEP, "image step")    /* mean root-mean-square pixel change per step, pixels in [-1, 1] */ \
    X(VARIATION, "image step variation") /* deviation / mean of those changes: 0 is an even pace */ \
    X(IMAGE_CHANGE, "image change") /* the same distance between the first and the last image */    \
    X(SCORE, "score")              /* mean raw score of the discriminator */                        \
    X(PROBABILITY, "probability")  /* mean sigmoid(score) */

typedef enum path_column {
#define X(name, text) PATH_##name,
    PATH_COLUMNS(X)
#undef X
    PATH_COLUMN_COUNT
} path_column;

/* One walk: latents [points, size], images [points, pixels], scores [points] or NULL. */
typedef struct walk {
    int64_t points, size, pixels;
    const float *latents, *images, *scores;
} walk;

/* Fills values[PATH_COLUMN_COUNT]; NaN where a column is not defined for this walk. */
void measure(const walk *w, double *values);

#endif
