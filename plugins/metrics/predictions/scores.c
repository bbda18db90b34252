/* scores.c — see scores.h. Sums are double, in a fixed order. */
#include "scores.h"

#include <math.h>
#include <stdlib.h>

static int by_output(const void *a, const void *b)
{
    float x = ((const pair *)a)->output, y = ((const pair *)b)->output;
    return (x > y) - (x < y);
}

/* Mann–Whitney's U over both numbers, from the ranks of the positives; equal outputs share their mean
 * rank. */
static double area(const pair *sorted, size_t count, double positives, double negatives)
{
    double ranks = 0;
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && sorted[next].output <= sorted[first].output;)
            next++;
        for (size_t i = first; i < next; i++)
            ranks += sorted[i].label > 0.5f ? (double)(first + next + 1) / 2 : 0;
    }
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

class_score score_class(pair *pairs, size_t count)
{
    class_score s = {0};
    for (size_t i = 0; i < count; i++) {
        bool is = pairs[i].label > 0.5f, said = pairs[i].output > 0.5f;
        *(is     ? said ? &s.true_positives : &s.false_negatives
          : said ? &s.false_positives
                 : &s.true_negatives) += 1;
    }
    double positives = s.true_positives + s.false_negatives, negatives = s.false_positives + s.true_negatives;
    s.accuracy = (s.true_positives + s.true_negatives) / (double)count;
    s.balanced = (s.true_positives / positives + s.true_negatives / negatives) / 2; /* 0 / 0 is NaN */
    qsort(pairs, count, sizeof *pairs, by_output);
    s.auc = area(pairs, count, positives, negatives);
    calibration c = {0};
    calibration_add(&c, pairs, count);
    s.calibration = calibration_error(&c);
    return s;
}

amount_score score_amount(const pair *pairs, size_t count)
{
    double n = (double)count, label = 0, output = 0, ll = 0, oo = 0, lo = 0;
    amount_score s = {0};
    for (size_t i = 0; i < count; i++) {
        label += (double)pairs[i].label / n;
        output += (double)pairs[i].output / n;
    }
    for (size_t i = 0; i < count; i++) {
        double l = (double)pairs[i].label - label, o = (double)pairs[i].output - output;
        ll += l * l;
        oo += o * o;
        lo += l * o;
        s.error += fabs((double)pairs[i].output - (double)pairs[i].label) / n;
    }
    s.r = lo / sqrt(ll * oo);
    s.bias = output - label;
    return s;
}

void calibration_add(calibration *c, const pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int b = (int)(pairs[i].output * BINS);
        b = b < 0 ? 0 : b >= BINS ? BINS - 1 : b;
        c->count[b] += 1;
        c->output[b] += (double)pairs[i].output;
        c->label[b] += (double)pairs[i].label;
    }
}

double calibration_error(const calibration *c)
{
    double apart = 0, count = 0;
    for (int b = 0; b < BINS; b++) {
        apart += fabs(c->output[b] - c->label[b]);
        count += c->count[b];
    }
    return count > 0 ? apart / count : NAN;
}
