/* results.c — tables, curves and notes of the run's steps. */
#include "report.h"

#include <string.h>

#define MAX_POINTS 1000 /* of a curve; longer ones are averaged, and say so */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* --- tables: steps that use the same plugin share one, so that variants stand side by side ------- */
static bool is_first_of_its_kind(const json_t *steps, size_t index)
{
    const char *uses = text_of(json_array_get(steps, index), "uses");
    for (size_t i = 0; i < index; i++) {
        const json_t *before = json_array_get(steps, i);
        if (json_object_size(json_object_get(before, "table")) && strcmp(text_of(before, "uses"), uses) == 0)
            return false;
    }
    return true;
}

/* All tables of the steps that use `uses` as one: {"step · row": {column: value}}, and its columns in
 * order. */
static json_t *merge_tables(const json_t *steps, const char *uses, json_t *columns)
{
    json_t *merged = json_object();
    size_t index;
    json_t *step;
    json_array_foreach (steps, index, step) {
        const char *row, *column;
        json_t *cells, *cell;
        if (strcmp(text_of(step, "uses"), uses) != 0)
            continue;
        json_object_foreach (json_object_get(step, "table"), row, cells) {
            char *name = lw_format("%s · %s", text_of(step, "id"), row);
            if (name)
                json_object_set(merged, name, cells);
            lw_free(name);
            json_object_foreach (cells, column, cell)
                json_object_set_new(columns, column, json_true());
        }
    }
    return merged;
}

static void put_cell(page *p, const json_t *cell)
{
    put(p, "<td>");
    if (json_is_number(cell))
        put_number(p, json_number_value(cell));
    else
        put(p, "–");
    put(p, "</td>");
}

