/* traversal.h — what all traversals share: many walks, each taking steps of a given length towards its own
 * aim.
 *
 * A walk goes through W where the generator has a mapping, else through Z. Its aim is a random unit
 * direction, a found direction, or a target latent; a method says how a walk takes one step, this file does
 * all the rest: aims, the points kept, their images, curves over the iterations, checkpoints. */
#ifndef TRAVERSAL_H
#define TRAVERSAL_H

#include <latentwalk/latentwalk.h>

typedef struct traversal {
    lw_step *step;
    lw_model *model;
    const char *space;   /* of the walks: "w" or "z" */
    int64_t count, size; /* walks; elements of a point */
    int64_t z_size;
    int64_t iteration; /* of the step being taken */
    float *at;         /* [count, size] where the walks are */
    float *z;      /* [count, z_size] what `at` is mapped from (the start, where a method leaves it alone) */
    float *unit;   /* [count, size] directions, from the start where there is a target */
    float *target; /* [count, size] or NULL */
    float *aim;    /* [count, size] the step wanted now, at most `distance` long */
    float *before; /* [count, size] where the walks were */
    double *travelled; /* [count] along the aims */
    lw_store *kept;    /* everything that a resumed run needs */
    lw_program *map;   /* z [map_batch, z_size] -> w; NULL in Z */
    int64_t map_batch;
} traversal;

typedef struct traversal_method {
    /* Once, when `at` and `unit` are set (also after a resume). NULL: nothing to prepare. */
    lw_status (*open)(traversal *t, void *self);
    /* Takes one step of every walk: moves `at`, or `z` where `moves_z`. */
    lw_status (*advance)(traversal *t, void *self);
    bool moves_z; /* `at` is then mapped from z */
} traversal_method;

/* The whole of a step plugin's run. `self` is the method's own. */
lw_status traversal_run(lw_step *step, const traversal_method *method, void *self);

/* a . b */
double traversal_dot(const float *a, const float *b, int64_t size);
/* at += aim: a straight step */
lw_status traversal_straight(traversal *t, void *self);
/* Makes rows [count, size] unit vectors with the signs they have. */
void traversal_normalise(float *rows, int64_t count, int64_t size);

/* Parameters and ports that every traversal has, so that one is swapped for another in a pipeline. */
#define TRAVERSAL_PARAMS(needs)                                                                              \
    {"model", LW_PARAM_MODEL, .choices = (needs), .doc = "The model whose latent space is walked."},         \
        {"iterations",                                                                                       \
         LW_PARAM_INT,                                                                                       \
         "steps",                                                                                            \
         "500",                                                                                              \
         1,                                                                                                  \
         1000000,                                                                                            \
         NULL,                                                                                               \
         "Steps of every walk (Bounded Local Space, section 4.1: 500)."},                                    \
        {"distance",                                                                                         \
         LW_PARAM_FLOAT,                                                                                     \
         NULL,                                                                                               \
         "2",                                                                                                \
         -1e6,                                                                                               \
         1e6,                                                                                                \
         NULL,                                                                                               \
         "Length of a step in the space walked, negative to go the other way (Bounded Local Space, "         \
         "supplement 2.1: 2 "                                                                                \
         "for StyleGAN2 on LHQ)."},                                                                          \
        {"keep",                                                                                             \
         LW_PARAM_INTS,                                                                                      \
         "steps",                                                                                            \
         "",                                                                                                 \
         0,                                                                                                  \
         1000000,                                                                                            \
         NULL,                                                                                               \
         "After how many steps a point of the walk is kept, ascending; absent: after each, and the start."}, \
    {                                                                                                        \
        "direction", LW_PARAM_INT, NULL, "0", 0, 65535, NULL,                                                \
            "Which of the directions on port `direction` is followed."                                       \
    }

#define TRAVERSAL_INPUTS                                                                                  \
    {"z", "z[N, z_dim]", .doc = "Where the walks start."},                                                \
        {"target", "z[N, z_dim]", .optional = 1,                                                          \
         .doc = "Where each walk heads; without this or `direction`, in a random direction of its own."}, \
    {                                                                                                     \
        "direction", "direction[K, \xe2\x80\xa6]",                                                        \
            .optional = 1, .doc = "Found directions; one of them is followed by all walks."               \
    }

#define TRAVERSAL_OUTPUTS(space, size)                                               \
    {"walk", space "[N, T, " size "]", .doc = "The points kept of each walk."},      \
        {"images", "image[N, T, channels, height, width]", .doc = "Their images."},  \
    {                                                                                \
        "aims", space "[N, " size "]",                                               \
            .doc = "The unit direction that each walk was to go in, from its start." \
    }

#endif
