/* decode.c — decodes, crops and resizes pictures into a dataset, on all processors. */
#include "image_folder.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 16

typedef struct job {
    lw_step *step;
    const entries *list;
    const char *path;
    lw_dataset *dataset;
    uint8_t *broken;
    int64_t height, width;
    bool crop, skip;
    pthread_mutex_t lock; /* of what follows */
    size_t next, failed;  /* next entry to decode; entry of the error below */
    bool stop;
    lw_status status;
    char *message; /* an error is private to its thread, so its text is carried over */
} job;

/* The largest square in the middle: [C, H, W] -> [C, s, s]. Takes ownership of `image`. */
static lw_tensor *center_square(lw_tensor *image)
{
    int64_t channels = image->shape.dim[0], height = image->shape.dim[1], width = image->shape.dim[2];
    int64_t side = height < width ? height : width;
    if (height == width)
        return image;
    lw_tensor *square = lw_tensor_create(LW_SHAPE(channels, side, side));
    for (int64_t row = 0; square && row < channels * side; row++) {
        int64_t y = row % side + (height - side) / 2, c = row / side;
        memcpy(square->data + row * side, image->data + (c * height + y) * width + (width - side) / 2,
               (size_t)side * sizeof(float));
    }
    lw_tensor_destroy(image);
    return square;
}

static lw_status decode_one(job *work, reader *files, size_t index)
{
    const entry *item = &work->list->items[index];
    uint8_t *data;
    size_t size;
    LW_TRY(reader_load(files, item, &data, &size));
    lw_tensor *image = lw_image_decode(data, size, item->name);
    lw_free(data);
    if (image && work->crop)
        image = center_square(image);
    if (image && (image->shape.dim[1] != work->height || image->shape.dim[2] != work->width)) {
        lw_tensor *resized = lw_image_resize(image, work->height, work->width);
        lw_tensor_destroy(image);
        image = resized;
    }
    if (!image)
        return lw_error_status();
    lw_status status = lw_dataset_set(work->dataset, index, item->name, image);
    lw_tensor_destroy(image);
    return status;
}

/* Keeps the error of the first picture, so that threads do not change the message. */
static void keep_error(job *work, size_t index, lw_status status)
{
    pthread_mutex_lock(&work->lock);
    if (work->status == LW_OK || index < work->failed) {
        lw_free(work->message);
        work->message = lw_strdup(lw_error_text());
        work->status = status;
        work->failed = index;
    }
    work->stop = true;
    pthread_mutex_unlock(&work->lock);
}

static bool take(job *work, size_t *index)
{
    pthread_mutex_lock(&work->lock);
    bool more = !work->stop && work->next < work->list->count;
    if (more)
        *index = work->next++;
    pthread_mutex_unlock(&work->lock);
    return more;
}

static void decode_all(job *work, bool main_thread)
{
    reader *files = reader_open(work->list, work->path);
    if (!files) {
        keep_error(work, 0, lw_error_status());
        return;
    }
    for (size_t index; take(work, &index);) {
        lw_status status = decode_one(work, files, index);
        if (status != LW_OK && work->skip && status != LW_MEMORY)
            work->broken[index] = 1;
        else if (status != LW_OK)
            keep_error(work, index, status);
        if (main_thread && lw_step_cancelled(work->step)) {
            pthread_mutex_lock(&work->lock);
            work->stop = true;
            pthread_mutex_unlock(&work->lock);
        }
    }
    reader_close(files);
}

static void *helper(void *user)
{
    decode_all(user, false);
    return NULL;
}

/* Starts up to `count` helpers; fewer only make it slower. Signals stay with the pipeline's thread. */
static int start_helpers(job *work, pthread_t *threads, int count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int started = 0;
    while (started < count && pthread_create(&threads[started], NULL, helper, work) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

lw_status decode_entries(lw_step *step, const entries *list, lw_dataset *dataset, uint8_t *broken)
{
    const lw_args *args = lw_step_args(step);
    job work = {.step = step,
                .list = list,
                .path = lw_text(args, "path"),
                .dataset = dataset,
                .broken = broken,
                .height = lw_int(args, "height"),
                .width = lw_int(args, "width"),
                .crop = strcmp(lw_text(args, "crop"), "center-square") == 0,
                .skip = strcmp(lw_text(args, "on_error"), "skip") == 0};
    pthread_mutex_init(&work.lock, NULL);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MAX_THREADS];
    int count = processors > MAX_THREADS ? MAX_THREADS : (int)processors;
    int started = start_helpers(&work, threads, count - 1);
    decode_all(&work, true);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&work.lock);
    lw_status status = work.status;
    if (status != LW_OK)
        lw_fail(status, "%s", work.message ? work.message : lw_status_text(status));
    lw_free(work.message);
    return status;
}
