/* setup.c — how the run was made: the line under the title, and the details at the end of the page. */
#include "report.h"

#include <string.h>

static double seconds_of(const json_t *history)
{
    double sum = 0;
    size_t index;
    json_t *step;
    json_array_foreach (json_object_get(history, "steps"), index, step)
        sum += json_number_value(json_object_get(step, "seconds"));
    return sum;
}

static void put_seconds(page *p, double seconds)
{
    if (seconds >= 3600)
        put_format(p, "%d h %02d min", (int)(seconds / 3600), (int)(seconds / 60) % 60);
    else if (seconds >= 60)
        put_format(p, "%d min %02d s", (int)(seconds / 60), (int)seconds % 60);
    else
        put_format(p, seconds >= 10 ? "%.1f s" : "%.2f s", seconds);
}

void put_summary(page *p, const json_t *history)
{
    const json_t *device = json_object_get(history, "device");
    put(p, "<p class=\"quiet\">");
    if (json_is_string(json_object_get(history, "pipeline"))) {
        put_text(p, json_string_value(json_object_get(history, "pipeline")));
        put(p, " · ");
    }
    put(p, "seed ");
    put_value(p, json_object_get(history, "seed"));
    put(p, " · ");
    put_text(p, json_string_value(json_object_get(device, "name")));
    put(p, " · ");
    put_seconds(p, seconds_of(history));
    put(p, " · Latentwalk ");
    put_value(p, json_object_get(history, "latentwalk"));
    put(p, "</p>\n");
}

/* A link to a file of the run folder, which this page lies in. Only letters that need no escape in a URL. */
static void put_file(page *p, const char *file)
{
    put(p, "<a href=\"");
    for (const char *c = file; *c; c++) {
        bool plain = strchr("-._~/", *c) || (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= 'a' && *c <= 'z');
        if (plain)
            put_bytes(p, c, 1);
        else
            put_format(p, "%%%02X", (unsigned char)*c);
    }
    put(p, "\">");
    put_text(p, file);
    put(p, "</a>");
}

static void put_step(page *p, const json_t *step)
{
    size_t index;
    json_t *file;
    put(p, "<tr><th scope=\"row\">");
    put_value(p, json_object_get(step, "id"));
    put(p, "</th><td>");
    put_value(p, json_object_get(step, "uses"));
    put(p, "</td><td class=\"number\">");
    put_seconds(p, json_number_value(json_object_get(step, "seconds")));
    put(p, "</td><td>");
    if (json_object_size(json_object_get(step, "with")))
        put_value(p, json_object_get(step, "with"));
    json_array_foreach (json_object_get(step, "files"), index, file) {
        put(p, index ? ", " : "<p class=\"files\">");
        put_file(p, json_string_value(file) ? json_string_value(file) : "");
    }
    put(p, json_array_size(json_object_get(step, "files")) ? "</p>" : "");
    put(p, "</td></tr>\n");
}

static void put_part(page *p, const json_t *history, const char *key, const char *title)
{
    const json_t *part = json_object_get(history, key);
    if (json_object_size(part) == 0)
        return;
    put_format(p, "<h3>%s</h3>\n", title);
    put_value(p, part);
}

void put_setup(page *p, const json_t *history)
{
    size_t index;
    json_t *step;
    put(p, "<section id=\"setup\"><h2>How it was made</h2>\n<h3>Steps</h3>\n<div class=\"scroll\"><table "
           "class=\"steps\">"
           "<thead><tr><th scope=\"col\">step</th><th scope=\"col\">uses</th><th scope=\"col\">time</th>"
           "<th scope=\"col\">with</th></tr></thead><tbody>\n");
    json_array_foreach (json_object_get(history, "steps"), index, step)
        put_step(p, step);
    put(p, "</tbody></table></div>\n");
    put_part(p, history, "models", "Models");
    put_part(p, history, "device", "Device");
    put(p, "</section>\n");
}
