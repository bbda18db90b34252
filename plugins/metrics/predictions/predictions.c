/* predictions.c — metric/predictions: what a network says of pictures, beside their labels. */
#include "scores.h"

#include <math.h>
#include <string.h>

static const char *const needs[] = {"labels", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model whose network is judged."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures seen at a time."},
};

static const lw_port inputs[] = {
    {"images", "dataset[N, channels, height, width]",
     .doc = "Pictures with labels, blank where not known; outputs without a label here are left out."},
};

/* What the network says of every picture: [N, K]. A resumed run looks again, since checkpoints do not keep
 * it. */
static lw_status look(lw_step *step, lw_model *model, const lw_dataset *dataset, lw_tensor *outputs)
{
    lw_shape shape = lw_dataset_shape(dataset);
    int64_t count = shape.dim[0], batch = lw_int(lw_step_args(step), "batch"), k = outputs->shape.dim[1];
    shape.dim[0] = batch;
    size_t pixels = (size_t)lw_shape_count(shape);
    lw_graph *g = lw_graph_create();
    if (!g)
        return LW_MEMORY;
    lw_output(g, "outputs", lw_apply(g, model, lw_input(g, "images", shape)));
    lw_program *program = lw_step_compile(step, g, "outputs");
    float *images = program ? lw_alloc(pixels, sizeof *images) : NULL;
    float *row = images ? lw_alloc((size_t)(batch * k), sizeof *row) : NULL;
    lw_status status = row ? LW_OK : lw_error_status();
    for (int64_t i; status == LW_OK && lw_next_again(step, (count + batch - 1) / batch, &i);) {
        size_t real = lw_dataset_range(dataset, (size_t)(i * batch), (size_t)batch, images);
        if ((status = lw_program_write(program, "images", images, pixels)) == LW_OK &&
            (status = lw_program_run(program)) == LW_OK &&
            (status = lw_program_read(program, "outputs", row, (size_t)(batch * k))) == LW_OK)
            memcpy(outputs->data + i * batch * k, row, real * (size_t)k * sizeof *row);
    }
    lw_free(images);
    lw_free(row);
    return status == LW_OK ? lw_step_finish(step) : status;
}

static int column_of(const lw_dataset *dataset, const char *name)
{
    for (size_t c = 0; c < lw_dataset_label_count(dataset); c++)
        if (strcmp(lw_dataset_label_name(dataset, c), name) == 0)
            return (int)c;
    return -1;
}

/* The pictures whose label is known, that and output k. Returns how many. */
static size_t collect(const lw_dataset *dataset, int column, const lw_label *label, const lw_tensor *outputs,
                      int k, pair *pairs)
{
    size_t count = 0;
    for (size_t i = 0; i < lw_dataset_count(dataset); i++) {
        double value = (double)lw_dataset_labels(dataset, i)[column];
        if (!isnan(value))
            pairs[count++] = (pair){(float)((value - label->low) / (label->high - label->low)),
                                    outputs->data[(int64_t)i * outputs->shape.dim[1] + k]};
    }
    return count;
}

/* A cell, unless it has no value. */
static lw_status tell(lw_step *step, const char *row, const char *column, double value)
{
    return isnan(value) ? LW_OK : lw_step_metric(step, row, column, value);
}

static lw_status tell_class(lw_step *step, const char *row, size_t known, const class_score *s)
{
    LW_TRY(lw_step_metric(step, row, "known", (double)known));
    LW_TRY(lw_step_metric(step, row, "accuracy", s->accuracy));
    LW_TRY(tell(step, row, "balanced accuracy", s->balanced));
    LW_TRY(tell(step, row, "AUC", s->auc));
    LW_TRY(lw_step_metric(step, row, "calibration error", s->calibration));
    LW_TRY(lw_step_metric(step, row, "true positives", s->true_positives));
    LW_TRY(lw_step_metric(step, row, "false negatives", s->false_negatives));
    LW_TRY(lw_step_metric(step, row, "false positives", s->false_positives));
    return lw_step_metric(step, row, "true negatives", s->true_negatives);
}

