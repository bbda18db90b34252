/* generate_video.c — a closed loop through the latents as an animated WebP, or as MP4 through ffmpeg. */
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "generate.h"
#include "latentwalk/image.h"

enum { FRAME_MS = 40 }; /* 25 frames a second */

extern char **environ;

/* a, b [1, z_dim], t [1, 1] -> image of the point between them, straight on in W, truncated afterwards. */
static lw_value between_mapped(lw_graph *g, lw_model *model, lw_value a, lw_value b, lw_value t)
{
    lw_value wa = lw_map(g, model, a), wb = lw_map(g, model, b);
    return lw_synthesize(g, model, lw_truncate(g, model, lw_add(g, wa, lw_mul(g, lw_sub(g, wb, wa), t))));
}

static lw_status compile(lwh_generation *g)
{
    lw_shape shape = LW_SHAPE(1, g->latents->shape.dim[1]);
    lw_graph *graph = lw_graph_create();
    if (!graph)
        return LW_MEMORY;
    lw_value a = lw_input(graph, "a", shape), image;
    if (lw_model_has(g->model, "map"))
        image = between_mapped(graph, g->model, a, lw_input(graph, "b", shape),
                               lw_input(graph, "t", LW_SHAPE(1, 1)));
    else
        image = lw_generate(graph, g->model, a);
    lw_output(graph, "image", image);
    g->program = lw_compile(graph, g->device);
    lw_graph_destroy(graph);
    return g->program ? LW_OK : lw_error_status();
}

/* On the great circle from a to b, where lengths also pass evenly from one to the other (Shoemake 1985). */
static void slerp(const float *a, const float *b, int64_t size, double t, float *out)
{
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < size; i++) {
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
        ab += (double)a[i] * b[i];
    }
    double cosine = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 1;
    double angle = acos(cosine > 1 ? 1 : cosine < -1 ? -1 : cosine), s = sin(angle);
    double from = s < 1e-6 ? 1 - t : sin((1 - t) * angle) / s, to = s < 1e-6 ? t : sin(t * angle) / s;
    for (int64_t i = 0; i < size; i++)
        out[i] = (float)(from * a[i] + to * b[i]);
}

/* Frame f of the loop -> image [1, C, H, W], or NULL with an error. */
static lw_tensor *make_frame(lwh_generation *g, int64_t f, float *point)
{
    int64_t size = g->latents->shape.dim[1], leg = f / g->frames;
    const float *a = g->latents->data + leg * size, *b = g->latents->data + (leg + 1) % g->count * size;
    float t = (float)(f % g->frames) / (float)g->frames;
    lw_status status;
    if (lw_model_has(g->model, "map")) {
        status = lw_program_write(g->program, "a", a, (size_t)size);
        if (status == LW_OK)
            status = lw_program_write(g->program, "b", b, (size_t)size);
        if (status == LW_OK)
            status = lw_program_write(g->program, "t", &t, 1);
    } else {
        slerp(a, b, size, t, point);
        status = lw_program_write(g->program, "a", point, (size_t)size);
    }
    if (status == LW_OK)
        status = lw_program_seed(g->program, g->seeds[0], (uint64_t)f);
    if (status == LW_OK)
        status = lw_program_run(g->program);
    return status == LW_OK ? lw_program_read_tensor(g->program, "image") : NULL;
}

/* --- WebP -------------------------------------------------------------------------------------- */

static lw_status write_webp(lwh_generation *g, int64_t count, float *point, const char *path)
{
    lw_tensor *all = NULL;
    lw_status status = LW_OK;
    for (int64_t f = 0; f < count && status == LW_OK; f++) {
        lw_tensor *frame = make_frame(g, f, point);
        if (frame && !all)
            all = lw_tensor_create(
                LW_SHAPE(count, frame->shape.dim[1], frame->shape.dim[2], frame->shape.dim[3]));
        if (frame && all)
            memcpy(all->data + f * lw_shape_count(frame->shape), frame->data,
                   (size_t)lw_shape_count(frame->shape) * sizeof(float));
        else
            status = lw_error_status();
        lw_tensor_destroy(frame);
    }
    uint8_t *data;
    size_t size;
    if (status == LW_OK)
        status = lw_image_encode_webp(all, FRAME_MS, 90, &data, &size);
    if (status == LW_OK) {
        status = lw_file_write(path, data, size);
        lw_free(data);
    }
    lw_tensor_destroy(all);
    return status;
}

