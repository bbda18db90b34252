/* loader.c — shuffled batches of a dataset, prepared by a thread of their own.
 *
 * One buffer, two numbers: `wanted` is the step the caller needs next, `ready` the one in the buffer
 * (none while the buffer is being filled). The caller waits for its step, copies it out and at once wants the
 * following one. */
#include "latentwalk/dataset.h"
#include "latentwalk/random.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define NO_STEP UINT64_MAX

struct lw_loader {
    const lw_dataset *dataset;
    size_t batch, picture; /* pictures in a batch; floats in a picture */
    uint64_t seed;
    bool flip;
    int32_t shift;
    uint8_t *odd; /* [columns] */
    /* Used by the thread alone. */
    uint64_t epoch;
    uint32_t *order; /* [count]: the permutation of `epoch` */
    uint32_t *index; /* [batch] */
    float *chance;   /* [batch], then [2 * batch] for the shifts */
    uint8_t *mirror; /* [batch] */
    float *still;    /* [picture]: one before it is shifted */
    /* Shared, under `lock`; the buffers are the thread's while `ready` is NO_STEP, else the caller's. */
    float *images, *labels;
    uint64_t wanted, ready;
    bool stop, running;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
};

/* Picture number `position` of the endless sequence of shuffled epochs. */
static uint32_t picture_at(lw_loader *loader, uint64_t position)
{
    size_t count = lw_dataset_count(loader->dataset);
    uint64_t epoch = position / count;
    if (epoch != loader->epoch) {
        lw_shuffle((lw_stream){loader->seed, epoch, lw_purpose("epoch")}, count, loader->order);
        loader->epoch = epoch;
    }
    return loader->order[position % count];
}

static int64_t clamp(int64_t x, int64_t count)
{
    return x < 0 ? 0 : x >= count ? count - 1 : x;
}

/* The picture moved right by dx and down by dy, its border repeated. */
static void shift_picture(lw_loader *loader, float *image, int64_t dx, int64_t dy)
{
    lw_shape shape = lw_dataset_shape(loader->dataset);
    int64_t height = shape.dim[2], width = shape.dim[3];
    memcpy(loader->still, image, loader->picture * sizeof *image);
    for (int64_t row = 0; row < shape.dim[1] * height; row++) {
        int64_t y = clamp(row % height - dy, height), from = (row / height * height + y) * width;
        for (int64_t x = 0; x < width; x++)
            *image++ = loader->still[from + clamp(x - dx, width)];
    }
}

static void shift_batch(lw_loader *loader, uint64_t step)
{
    int64_t choices = 2 * (int64_t)loader->shift + 1;
    lw_uniform((lw_stream){loader->seed, step, lw_purpose("shift")}, 0, 2 * loader->batch, loader->chance);
    for (size_t i = 0; i < loader->batch; i++) {
        int64_t dx = (int64_t)(loader->chance[2 * i] * (float)choices) - loader->shift;
        int64_t dy = (int64_t)(loader->chance[2 * i + 1] * (float)choices) - loader->shift;
        shift_picture(loader, loader->images + i * loader->picture, dx, dy);
    }
}

static void copy_labels(lw_loader *loader, size_t columns)
{
    for (size_t i = 0; columns && i < loader->batch; i++) {
        float *labels = loader->labels + i * columns;
        memcpy(labels, lw_dataset_labels(loader->dataset, loader->index[i]), columns * sizeof *labels);
        for (size_t c = 0; c < columns; c++)
            if (loader->mirror[i] && loader->odd[c])
                labels[c] = -labels[c];
    }
}

static void prepare(lw_loader *loader, uint64_t step)
{
    lw_uniform((lw_stream){loader->seed, step, lw_purpose("flip")}, 0, loader->batch, loader->chance);
    for (size_t i = 0; i < loader->batch; i++) {
        loader->index[i] = picture_at(loader, step * loader->batch + i);
        loader->mirror[i] = loader->flip && loader->chance[i] < 0.5f;
    }
    copy_labels(loader, lw_dataset_label_count(loader->dataset));
    /* Cannot fail: every index comes from a permutation of the dataset. */
    (void)lw_dataset_batch(loader->dataset, loader->index, loader->mirror, loader->batch, loader->images);
    if (loader->shift)
        shift_batch(loader, step);
}