static lw_status tell_amount(lw_step *step, const char *row, size_t known, const lw_label *label,
                             const amount_score *s)
{
    double range = label->high - label->low;
    LW_TRY(lw_step_metric(step, row, "known", (double)known));
    LW_TRY(tell(step, row, "Pearson r", s->r));
    LW_TRY(lw_step_metric(step, row, "mean absolute error", s->error * range));
    return lw_step_metric(step, row, "bias", s->bias * range);
}

/* Sums over the classes judged so far. */
typedef struct summary {
    double classes, accuracy, balanced, auc, sided; /* sided: classes with both sides */
    calibration calibration;
} summary;

static lw_status judge(lw_step *step, const lw_label *label, pair *pairs, size_t known, summary *sum)
{
    if (label->amount) {
        amount_score s = score_amount(pairs, known);
        return tell_amount(step, label->name, known, label, &s);
    }
    class_score s = score_class(pairs, known);
    calibration_add(&sum->calibration, pairs, known);
    sum->classes += 1;
    sum->accuracy += s.accuracy;
    if (!isnan(s.balanced)) {
        sum->sided += 1;
        sum->balanced += s.balanced;
        sum->auc += s.auc;
    }
    return tell_class(step, label->name, known, &s);
}

/* The curve of the report: of outputs around x %, how many % of the labels are positive. Calibrated ones lie
 * on the diagonal. */
static lw_status draw_calibration(lw_step *step, const calibration *c)
{
    for (int b = 0; b <= BINS; b++)
        LW_TRY(lw_step_log_at(step, "calibration in %/perfect", b * 100 / BINS, b * 100.0 / BINS));
    for (int b = 0; b < BINS; b++)
        if (c->count[b] > 0)
            LW_TRY(lw_step_log_at(step, "calibration in %/found", lrint(c->output[b] / c->count[b] * 100),
                                  c->label[b] / c->count[b] * 100));
    return LW_OK;
}

static lw_status summarise(lw_step *step, const summary *sum)
{
    static const char row[] = "mean of classes";
    if (sum->classes == 0)
        return LW_OK;
    LW_TRY(lw_step_metric(step, row, "accuracy", sum->accuracy / sum->classes));
    LW_TRY(tell(step, row, "balanced accuracy", sum->balanced / sum->sided));
    LW_TRY(tell(step, row, "AUC", sum->auc / sum->sided));
    LW_TRY(lw_step_metric(step, row, "calibration error", calibration_error(&sum->calibration)));
    return draw_calibration(step, &sum->calibration);
}

static lw_status compare(lw_step *step, lw_model *model, const lw_dataset *dataset, const lw_tensor *outputs,
                         pair *pairs)
{
    summary sum = {0};
    int judged = 0;
    for (int k = 0; k < lw_model_label_count(model); k++) {
        lw_label label;
        LW_TRY(lw_model_label(model, k, &label));
        int column = column_of(dataset, label.name);
        size_t known = column < 0 ? 0 : collect(dataset, column, &label, outputs, k, pairs);
        if (known == 0)
            continue;
        judged++;
        LW_TRY(judge(step, &label, pairs, known, &sum));
    }
    if (judged == 0)
        return lw_fail(LW_INVALID,
                       "no output of model '%s' has a label among these pictures; name them under `labels` "
                       "of their source",
                       lw_model_name(model));
    return summarise(step, &sum);
}

static lw_status run(lw_step *step)
{
    lw_model *model = lw_step_model(step, "model");
    const lw_dataset *dataset = lw_step_input_dataset(step, "images", 0);
    int64_t count = (int64_t)lw_dataset_count(dataset);
    lw_tensor *outputs = lw_tensor_create(LW_SHAPE(count, lw_model_label_count(model)));
    pair *pairs = lw_alloc((size_t)count, sizeof *pairs);
    lw_status status = outputs && pairs ? look(step, model, dataset, outputs) : LW_MEMORY;
    if (status == LW_OK)
        status = compare(step, model, dataset, outputs, pairs);
    lw_tensor_destroy(outputs);
    lw_free(pairs);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "predictions", "1.0.0", "How well a network's outputs agree with the labels of pictures",
          .source = "the usual scores; Naeini et al. 2015 (calibration error)", LW_PARAMS(params),
          LW_INPUTS(inputs), .functions = &runner);
