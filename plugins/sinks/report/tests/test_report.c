/* test_report.c — the page that sink/report writes: complete, self-contained, and safe with any text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "step_harness.h"
#include "latentwalk/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Discs that move and change colour along a walk: something for eyes to follow. [N, T, 3, 64, 64] */
static lw_tensor *discs(int64_t count, int64_t points)
{
    lw_tensor *walks = lw_tensor_create(LW_SHAPE(count, points, 3, 64, 64));
    for (int64_t i = 0; i < lw_shape_count(walks->shape); i++) {
        int64_t x = i % 64, y = i / 64 % 64, c = i / 4096 % 3, t = i / 12288 % points, n = i / 12288 / points;
        double along = (double)t / (double)(points - 1), dx = (double)x - 14 - 36 * along;
        double dy = (double)y - 32 - 12 * sin(6.283 * along + (double)n);
        double inside = dx * dx + dy * dy < 140 ? 1 : 0;
        walks->data[i] =
            (float)(inside * (c == n % 3 ? 1 : -1 + 2 * along) + (1 - inside) * (-0.9 + 0.02 * (double)y));
    }
    return walks;
}

static json_t *curve(size_t count, double from, double to)
{
    json_t *points = json_array();
    for (size_t i = 0; i < count; i++) {
        double v = to + (from - to) * exp(-4.0 * (double)i / (double)count) + 0.05 * sin((double)i);
        json_array_append_new(points, json_pack("[I,f]", (json_int_t)i, v));
    }
    return points;
}

/* A run as the host tells it, with texts that would break a careless page. */
static json_t *example_history(void)
{
    json_t *history = json_pack(
        "{s:s, s:s, s:i, s:{s:s, s:s}, s:{s:{s:s, s:s, s:i}}, s:["
        "{s:s, s:s, s:{s:s, s:i}, s:f, s:{}, s:{}, s:[], s:[]},"
        "{s:s, s:s, s:{s:i, s:[{s:s, s:f}, {s:s, s:f}], s:[i,i]}, s:f, s:{s:o, s:o, s:o}, s:{}, s:[s], s:[]},"
        "{s:s, s:s, s:{}, s:f, s:{}, s:{s:{s:f,s:f,s:f}, s:{s:f,s:f,s:f}}, s:[], s:[s]}"
        "]}",
        "latentwalk", "0.1.0", "pipeline", "quick.yaml", "seed", 42, "device", "name", "pthread-cpu", "type",
        "cpu", "models", "faces", "uses", "generator/dcgan", "weights", "faces.safetensors", "z_dim", 100,
        "steps",
        /* start */
        "id", "start", "uses", "source/latents", "with", "model", "faces", "count", 8, "seconds", 0.01,
        "series", "table", "notes", "files",
        /* walk */
        "id", "walk", "uses", "method/trajectory-net", "with", "points", 10, "losses", "uses",
        "loss/adversarial", "weight", 1.0, "uses", "loss/smoothness", "weight", 0.1, "hidden", 256, 256,
        "seconds", 31.5, "series", "loss/adversarial", curve(2500, 2.0, 0.7), "loss/smoothness",
        curve(2500, 1.0, 0.1), "total", curve(500, 3.0, 0.8), "table", "notes",
        "</script><script>alert('note')</script> & \"more\"", "files",
        /* path */
        "id", "path", "uses", "metric/path", "with", "seconds", 2.25, "series", "table", "walk",
        "step length", 1.25, "smoothness", 14.0625, "score", -0.75, "straight line", "step length", 1.5,
        "smoothness", 20.25, "score", -1.5, "notes", "files", "steps/path/a b%.json");
    assert_non_null(history);
    return history;
}

static char *read_page(const harness *h)
{
    char *path = lw_format("%s/report.html", h->folder);
    uint8_t *data;
    size_t size;
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *text = lw_format("%.*s", (int)size, (const char *)data);
    lw_free(data);
    lw_free(path);
    return text;
}

