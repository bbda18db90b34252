/* profile.c — the table and the trace of `--profile`; see profile.h. */
#include "profile.h"

#include "latentwalk/image.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/profile.h"

enum { MOST_SHOWN = 12 }; /* rows of a step on the terminal */

/* --- the table ------------------------------------------------------------------------------------ */
static double kernel_seconds(const lwi_profile *p, int section)
{
    double seconds = 0;
    for (int i = 0; i < p->row_count; i++)
        if (p->row[i].section == section)
            seconds += p->row[i].seconds;
    return seconds;
}

static int by_seconds(const void *a, const void *b)
{
    double x = (*(const lwi_profile_row *const *)a)->seconds,
           y = (*(const lwi_profile_row *const *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Generated kernels are named after a hash of their text, which tells people nothing. */
static int shown_length(const char *kernel)
{
    const char *hash = strrchr(kernel, '_');
    return (int)(hash && strspn(hash + 1, "0123456789abcdef") == 16 ? (size_t)(hash - kernel)
                                                                    : strlen(kernel));
}

static void print_row(lwi_text *text, const lwi_profile *p, const lwi_profile_row *row, double whole)
{
    double calls = (double)row->calls, flops = row->flops * calls / row->seconds,
           bytes = row->bytes * calls / row->seconds;
    double compute = p->peak_flops > 0 ? flops / p->peak_flops : 0,
           memory = p->peak_bytes > 0 ? bytes / p->peak_bytes : 0;
    lwi_print(text, "%6.1f %11.3f %8llu %9.1f %9.1f ", 100 * row->seconds / whole, 1e3 * row->seconds,
              (unsigned long long)row->calls, 1e6 * row->seconds / calls, 1e6 * row->fastest);
    if (row->flops > 0)
        lwi_print(text, "%8.1f ", 1e-9 * flops);
    else
        lwi_print(text, "%8s ", "");
    lwi_print(text, "%8.2f %6.0f  %-16.*s %s\n", 1e-9 * bytes, 100 * (compute > memory ? compute : memory),
              shown_length(row->kernel), row->kernel, row->label);
}

/* At most `most` rows of a section, the dearest first. */
static void print_section(lwi_text *text, const lwi_profile *p, int section, const lwi_profile_row **sorted,
                          int most)
{
    int count = 0;
    double whole = kernel_seconds(p, section), left = 0;
    for (int i = 0; i < p->row_count; i++)
        if (p->row[i].section == section && p->row[i].seconds > 0)
            sorted[count++] = &p->row[i];
    lwi_print(text, "%s: %.3f s, of which %.3f s in kernels\n", p->section[section].name,
              p->section[section].seconds, whole);
    if (!count)
        return;
    qsort(sorted, (size_t)count, sizeof *sorted, by_seconds);
    lwi_print(text, "%6s %11s %8s %9s %9s %8s %8s %6s  %-16s %s\n", "%", "total ms", "calls", "us/call",
              "fastest", "GFLOP/s", "GB/s", "% peak", "kernel", "computes");
    for (int i = 0; i < count && i < most; i++)
        print_row(text, p, sorted[i], whole);
    for (int i = most; i < count; i++)
        left += sorted[i]->seconds;
    if (count > most)
        lwi_print(text, "%6.1f %11.3f    %d more, see profile.txt\n", 100 * left / whole, 1e3 * left,
                  count - most);
}

static lw_status print_table(lwi_text *text, const lwi_profile *p, int most)
{
    const lwi_profile_row **sorted = lw_alloc((size_t)p->row_count + 1, sizeof *sorted);
    if (!sorted)
        return LW_MEMORY;
    for (int s = 0; s < p->section_count; s++) {
        print_section(text, p, s, sorted, most);
        lwi_print(text, "\n");
    }
    lwi_print(
        text,
        "The device's peaks, measured: %.1f GFLOP/s (multiply-adds in registers), %.2f GB/s (a copy). "
        "%% peak is the\nlarger of the two parts; values that stay in caches may pass the copy's 100 %%.\n",
        1e-9 * p->peak_flops, 1e-9 * p->peak_bytes);
    lw_free(sorted);
    return text->failed ? LW_MEMORY : LW_OK;
}

/* --- the trace ------------------------------------------------------------------------------------ */
static char *quoted(const char *text)
{
    json_t *string = json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    return quoted;
}

/* One complete event ("ph":"X"); times in microseconds since the first launch. */
static void print_span(lwi_text *text, const char *name, int track, double start, double length)
{
    char *string = quoted(name);
    if (!string)
        text->failed = true;
    lwi_print(text, ",\n{\"name\":%s,\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f",
              string ? string : "", track, start, length);
    free(string);
}

static void print_sections(lwi_text *text, const lwi_profile *p, uint64_t zero)
{
    for (int first = 0, last; first < p->launch_count; first = last) {
        int section = p->row[p->launch[first].row].section;
        for (last = first + 1; last < p->launch_count && p->row[p->launch[last].row].section == section;)
            last++;
        print_span(text, p->section[section].name, 1, 1e-3 * (double)(p->launch[first].start - zero),
                   1e-3 * (double)(p->launch[last - 1].end - p->launch[first].start));
        lwi_print(text, "}");
    }
}

static lw_status print_trace(lwi_text *text, const lwi_profile *p)
{
    uint64_t zero = p->launch_count ? p->launch[0].start : 0;
    lwi_print(
        text,
        "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"peak GFLOP/s\":%.3f,\"peak GB/s\":%.3f,\"launches left "
        "out\":%llu},\n\"traceEvents\":[\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":1,"
        "\"args\":{\"name\":\"steps\"}},\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":2,"
        "\"args\":{\"name\":\"kernels\"}}",
        1e-9 * p->peak_flops, 1e-9 * p->peak_bytes, (unsigned long long)p->left_out);
    print_sections(text, p, zero);
    for (int i = 0; i < p->launch_count; i++) {
        const lwi_profile_launch *launch = &p->launch[i];
        const lwi_profile_row *row = &p->row[launch->row];
        double seconds = 1e-9 * (double)(launch->end - launch->start);
        print_span(text, row->label, 2, 1e-3 * (double)(launch->start - zero), 1e6 * seconds);
        lwi_print(text, ",\"args\":{\"kernel\":\"%s\"", row->kernel);
        if (seconds > 0)
            lwi_print(text, ",\"GFLOP/s\":%.3f,\"GB/s\":%.3f", 1e-9 * row->flops / seconds,
                      1e-9 * row->bytes / seconds);
        lwi_print(text, "}}");
    }
    lwi_print(text, "\n]}\n");
    return text->failed ? LW_MEMORY : LW_OK;
}

static lw_status write_text(const lwi_text *text, const char *folder, const char *name)
{
    char *path = lw_format("%s/%s", folder, name);
    lw_status status = path ? lw_file_write(path, text->data, text->length) : LW_MEMORY;
    lw_free(path);
    return status;
}

lw_status lwh_profile_write(lw_device *device, const lwh_options *options, const char *folder)
{
    const lwi_profile *p;
    LW_TRY(lwi_profile_finish(device, &p));
    lwi_text table = {0}, trace = {0}, shown = {0};
    lw_status status = print_table(&table, p, p->row_count);
    if (status == LW_OK)
        status = write_text(&table, folder, "profile.txt");
    if (status == LW_OK)
        status = print_trace(&trace, p);
    if (status == LW_OK)
        status = write_text(&trace, folder, "profile.json");
    if (status == LW_OK && !options->quiet && !options->json)
        status = print_table(&shown, p, MOST_SHOWN);
    if (status == LW_OK && shown.data)
        fputs(shown.data, stderr);
    lw_free(table.data);
    lw_free(trace.data);
    lw_free(shown.data);
    return status == LW_OK ? LW_OK : lw_wrap("cannot write the profile");
}