static void *work(void *user)
{
    lw_loader *loader = user;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        if (loader->ready == loader->wanted) {
            pthread_cond_wait(&loader->changed, &loader->lock);
            continue;
        }
        uint64_t step = loader->wanted;
        loader->ready = NO_STEP;
        pthread_mutex_unlock(&loader->lock);
        prepare(loader, step);
        pthread_mutex_lock(&loader->lock);
        loader->ready = step;
        pthread_cond_broadcast(&loader->changed);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Signals (Ctrl-C) stay with the threads that expect them. */
static lw_status start(lw_loader *loader)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&loader->thread, NULL, work, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return lw_fail(LW_MEMORY, "cannot start the thread that prepares batches: %s", strerror(error));
    loader->running = true;
    return LW_OK;
}

lw_loader *lw_loader_create(const lw_dataset *dataset, size_t batch, uint64_t seed, bool flip)
{
    return lw_loader_create_with(dataset, batch, seed,
                                 &(lw_loader_options){.size = sizeof(lw_loader_options), .flip = flip});
}

lw_loader *lw_loader_create_with(const lw_dataset *dataset, size_t batch, uint64_t seed,
                                 const lw_loader_options *given)
{
    lw_loader_options options = {0};
    memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    size_t count = lw_dataset_count(dataset), columns = lw_dataset_label_count(dataset);
    if (options.shift < 0 || options.shift > 16384) {
        lw_fail(LW_INVALID, "pictures cannot be shifted by up to %d px; 0 … 16384", options.shift);
        return NULL;
    }
    if (batch == 0 || count == 0) {
        lw_fail(LW_INVALID, "batches of %zu pictures from a dataset of %zu: both must be at least 1", batch,
                count);
        return NULL;
    }
    lw_loader *loader = lw_alloc(1, sizeof *loader);
    if (!loader)
        return NULL;
    loader->dataset = dataset;
    loader->batch = batch;
    loader->picture = (size_t)lw_shape_count(lw_dataset_shape(dataset)) / count;
    loader->seed = seed;
    loader->flip = options.flip;
    loader->shift = options.shift;
    loader->epoch = loader->wanted = loader->ready = NO_STEP;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    if (!(loader->order = lw_alloc(count, sizeof *loader->order)) ||
        !(loader->index = lw_alloc(batch, sizeof *loader->index)) ||
        !(loader->chance = lw_alloc(batch, 2 * sizeof *loader->chance)) ||
        !(loader->mirror = lw_alloc(batch, sizeof *loader->mirror)) ||
        !(loader->images = lw_alloc(batch, loader->picture * sizeof *loader->images)) ||
        !(loader->labels = lw_alloc(batch, (columns + 1) * sizeof *loader->labels)) ||
        !(loader->still = lw_alloc(loader->picture, sizeof *loader->still)) ||
        !(loader->odd = lw_alloc(columns + 1, 1))) {
        lw_loader_destroy(loader);
        return NULL;
    }
    if (options.odd && columns)
        memcpy(loader->odd, options.odd, columns);
    if (start(loader) != LW_OK) {
        lw_loader_destroy(loader);
        return NULL;
    }
    return loader;
}

void lw_loader_destroy(lw_loader *loader)
{
    if (!loader)
        return;
    if (loader->running) {
        pthread_mutex_lock(&loader->lock);
        loader->stop = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
        pthread_join(loader->thread, NULL);
    }
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    lw_free(loader->order);
    lw_free(loader->index);
    lw_free(loader->chance);
    lw_free(loader->mirror);
    lw_free(loader->still);
    lw_free(loader->odd);
    lw_free(loader->images);
    lw_free(loader->labels);
    lw_free(loader);
}

lw_status lw_loader_batch(lw_loader *loader, uint64_t step, float *out, float *labels)
{
    size_t columns = lw_dataset_label_count(loader->dataset);
    if (step >= NO_STEP / loader->batch - 1)
        return lw_fail(LW_INVALID, "batch %llu is past the end of the sequence", (unsigned long long)step);
    pthread_mutex_lock(&loader->lock);
    loader->wanted = step;
    pthread_cond_broadcast(&loader->changed);
    while (loader->ready != step)
        pthread_cond_wait(&loader->changed, &loader->lock);
    memcpy(out, loader->images, loader->batch * loader->picture * sizeof *out);
    if (labels && columns)
        memcpy(labels, loader->labels, loader->batch * columns * sizeof *labels);
    loader->wanted = step + 1;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    return LW_OK;
}