/* The example's page. Kept as $LW_KEEP_REPORT where that is set, to be looked at. */
static char *example_page(void)
{
    harness h;
    lw_tensor *walks = discs(6, 10);
    lw_tensor grid = {LW_SHAPE(60, 3, 64, 64), walks->data};
    harness_open(&h, "sink/report");
    harness_set(&h, "title", "Walks <of> discs & \"more\"");
    h.history = example_history();
    harness_input(&h, "walks", "walk.images", "image", walks);
    harness_input(&h, "grids", "start.images", "image", &grid);
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *page = read_page(&h);
    if (getenv("LW_KEEP_REPORT"))
        assert_int_equal(lw_file_write(getenv("LW_KEEP_REPORT"), page, strlen(page)), LW_OK);
    harness_close(&h);
    lw_tensor_destroy(walks);
    return page;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static void the_page_needs_nothing_from_anywhere(void **state)
{
    (void)state;
    char *page = example_page();
    assert_int_equal(count(page, "src=\"http"), 0);
    assert_int_equal(count(page, "<link"), 0);
    assert_int_equal(count(page, "@import"), 0);
    assert_int_equal(count(page, "default-src 'none'"), 1);
    assert_int_equal(count(page, "Chart.js v"), 1);
    assert_int_equal(strncmp(page, "<!DOCTYPE html>", 15), 0);
    assert_string_equal(page + strlen(page) - 8, "</html>\n");
    lw_free(page);
}

static void texts_cannot_become_markup(void **state)
{
    (void)state;
    char *page = example_page();
    assert_int_equal(count(page, "<title>Walks &lt;of&gt; discs &amp; &quot;more&quot;</title>"), 1);
    assert_int_equal(count(page, "alert('note')"), 0);
    assert_int_equal(count(page, "&lt;/script&gt;"), 2);
    assert_int_equal(count(page, "</script>"), 3); /* chart data, Chart.js, page.js */
    assert_int_equal(count(page, "href=\"steps/path/a%20b%25.json\""), 1);
    lw_free(page);
}

static void every_walk_has_a_frame_and_the_set_one_slider(void **state)
{
    (void)state;
    char *page = example_page();
    assert_int_equal(count(page, "<div class=\"frame\""), 6);
    assert_int_equal(count(page, "type=\"range\" min=\"0\" max=\"9\""), 1);
    assert_int_equal(count(page, "url(data:image/webp;base64,UklGR"), 6);
    assert_int_equal(count(page, "src=\"data:image/webp;base64,UklGR"), 1);
    lw_free(page);
}

static void tables_curves_and_parameters_are_there(void **state)
{
    (void)state;
    char *page = example_page();
    assert_int_equal(count(page, "path · straight line</th>"), 1);
    assert_int_equal(count(page, "<td>14.06</td>"), 1);
    assert_int_equal(count(page, "<canvas"), 2); /* walk · loss, walk · total */
    assert_int_equal(count(page, "means of 3 points"), 1);
    assert_int_equal(count(page, "loss/adversarial"), 1); /* the parameter; curves name it below "loss" */
    assert_int_equal(count(page, "seed 42"), 1);
    lw_free(page);
}

/* Two steps of one metric share a table, so that variants of a matrix stand side by side. */
static void tables_of_the_same_plugin_are_joined(void **state)
{
    (void)state;
    harness h;
    harness_open(&h, "sink/report");
    h.history = json_pack("{s:[{s:s,s:s,s:{s:{s:f}}}, {s:s,s:s,s:{s:{s:f}}}]}", "steps", "id", "one", "uses",
                          "metric/path", "table", "walk", "score", 1.0, "id", "two", "uses", "metric/path",
                          "table", "walk", "score", 2.0);
    assert_int_equal(harness_run(&h), LW_OK);
    char *page = read_page(&h);
    assert_int_equal(count(page, "<h3>metric/path</h3>"), 1);
    assert_int_equal(count(page, "one · walk"), 1);
    assert_int_equal(count(page, "two · walk"), 1);
    assert_int_equal(count(page, "Chart.js v"), 0); /* without curves the page does without */
    lw_free(page);
    harness_close(&h);
}

/* Curves of the same name share a chart with a line for each step, and a deviation is no curve of its own. */
static void curves_of_variants_share_a_chart(void **state)
{
    (void)state;
    harness h;
    harness_open(&h, "sink/report");
    h.history = json_pack("{s:[{s:s,s:s,s:{s:o,s:o,s:o}}, {s:s,s:s,s:{s:o}}]}", "steps", "id", "walk-a",
                          "uses", "method/a", "series", "step length", curve(5, 1, 2), "step length \xc2\xb1",
                          curve(5, 0.1, 0.2), "alone", curve(5, 1, 2), "id", "walk-b", "uses", "method/b",
                          "series", "step length", curve(5, 2, 3));
    assert_int_equal(harness_run(&h), LW_OK);
    char *page = read_page(&h);
    assert_int_equal(count(page, "<canvas"), 2);
    assert_int_equal(count(page, "<figcaption>step length</figcaption>"), 1);
    assert_int_equal(count(page, "<figcaption>walk-a · alone</figcaption>"), 1);
    assert_int_equal(count(page, "\"label\":\"walk-a\""), 1);
    assert_int_equal(count(page, "\"label\":\"walk-b\""), 1);
    assert_int_equal(count(page, "\"spread\":[[0,"), 1);
    lw_free(page);
    harness_close(&h);
}

static void points_are_called_as_they_are_named(void **state)
{
    (void)state;
    harness h;
    lw_tensor *walks = discs(2, 3);
    harness_open(&h, "sink/report");
    harness_set(&h, "at", "[0, 10, 500]");
    harness_input(&h, "walks", "walk.images", "image", walks);
    assert_int_equal(harness_run(&h), LW_OK);
    char *page = read_page(&h);
    assert_int_equal(count(page, "data-points=\"3\" data-at=\"0 10 500\">"), 1);
    lw_free(page);
    harness_set(&h, "at", "[0, 10]");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "'walk.images': at: 2 names for 3 points"));
    harness_close(&h);
    lw_tensor_destroy(walks);
}

static void long_inputs_are_cut_and_large_images_made_smaller(void **state)
{
    (void)state;
    harness h;
    lw_tensor *walks = discs(5, 2);
    harness_open(&h, "sink/report");
    harness_set(&h, "first", "2");
    harness_set(&h, "max_size", "16");
    harness_input(&h, "walks", "walk.images", "image", walks);
    assert_int_equal(harness_run(&h), LW_OK);
    char *page = read_page(&h);
    assert_int_equal(count(page, "<div class=\"frame\""), 2);
    assert_int_equal(count(page, "2 of 5 walks, 2 points each"), 1);
    assert_int_equal(count(page, "aspect-ratio:16/16"), 2);
    lw_free(page);
    harness_close(&h);
    lw_tensor_destroy(walks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_needs_nothing_from_anywhere),
        cmocka_unit_test(texts_cannot_become_markup),
        cmocka_unit_test(every_walk_has_a_frame_and_the_set_one_slider),
        cmocka_unit_test(tables_curves_and_parameters_are_there),
        cmocka_unit_test(tables_of_the_same_plugin_are_joined),
        cmocka_unit_test(curves_of_variants_share_a_chart),
        cmocka_unit_test(points_are_called_as_they_are_named),
        cmocka_unit_test(long_inputs_are_cut_and_large_images_made_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
