/* targets.c — see trainer.h. */
#include "trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* `emphasis`: NAME=FACTOR, on weights that are still 1. */
static lw_status emphasise(targets *t, const lw_model *model, const char *text)
{
    const char *equals = strrchr(text, '=');
    char *end, *name = lw_format("%.*s", equals ? (int)(equals - text) : 0, text);
    double factor = equals ? strtod(equals + 1, &end) : 0;
    lw_status status = name ? LW_OK : LW_MEMORY;
    if (name && (!equals || end == equals + 1 || *end || !(factor > 0 && factor <= 1e6)))
        status =
            lw_fail(LW_INVALID, "emphasis: '%s' must be NAME=FACTOR with a factor above 0, e.g. age=2", text);
    int k = status == LW_OK ? lw_model_find_label(model, name) : -1;
    if (k >= 0)
        t->weight[k] = factor;
    else if (status == LW_OK)
        status = lw_wrap("emphasis");
    lw_free(name);
    return status;
}

lw_status targets_open(targets *t, lw_model *model, const lw_args *args)
{
    t->count = lw_model_label_count(model);
    size_t count = (size_t)t->count;
    if (!(t->label = lw_alloc(count, sizeof *t->label)) || !(t->is_class = lw_alloc(count, sizeof(float))) ||
        !(t->weight = lw_alloc(count, sizeof(double))) || !(t->share = lw_alloc(count, sizeof(float))) ||
        !(t->deviation = lw_alloc(count, sizeof(float))))
        return LW_MEMORY;
    for (int k = 0; k < t->count; k++) {
        LW_TRY(lw_model_label(model, k, &t->label[k]));
        t->is_class[k] = t->label[k].amount ? 0 : 1;
        t->weight[k] = 1;
    }
    for (int i = 0; i < lw_list_count(args, "emphasis"); i++)
        LW_TRY(emphasise(t, model, lw_list_text(args, "emphasis", i)));
    double sum[2] = {0}, group[2] = {lw_float(args, "class_weight"), lw_float(args, "amount_weight")};
    for (int k = 0; k < t->count; k++)
        sum[t->label[k].amount] += t->weight[k];
    for (int k = 0; k < t->count; k++)
        t->weight[k] *= group[t->label[k].amount] / sum[t->label[k].amount];
    return LW_OK;
}

void targets_close(targets *t)
{
    lw_free(t->label);
    lw_free(t->is_class);
    lw_free(t->weight);
    lw_free(t->share);
    lw_free(t->deviation);
}

static lw_status check_range(const lw_label *label, const lw_dataset *dataset, const char *port, int column)
{
    size_t known = 0;
    for (size_t i = 0; i < lw_dataset_count(dataset); i++) {
        double value = (double)lw_dataset_labels(dataset, i)[column];
        known += !isnan(value);
        if (value < label->low || value > label->high)
            return lw_fail(LW_INVALID, "%s: '%s' of '%s' is %g, outside its range %g … %g", port, label->name,
                           lw_dataset_name(dataset, i), value, label->low, label->high);
    }
    return known ? LW_OK
                 : lw_fail(LW_INVALID, "%s: '%s' is not known of a single picture; leave it out of `labels`",
                           port, label->name);
}

lw_status targets_find(const targets *t, const lw_dataset *dataset, const char *port, int *column)
{
    size_t columns = lw_dataset_label_count(dataset);
    for (int k = 0; k < t->count; k++) {
        column[k] = -1;
        for (size_t c = 0; c < columns; c++)
            if (strcmp(lw_dataset_label_name(dataset, c), t->label[k].name) == 0)
                column[k] = (int)c;
        if (column[k] < 0)
            return lw_fail(
                LW_NOT_FOUND,
                "%s: the pictures have no label '%s', which the network has an output for; name it "
                "under `labels` of their source",
                port, t->label[k].name);
        LW_TRY(check_range(&t->label[k], dataset, port, column[k]));
    }
    return LW_OK;
}

lw_status targets_measure(targets *t, const lw_dataset *dataset, const int *column)
{
    size_t count = lw_dataset_count(dataset);
    for (int k = 0; k < t->count; k++) {
        double n = 0, sum = 0, squares = 0, range = t->label[k].high - t->label[k].low;
        for (size_t i = 0; i < count; i++) {
            double value = (double)lw_dataset_labels(dataset, i)[column[k]];
            if (isnan(value))
                continue;
            value = (value - t->label[k].low) / range;
            n++;
            sum += value;
            squares += value * value;
        }
        bool amount = t->label[k].amount;
        double variance = squares / n - sum / n * (sum / n);
        if (amount && !(variance > 1e-12))
            return lw_fail(LW_INVALID, "images: '%s' is the same for all pictures, so nothing can be learnt",
                           t->label[k].name);
        t->share[k] = (float)(t->weight[k] * (double)count / n);
        t->deviation[k] = amount ? (float)sqrt(variance) : 1;
    }
    return LW_OK;
}

void targets_read(const targets *t, const int *column, size_t columns, const float *labels, size_t n,
                  float *target, float *known)
{
    for (size_t i = 0; i < n; i++, labels += columns)
        for (int k = 0; k < t->count; k++, target++, known++) {
            const lw_label *label = &t->label[k];
            double value = (double)labels[column[k]];
            *known = isnan(value) ? 0 : 1;
            *target = isnan(value) ? 0 : (float)((value - label->low) / (label->high - label->low));
        }
}
