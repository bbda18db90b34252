/* scores.h — the arithmetic of metric/predictions: one output against its known labels. */
#ifndef SCORES_H
#define SCORES_H

#include <latentwalk/latentwalk.h>

/* A known label and what the network said, both in [0, 1]. */
typedef struct pair {
    float label, output;
} pair;

/* Of a class: how labels above 1/2 and outputs above 1/2 meet. */
typedef struct class_score {
    double true_positives, false_negatives, false_positives, true_negatives;
    double accuracy;
    double balanced;    /* mean of the accuracies of both sides; NaN where one is empty */
    double auc;         /* area under the ROC curve: how often a positive's output exceeds a negative's; likewise */
    double calibration; /* expected calibration error over ten bins (Naeini et al. 2015) */
} class_score;
/* Sorts the pairs by output. */
class_score score_class(pair *pairs, size_t count);

/* Of an amount, in units of its range. */
typedef struct amount_score {
    double r;     /* Pearson's; NaN where labels or outputs do not vary */
    double error; /* mean absolute */
    double bias;  /* mean of output - label */
} amount_score;
amount_score score_amount(const pair *pairs, size_t count);

/* Outputs near each other, and how often they were right: bin b holds outputs of [b, b + 1) / BINS. */
#define BINS 10
typedef struct calibration {
    double count[BINS], output[BINS], label[BINS]; /* sums of the last two */
} calibration;
void calibration_add(calibration *c, const pair *pairs, size_t count);
double calibration_error(const calibration *c);

#endif