/* --- MP4 --------------------------------------------------------------------------------------- */

/* ffmpeg reading raw RGB pictures of width x height from *pipe_end. */
static lw_status start_ffmpeg(int64_t width, int64_t height, const char *path, int *pipe_end, pid_t *child)
{
    int ends[2];
    char size[64], rate[16];
    snprintf(size, sizeof size, "%lldx%lld", (long long)width, (long long)height);
    snprintf(rate, sizeof rate, "%d", 1000 / FRAME_MS);
    const char *const words[] = {
        "ffmpeg", "-y", "-loglevel", "error", "-f",      "rawvideo", "-pix_fmt", "rgb24", "-s",  size, "-r",
        rate,     "-i", "-",         "-c:v",  "libx264", "-pix_fmt", "yuv420p",  "-f",    "mp4", path, NULL};
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0)
        return lw_fail(LW_IO, "cannot make a pipe to ffmpeg");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int failed = posix_spawnp(child, "ffmpeg", &actions, NULL, (char *const *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    *pipe_end = ends[1];
    if (!failed)
        return LW_OK;
    close(ends[1]);
    return lw_fail(LW_UNSUPPORTED,
                   "writing .mp4 needs ffmpeg, which cannot be started here; name a .webp file instead");
}

/* image [1, 3, H, W] as interleaved bytes into the pipe */
static lw_status send_frame(int pipe_end, const lw_tensor *image)
{
    int64_t pixels = image->shape.dim[2] * image->shape.dim[3];
    uint8_t *bytes = lw_alloc((size_t)pixels, 3);
    if (!bytes)
        return LW_MEMORY;
    for (int64_t i = 0; i < 3 * pixels; i++)
        bytes[i] = lw_image_byte(image->data[i % 3 * pixels + i / 3]);
    ssize_t sent = 0, all = (ssize_t)(3 * pixels);
    for (ssize_t n; sent < all && (n = write(pipe_end, bytes + sent, (size_t)(all - sent))) > 0;)
        sent += n;
    lw_free(bytes);
    return sent == all ? LW_OK : lw_fail(LW_IO, "ffmpeg takes no more pictures");
}

static lw_status write_mp4(lwh_generation *g, int64_t count, float *point, const char *path)
{
    int64_t width = lw_model_dim(g->model, "width"), height = lw_model_dim(g->model, "height");
    int pipe_end, result = 0;
    pid_t child;
    if (lw_model_dim(g->model, "channels") != 3)
        return lw_fail(LW_UNSUPPORTED, "only pictures of three channels become .mp4");
    LW_TRY(start_ffmpeg(width, height, path, &pipe_end, &child));
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a broken pipe is an error to tell, not the end */
    lw_status status = LW_OK;
    for (int64_t f = 0; f < count && status == LW_OK; f++) {
        lw_tensor *frame = make_frame(g, f, point);
        status = frame ? send_frame(pipe_end, frame) : lw_error_status();
        lw_tensor_destroy(frame);
    }
    close(pipe_end);
    waitpid(child, &result, 0);
    signal(SIGPIPE, before);
    if (status == LW_OK && (!WIFEXITED(result) || WEXITSTATUS(result) != 0))
        status = lw_fail(LW_IO, "ffmpeg could not write '%s'", path);
    return status;
}

lw_status lwh_generate_video(lwh_generation *g)
{
    const char *name = g->options->interpolate, *dot = strrchr(name, '.');
    bool mp4 = dot && strcasecmp(dot, ".mp4") == 0, webp = dot && strcasecmp(dot, ".webp") == 0;
    if (!mp4 && !webp)
        return lw_fail(LW_INVALID, "--interpolate '%s': the file's name must end in .webp or .mp4", name);
    if (g->count < 2)
        return lw_fail(LW_INVALID, "--interpolate needs at least two seeds");
    LW_TRY(compile(g));
    char *path = lw_format("%s/%s", g->outdir, name);
    float *point = lw_alloc((size_t)g->latents->shape.dim[1], sizeof *point);
    lw_status status = !path || !point ? LW_MEMORY
                       : mp4           ? write_mp4(g, g->count * g->frames, point, path)
                                       : write_webp(g, g->count * g->frames, point, path);
    if (status == LW_OK && !g->options->quiet)
        printf(g->options->json ? "{\"event\":\"video\",\"file\":\"%s\"}\n" : "%s\n", path);
    lw_free(path);
    lw_free(point);
    return status;
}