/* The longer side goes down: `across` and `down` are objects whose keys name columns and rows. */
static void put_table(page *p, const json_t *table, const json_t *across, const json_t *down, bool turned)
{
    const char *x, *y;
    json_t *unused, *unused_too;
    put(p, "<div class=\"scroll\"><table><thead><tr><th></th>");
    json_object_foreach ((json_t *)across, x, unused) {
        put(p, "<th scope=\"col\">");
        put_text(p, x);
        put(p, "</th>");
    }
    put(p, "</tr></thead><tbody>\n");
    json_object_foreach ((json_t *)down, y, unused) {
        put(p, "<tr><th scope=\"row\">");
        put_text(p, y);
        put(p, "</th>");
        json_object_foreach ((json_t *)across, x, unused_too)
            put_cell(p, json_object_get(json_object_get(table, turned ? x : y), turned ? y : x));
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table></div>\n");
}

void put_tables(page *p, const json_t *history)
{
    const json_t *steps = json_object_get(history, "steps");
    bool any = false;
    size_t index;
    json_t *step;
    json_array_foreach (steps, index, step) {
        if (json_object_size(json_object_get(step, "table")) == 0 || !is_first_of_its_kind(steps, index))
            continue;
        put(p, any ? "" : "<section id=\"results\"><h2>Results</h2>\n");
        any = true;
        put(p, "<h3>");
        put_text(p, text_of(step, "uses"));
        put(p, "</h3>\n");
        json_t *columns = json_object(), *table = merge_tables(steps, text_of(step, "uses"), columns);
        bool turned = json_object_size(columns) > json_object_size(table);
        put_table(p, table, turned ? table : columns, turned ? columns : table, turned);
        json_decref(columns);
        json_decref(table);
    }
    put(p, any ? "</section>\n" : "");
}

/* --- curves: series named "group/line" share the chart of their group, also those of other steps, so that
 * variants stand side by side; "name ±" becomes a band around "name"
 * --------------------------------------------------------- */
#define SPREAD " \xc2\xb1"

/* [[i, v], …] with at most MAX_POINTS points, each the mean of `every` following ones. */
static json_t *thin(const json_t *points, size_t every)
{
    json_t *thinned = json_array();
    for (size_t i = 0; i < json_array_size(points); i += every) {
        double sum = 0;
        size_t n = 0;
        for (; n < every && i + n < json_array_size(points); n++)
            sum += json_number_value(json_array_get(json_array_get(points, i + n), 1));
        json_array_append_new(
            thinned, json_pack("[O,f]", json_array_get(json_array_get(points, i), 0), sum / (double)n));
    }
    return thinned;
}

static size_t group_length(const char *series)
{
    const char *slash = strchr(series, '/');
    return slash ? (size_t)(slash - series) : strlen(series);
}

static bool is_spread(const char *series)
{
    const size_t length = strlen(series), mark = strlen(SPREAD);
    return length > mark && strcmp(series + length - mark, SPREAD) == 0;
}

/* Of how many steps this group has curves. */
static int steps_with(const json_t *history, const char *group, size_t length)
{
    int count = 0;
    size_t index;
    json_t *step, *points;
    const char *series;
    json_array_foreach (json_object_get(history, "steps"), index, step) {
        bool found = false;
        json_object_foreach (json_object_get(step, "series"), series, points)
            found = found || (group_length(series) == length && strncmp(series, group, length) == 0);
        count += found;
    }
    return count;
}

/* The chart of this title in `charts`, made where it is new. */
static json_t *chart_for(json_t *charts, const char *title)
{
    if (!json_object_get(charts, title))
        json_object_set_new(charts, title, json_pack("{s:i, s:[]}", "every", 1, "lines"));
    return json_object_get(charts, title);
}

/* "step · group" with the line's name; or, where steps share the chart, "group" with "step" or "step ·
 * line". */
static void name_line(const json_t *history, const char *step, const char *series, char **title, char **label)
{
    const size_t length = group_length(series);
    const char *line = series[length] ? series + length + 1 : NULL;
    const bool shared = steps_with(history, series, length) > 1;
    *title =
        shared ? lw_format("%.*s", (int)length, series) : lw_format("%s · %.*s", step, (int)length, series);
    *label = !shared ? lw_strdup(line ? line : series)
             : line  ? lw_format("%s · %s", step, line)
                     : lw_strdup(step);
}

static void add_line(json_t *charts, const json_t *history, const json_t *step, const char *series,
                     const json_t *points)
{
    char *title, *label, *band = lw_format("%s" SPREAD, series);
    const json_t *spread = band ? json_object_get(json_object_get(step, "series"), band) : NULL;
    const size_t count = json_array_size(points), every = (count + MAX_POINTS - 1) / MAX_POINTS;
    name_line(history, text_of(step, "id"), series, &title, &label);
    if (every && title && label) {
        json_t *chart = chart_for(charts, title),
               *line = json_pack("{s:s, s:o}", "label", label, "points", thin(points, every));
        if ((json_int_t)every > json_integer_value(json_object_get(chart, "every")))
            json_object_set_new(chart, "every", json_integer((json_int_t)every));
        if (spread && json_array_size(spread) == count)
            json_object_set_new(line, "spread", thin(spread, every));
        json_array_append_new(json_object_get(chart, "lines"), line);
    }
    lw_free(title);
    lw_free(label);
    lw_free(band);
}

static json_t *collect_charts(const json_t *history)
{
    json_t *charts = json_object(), *step, *points;
    const char *series;
    size_t index;
    json_array_foreach (json_object_get(history, "steps"), index, step)
        json_object_foreach (json_object_get(step, "series"), series, points)
            if (!is_spread(series))
                add_line(charts, history, step, series, points);
    return charts;
}

bool put_curves(page *p, const json_t *history)
{
    json_t *charts = collect_charts(history), *chart;
    const char *title;
    if (json_object_size(charts)) {
        put(p, "<section id=\"curves\"><h2>Curves</h2>\n<div class=\"charts\">\n");
        json_object_foreach (charts, title, chart) {
            put(p, "<figure class=\"chart\"><figcaption>");
            put_text(p, title);
            json_int_t every = json_integer_value(json_object_get(chart, "every"));
            if (every > 1)
                put_format(p, " <span class=\"quiet\">means of %lld points</span>", (long long)every);
            put(p, "</figcaption><div class=\"canvas\"><canvas role=\"img\" aria-label=\"");
            put_text(p, title);
            put(p, "\"></canvas></div></figure>\n");
        }
        put(p, "</div>\n<script type=\"application/json\" id=\"chart-data\">");
        put_script_json(p, charts);
        put(p, "</script>\n</section>\n");
    }
    bool any = json_object_size(charts) > 0;
    json_decref(charts);
    return any;
}

/* --- notes ----------------------------------------------------------------------------------------- */
void put_notes(page *p, const json_t *history)
{
    bool any = false;
    size_t index, number;
    json_t *step, *note;
    json_array_foreach (json_object_get(history, "steps"), index, step) {
        json_array_foreach (json_object_get(step, "notes"), number, note) {
            put(p, any ? "" : "<section id=\"notes\"><h2>Notes</h2>\n<ul>\n");
            any = true;
            put(p, "<li><b>");
            put_text(p, text_of(step, "id"));
            put(p, "</b> ");
            put_text(p, json_string_value(note));
            put(p, "</li>\n");
        }
    }
    put(p, any ? "</ul></section>\n" : "");
}
