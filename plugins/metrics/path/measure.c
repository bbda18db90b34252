/* measure.c — the numbers of one walk. All sums are double, in a fixed order. */
#include "path.h"

#include <math.h>

static double dot_of_steps(const float *a, const float *b, const float *c, const float *d, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += ((double)b[i] - a[i]) * ((double)d[i] - c[i]);
    return sum;
}

static double distance(const float *a, const float *b, int64_t size)
{
    return sqrt(dot_of_steps(a, b, a, b, size));
}

static void measure_latents(const walk *w, double *values)
{
    double length = 0, squares = 0, angles = 0, cosines = 0, before = 0;
    int64_t turns = 0;
    for (int64_t i = 0; i + 1 < w->points; i++) {
        const float *z = w->latents + i * w->size;
        double step = distance(z, z + w->size, w->size);
        length += step;
        squares += step * step;
        if (i > 0 && step > 0 && before > 0) { /* standing still has no direction */
            double cosine = dot_of_steps(z - w->size, z, z, z + w->size, w->size) / (before * step);
            cosine = fmax(-1.0, fmin(1.0, cosine));
            cosines += cosine;
            angles += acos(cosine);
            turns++;
        }
        before = step;
    }
    values[PATH_STEP] = length / (double)(w->points - 1);
    values[PATH_SMOOTHNESS] = squares;
    values[PATH_LENGTH] = length;
    values[PATH_DISTANCE] = distance(w->latents, w->latents + (w->points - 1) * w->size, w->size);
    values[PATH_CURVATURE] = turns ? angles / (double)turns * 180.0 / acos(-1.0) : NAN;
    values[PATH_COSINE] = turns ? cosines / (double)turns : NAN;
}

static void measure_images(const walk *w, double *values)
{
    double sum = 0, squares = 0, count = (double)(w->points - 1), scale = 1 / sqrt((double)w->pixels);
    for (int64_t i = 0; i + 1 < w->points; i++) {
        const float *image = w->images + i * w->pixels;
        double step = distance(image, image + w->pixels, w->pixels) * scale;
        sum += step;
        squares += step * step;
    }
    double mean = sum / count, variance = fmax(0.0, squares / count - mean * mean);
    values[PATH_IMAGE_STEP] = mean;
    values[PATH_VARIATION] = mean > 0 ? sqrt(variance) / mean : NAN;
    values[PATH_IMAGE_CHANGE] =
        distance(w->images, w->images + (w->points - 1) * w->pixels, w->pixels) * scale;
}

static void measure_scores(const walk *w, double *values)
{
    double score = 0, probability = 0;
    for (int64_t i = 0; i < w->points; i++) {
        score += w->scores[i];
        probability += 1 / (1 + exp(-(double)w->scores[i]));
    }
    values[PATH_SCORE] = score / (double)w->points;
    values[PATH_PROBABILITY] = probability / (double)w->points;
}

void measure(const walk *w, double *values)
{
    values[PATH_SCORE] = values[PATH_PROBABILITY] = NAN;
    measure_latents(w, values);
    measure_images(w, values);
    if (w->scores)
        measure_scores(w, values);
}
