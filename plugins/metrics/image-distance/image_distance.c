/* image_distance.c — metric/image-distance: how far the pictures along walks are from those at their start,
 * by any loss that compares pictures. */
#include <latentwalk/latentwalk.h>

#include <stdio.h>
#include <string.h>

static const char *const offers[] = {"images", "targets", NULL};

static const lw_param params[] = {
    {"losses", LW_PARAM_LOSSES, NULL, NULL, 0, 0, offers,
     "What compares a picture with the one at the walk's start (its target): loss/perceptual with the taps "
     "of a network, say."},
    {"from", LW_PARAM_INT, "point", "0", 0, 1000000, NULL,
     "The point of each walk that the others are compared with, counted from 0 (of a walk from -3 to 3, the "
     "one at 0)."},
    {"batch", LW_PARAM_INT, "images", "64", 1, 4096, NULL, "Pictures compared at a time, at most."},
};

static const lw_port inputs[] = {
    {"images", "image[N, T, C, H, W]", .doc = "Pictures of N walks of T points."},
};

/* The largest part of `count` up to `most`: batches are then all full, and the mean over them is the mean
 * over walks. */
static int64_t batch_of(int64_t count, int64_t most)
{
    int64_t batch = most < count ? most : count;
    while (count % batch)
        batch--;
    return batch;
}

static lw_program *compile(lw_step *step, lw_shape pictures)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    const lw_named_value values[] = {{"images", lw_input(g, "images", pictures)},
                                     {"targets", lw_input(g, "targets", pictures)}};
    lw_step_losses(step, g, "losses", NULL, values, 2, "distance");
    return lw_step_compile(step, g, "distance");
}

/* Point t of walks first …, out [batch, ..] */
static void take(const lw_tensor *images, int64_t first, int64_t batch, int64_t t, float *out)
{
    const int64_t points = images->shape.dim[1],
                  size = lw_shape_count(images->shape) / (images->shape.dim[0] * points);
    for (int64_t n = 0; n < batch; n++)
        memcpy(out + n * size, images->data + ((first + n) * points + t) * size, (size_t)size * sizeof *out);
}

/* The mean over walks of each loss at point t, by their names: a curve each, and a row of the table. */
static lw_status measure_point(lw_step *step, lw_program *program, const lw_tensor *images, lw_shape pictures,
                               int64_t t, float *room)
{
    const lw_args *args = lw_step_args(step);
    const int64_t walks = images->shape.dim[0], batch = pictures.dim[0], floats = lw_shape_count(pictures),
                  from = lw_int(args, "from");
    double sum[64] = {0};
    const int losses = lw_list_count(args, "losses");
    char name[128], row[32];
    for (int64_t first = 0; first < walks; first += batch) {
        take(images, first, batch, t, room);
        take(images, first, batch, from, room + floats);
        LW_TRY(lw_program_write(program, "images", room, (size_t)floats));
        LW_TRY(lw_program_write(program, "targets", room + floats, (size_t)floats));
        LW_TRY(lw_program_run(program));
        for (int i = 0; i < losses; i++) {
            float value;
            snprintf(name, sizeof name, "distance/%s", lw_list_text(args, "losses", i));
            LW_TRY(lw_program_read(program, name, &value, 1));
            sum[i] += (double)value * (double)batch / (double)walks;
        }
    }
    snprintf(row, sizeof row, "point %lld", (long long)t);
    for (int i = 0; i < losses; i++) {
        snprintf(name, sizeof name, "distance/%s", lw_list_text(args, "losses", i));
        LW_TRY(lw_step_log_at(step, name, t, sum[i]));
        LW_TRY(lw_step_metric(step, row, lw_list_text(args, "losses", i), sum[i]));
    }
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const lw_tensor *images = lw_step_input(step, "images", 0);
    const int64_t *dim = images->shape.dim;
    if (lw_list_count(args, "losses") < 1 || lw_list_count(args, "losses") > 64)
        return lw_fail(LW_INVALID, "losses: there must be 1 to 64 that compare, not %d",
                       lw_list_count(args, "losses"));
    if (dim[0] < 1 || lw_int(args, "from") >= dim[1])
        return lw_fail(LW_SHAPE, "from: point %lld; there are %lld walks of %lld points, counted from 0",
                       (long long)lw_int(args, "from"), (long long)dim[0], (long long)dim[1]);
    const lw_shape pictures = LW_SHAPE(batch_of(dim[0], lw_int(args, "batch")), dim[2], dim[3], dim[4]);
    lw_program *program = compile(step, pictures);
    float *room = program ? lw_alloc(2 * (size_t)lw_shape_count(pictures), sizeof *room) : NULL;
    lw_status status = room ? LW_OK : lw_error_status();
    for (int64_t t = 0; status == LW_OK && t < dim[1] && !lw_step_cancelled(step); t++)
        status = measure_point(step, program, images, pictures, t, room);
    lw_free(room);
    return status == LW_OK ? lw_step_finish(step) : status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(METRIC, "image-distance", "1.0.0",
          "How far pictures along walks are from those at their start, by any loss that compares",
          .source = "Li et al., DP-LaSE (MM 2021), figures 5b and 10 (with loss/perceptual)",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
