/* trainer.h — the parts of the network trainer: what the labels ask for, and the programs it compiles. */
#ifndef TRAINER_H
#define TRAINER_H

#include <latentwalk/latentwalk.h>

/* --- targets.c: labels of pictures, as the network's outputs should be ------------------------ */
typedef struct targets {
    int count;        /* K, the network's outputs */
    lw_label *label;  /* [K] */
    float *is_class;  /* [K]: 1 or 0 */
    double *weight;   /* [K]: of the label's group, shared by its members as they are emphasised */
    float *share;     /* [K]: that, over the part of the training pictures for which the label is known */
    float *deviation; /* [K]: of an amount's known targets; 1 for a class */
} targets;

/* Names and groups of the model's outputs; weights of the groups from the step's arguments. */
lw_status targets_open(targets *t, lw_model *model, const lw_args *args);
void targets_close(targets *t);
/* Where each output's label stands in the dataset; all known labels must lie in their range. `column` [K]. */
lw_status targets_find(const targets *t, const lw_dataset *dataset, const char *port, int *column);
/* Fills in share and deviation from the training pictures. */
lw_status targets_measure(targets *t, const lw_dataset *dataset, const int *column);
/* labels [n, columns] -> target [n, K] in [0, 1] and known [n, K]: 1, or 0 where the label is NaN (target 0).
 */
void targets_read(const targets *t, const int *column, size_t columns, const float *labels, size_t n,
                  float *target, float *known);

/* --- programs.c ------------------------------------------------------------------------------- */
typedef struct trainer {
    lw_step *step;
    const lw_args *args;
    lw_model *model;
    targets targets;
    lw_store *network, *state; /* in training; the optimiser's */
    lw_shape image;            /* [batch, C, H, W] */
} trainer;

/* Inputs "images" [batch, C, H, W], "target", "known" [batch, K], "rate"; output "loss"; updates the network.
 */
lw_program *compile_training(trainer *t);
/* Inputs "images", "target"; outputs "losses" and "outputs" [batch, K], nothing masked; updates nothing. */
lw_program *compile_validation(trainer *t);

#endif
