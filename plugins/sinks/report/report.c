/* report.c — sink/report: what a run did and found, as one HTML file that needs nothing else. */
#include "report.h"

static const lw_param params[] = {
    {"title", LW_PARAM_STRING, NULL, "Latentwalk report", .doc = "The page's title."},
    {"first", LW_PARAM_INT, "walks", "16", 1, 1024, NULL, "Only the first walks of each input are shown."},
    {"at", LW_PARAM_INTS, "steps", "", 0, 1000000, NULL,
     "What the points of the walks are called beside their slider: the traversal's `keep`; absent: 1, 2, 3, "
     "…"},
    {"max_images", LW_PARAM_INT, "images", "64", 1, 4096, NULL,
     "At most this many images of each grid are shown."},
    {"max_size", LW_PARAM_INT, "px", "256", 16, 2048, NULL, "Images with longer sides are shown smaller."},
    {"quality", LW_PARAM_FLOAT, NULL, "90", -1, 100, NULL,
     "WebP quality of the images; a negative one is lossless."},
};

static const lw_port inputs[] = {
    {"walks", "image[N, T, channels, height, width]", .optional = 1, .many = 1,
     .doc = "Walks, each moved through with a slider."},
    {"grids", "image[…, channels, height, width]", .optional = 1, .many = 1,
     .doc = "Images shown side by side."},
};

/* Nothing may be fetched from anywhere: the browser is told so too. */
static void put_head(page *p, const char *title)
{
    put(p, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
           "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    put_text(p, title);
    put(p, "</title>\n<style>\n");
    put(p, report_css);
    put(p, "</style></head>\n<body>\n<header><h1>");
    put_text(p, title);
    put(p, "</h1>\n");
}

static lw_status put_page(page *p, lw_step *step, const json_t *history)
{
    put_head(p, lw_text(lw_step_args(step), "title"));
    put_summary(p, history);
    put(p, "<noscript><p>Sliders and curves need JavaScript; everything else works "
           "without.</p></noscript></header>\n"
           "<main>\n");
    LW_TRY(put_walks(p, step));
    put_tables(p, history);
    LW_TRY(put_grids(p, step));
    bool curves = put_curves(p, history);
    put_notes(p, history);
    put_setup(p, history);
    put(p, "</main>\n");
    if (curves) {
        put(p, "<script>");
        put(p, chart_js);
        put(p, "</script>\n");
    }
    put(p, "<script>\n");
    put(p, report_js);
    put(p, "</script>\n</body></html>\n");
    return p->failed ? LW_MEMORY : LW_OK;
}

static lw_status write_page(lw_step *step, const page *p)
{
    char *path = lw_step_run_path(step, "report.html");
    lw_status status = path ? lw_file_write(path, p->data, p->size) : lw_error_status();
    lw_free(path);
    return status;
}

static lw_status run(lw_step *step)
{
    const char *text = lw_step_history(step);
    if (!text)
        return lw_error_status();
    json_error_t error;
    json_t *history = json_loads(text, 0, &error);
    if (!history)
        return lw_fail(LW_INTERNAL, "the history of the run cannot be read: %s", error.text);
    page p = {0};
    lw_status status = put_page(&p, step, history);
    if (status == LW_OK)
        status = write_page(step, &p);
    lw_free(p.data);
    json_decref(history);
    return status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(SINK, "report", "1.0.0",
          "One self-contained HTML page: walks with sliders, tables, grids, curves, parameters",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
