/* progress.c — bars, lines and JSON events. Progress goes to stderr, JSON to stdout. */
#include "progress.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "step/runtime.h"

#define BAR_EVERY 0.1 /* seconds between two drawings */
#define JSON_EVERY 1.0
#define LINES_EVERY 10.0

void lwh_progress_init(lwh_progress *progress, const lwh_options *options, int step_count)
{
    *progress = (lwh_progress){.step_count = step_count};
    progress->mode = options->json ? LWH_JSON : options->quiet ? LWH_SILENT : isatty(2) ? LWH_BAR : LWH_LINES;
}

static void emit(json_t *event)
{
    if (event)
        json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(event);
    fputc('\n', stdout);
    fflush(stdout);
}

void lwh_progress_clear(lwh_progress *progress)
{
    if (progress->drawn)
        fprintf(stderr, "\r\033[K");
    progress->drawn = false;
}

void lwh_progress_step(lwh_progress *progress, const char *id, const char *uses, bool done_before)
{
    progress->step++;
    progress->began = progress->last = lwi_clock();
    progress->first = -1;
    progress->last_tenth = 0;
    if (progress->mode == LWH_JSON)
        emit(json_pack("{s:s, s:s, s:s, s:b}", "event", "step", "step", id, "uses", uses, "done_before",
                       done_before));
    else if (progress->mode != LWH_SILENT)
        fprintf(stderr, "[%d/%d] %s  %s%s\n", progress->step, progress->step_count, id, uses,
                done_before ? "  (done before)" : "");
}

/* "1:05", "2:03:04" */
static const char *duration(double seconds, char *buffer, size_t size)
{
    long s = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(buffer, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(buffer, size, "%ld:%02ld", s / 60, s % 60);
    return buffer;
}

/* "loss 0.513  smoothness 0.02": the newest point of the first few curves. */
static void latest(const lw_step *step, char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < step->series_count && i < 4; i++) {
        const lwi_series *s = &step->series[i];
        if (!s->count)
            continue;
        int n = snprintf(text + used, size - used, "  %s %.4g", s->name, (double)s->value[s->count - 1]);
        if (n < 0 || (size_t)n >= size - used)
            break;
        used += (size_t)n;
    }
}

static void draw_bar(lwh_progress *progress, const lw_step *step, int64_t iteration, int64_t total,
                     double left)
{
    char bar[31], eta[32], values[80];
    int full = total > 0 ? (int)(30 * iteration / total) : 30;
    for (int i = 0; i < 30; i++)
        bar[i] = i < full ? '#' : '.';
    bar[30] = 0;
    latest(step, values, sizeof(values));
    fprintf(stderr, "\r\033[K  %s %3d%%  %" PRId64 "/%" PRId64 "  %s left%s", bar,
            (int)(total > 0 ? 100 * iteration / total : 100), iteration, total,
            left < 0 ? "?" : duration(left, eta, sizeof(eta)), values);
    progress->drawn = true;
    fflush(stderr);
}

json_t *lwh_progress_event(lw_step *step, int64_t iteration, int64_t total)
{
    json_t *values = json_object();
    for (int i = 0; i < step->series_count; i++)
        if (step->series[i].count)
            json_object_set_new(values, step->series[i].name,
                                json_real((double)step->series[i].value[step->series[i].count - 1]));
    return json_pack("{s:s, s:s, s:I, s:I, s:o}", "event", "progress", "step", lw_step_id(step), "iteration",
                     (json_int_t)iteration, "total", (json_int_t)total, "values", values);
}

static void emit_tick(lw_step *step, int64_t iteration, int64_t total, double left)
{
    json_t *event = lwh_progress_event(step, iteration, total);
    if (left >= 0)
        json_object_set_new(event, "seconds_left", json_real(left));
    emit(event);
}

void lwh_progress_tick(lwh_progress *progress, lw_step *step, int64_t iteration, int64_t total)
{
    double now = lwi_clock();
    if (progress->first < 0 || iteration < progress->first) {
        progress->first = iteration;
        progress->began = now;
    }
    double left = iteration > progress->first ? (now - progress->began) * (double)(total - iteration) /
                                                    (double)(iteration - progress->first)
                                              : -1;
    double waited = now - progress->last;
    int tenth = total > 0 ? (int)(10 * iteration / total) : 10;
    if (progress->mode == LWH_BAR && (waited >= BAR_EVERY || iteration == total)) {
        draw_bar(progress, step, iteration, total, left);
    } else if (progress->mode == LWH_JSON && (waited >= JSON_EVERY || iteration == total)) {
        emit_tick(step, iteration, total, left);
    } else if (progress->mode == LWH_LINES && iteration < total && waited >= LINES_EVERY &&
               (tenth > progress->last_tenth || waited >= 6 * LINES_EVERY)) {
        char eta[32], values[80];
        latest(step, values, sizeof(values));
        fprintf(stderr, "  %3d%%  %" PRId64 "/%" PRId64 "  %s left%s\n", (int)(100 * iteration / total),
                iteration, total, left < 0 ? "?" : duration(left, eta, sizeof(eta)), values);
        progress->last_tenth = tenth;
    } else {
        return;
    }
    progress->last = now;
}

void lwh_progress_note(lwh_progress *progress, const char *id, const char *text)
{
    lwh_progress_clear(progress);
    if (progress->mode == LWH_JSON)
        emit(json_pack("{s:s, s:s, s:s}", "event", "note", "step", id, "text", text));
    else if (progress->mode != LWH_SILENT)
        fprintf(stderr, "  note: %s\n", text);
}

void lwh_progress_done(lwh_progress *progress, const char *id, double seconds)
{
    lwh_progress_clear(progress);
    if (progress->mode == LWH_JSON)
        emit(json_pack("{s:s, s:s, s:f}", "event", "step_done", "step", id, "seconds", seconds));
    else if (progress->mode != LWH_SILENT)
        fprintf(stderr, "  done in %.1f s\n", seconds);
}
