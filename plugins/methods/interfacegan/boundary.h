/* boundary.h — InterFaceGAN's parts: which latents are examples, the boundary between them, directions made
 * independent of others. */
#ifndef BOUNDARY_H
#define BOUNDARY_H

#include <latentwalk/linalg.h>

/* The latents with the highest and the lowest scores (utils/manipulator.py, train_boundary). */
typedef struct boundary_examples {
    int64_t count;          /* of each kind */
    int64_t *order;         /* [valid] rows by falling score: positives first, negatives last; owned */
    int64_t valid;          /* rows with a score that counts */
    double highest, lowest; /* score */
} boundary_examples;

/* `chosen`: a share of the valid rows up to 1, above it a number; at most half of them. Scores equal to
 * `invalid` do not count (NULL: all do). LW_INVALID where there is nothing to tell apart, LW_NUMERIC for a
 * score that is not finite. */
lw_status boundary_choose(const float *scores, int64_t rows, int64_t stride, double chosen,
                          const double *invalid, boundary_examples *examples);
void boundary_forget(boundary_examples *examples);

/* The linear SVM (hinge loss, LIBSVM's tolerance 1e-3) between `count` rows of each kind of latents [..,
 * size]: its unit normal towards the positive ones, and its place: normal . x - offset is 0 on it. */
lw_status boundary_train(const float *latents, int64_t size, const int64_t *positive, const int64_t *negative,
                         int64_t count, double c, float *normal, double *offset);

/* normal [size] without its parts along conditions [count, size], unit length again (project_boundary). */
lw_status boundary_project(float *normal, const float *conditions, int64_t count, int64_t size);

#endif
