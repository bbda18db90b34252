/* labels.c — what a network's outputs mean: the entries of its parameter `labels`. */
#include "model/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The part's parameter, or NULL where its outputs have no names. */
static const lw_args *labelled(const lw_model *model)
{
    const lwi_part *part = &model->part[LW_PART_NETWORK];
    const lw_param *param = part->plugin ? lwi_param_find(part->plugin, "labels") : NULL;
    return param && param->type == LW_PARAM_STRINGS ? part->args : NULL;
}

/* "LOW..HIGH" after the name's "=". */
static bool parse_range(const char *text, double *low, double *high)
{
    char *dots, *end;
    *low = strtod(text, &dots);
    if (dots == text)
        return false;
    if (dots[0] != '.' || dots[1] != '.') { /* "0..1": strtod has taken the first dot */
        if (dots[-1] != '.' || dots[0] != '.')
            return false;
        dots--;
    }
    *high = strtod(dots + 2, &end);
    return end != dots + 2 && *end == 0 && isfinite(*low) && isfinite(*high) && *low < *high;
}

static lw_status parse(const char *text, lw_label *label)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    *label = (lw_label){.amount = equals != NULL, .low = 0, .high = 1};
    if (length == 0 || length >= sizeof label->name)
        return lw_fail(LW_INVALID, "labels: '%s' needs a name of 1 … %zu bytes", text,
                       sizeof label->name - 1);
    if (equals && !parse_range(equals + 1, &label->low, &label->high))
        return lw_fail(LW_INVALID,
                       "labels: '%s' must be NAME for a class or NAME=LOW..HIGH for an amount, e.g. "
                       "age=0..100",
                       text);
    memcpy(label->name, text, length);
    return LW_OK;
}

int lw_model_label_count(const lw_model *model)
{
    const lw_args *args = labelled(model);
    return args ? lw_list_count(args, "labels") : 0;
}

lw_status lw_model_label(const lw_model *model, int index, lw_label *label)
{
    int count = lw_model_label_count(model);
    if (index < 0 || index >= count)
        return lw_fail(LW_NOT_FOUND, "model '%s' has no label %d: its network names %d outputs", model->name,
                       index, count);
    return parse(lw_list_text(labelled(model), "labels", index), label);
}

int lw_model_find_label(const lw_model *model, const char *name)
{
    int count = lw_model_label_count(model);
    lw_label *labels = lw_alloc((size_t)count + 1, sizeof *labels);
    const char **names = lw_alloc((size_t)count + 1, sizeof *names);
    int found = -1;
    for (int i = 0; labels && names && i < count; i++) {
        if (lw_model_label(model, i, &labels[i]) == LW_OK && strcmp(labels[i].name, name) == 0)
            found = i;
        names[i] = labels[i].name;
    }
    if (labels && names && found < 0) {
        const char *closest = lw_closest(name, names);
        lw_fail(LW_NOT_FOUND, "model '%s' has no label '%s'%s%s%s", model->name, name,
                closest ? "; did you mean '"
                : count ? ""
                        : ": its network names no outputs",
                closest ? closest : "", closest ? "'?" : "");
    }
    lw_free(labels);
    lw_free(names);
    return found;
}

int64_t lw_model_find_output(const lw_model *model, const char *text, int64_t outputs)
{
    char *end;
    int64_t output = strtoll(text, &end, 10);
    if (end == text || *end)
        return lw_model_find_label(model, text);
    if (output >= 0 && output < outputs)
        return output;
    lw_fail(LW_INVALID, "the network of model '%s' has no output %s: it has %lld (0 to %lld)", model->name,
            text, (long long)outputs, (long long)outputs - 1);
    return -1;
}

lw_status lwi_labels_check(const lw_model *model)
{
    lw_label label, other;
    for (int i = 0; i < lw_model_label_count(model); i++) {
        LW_TRY(lw_model_label(model, i, &label));
        for (int k = 0; k < i; k++)
            if (lw_model_label(model, k, &other) == LW_OK && strcmp(label.name, other.name) == 0)
                return lw_fail(LW_INVALID, "labels: '%s' is there twice", label.name);
    }
    return LW_OK;
}
