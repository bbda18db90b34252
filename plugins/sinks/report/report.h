/* report.h — the parts of sink/report: a growing page of HTML, and what goes on it. */
#ifndef REPORT_H
#define REPORT_H

#include "latentwalk/latentwalk.h"

#include <jansson.h>

/* html.c: text that grows; the first failed allocation is kept and everything after it does nothing. */
typedef struct page {
    char *data;
    size_t size, capacity;
    bool failed;
} page;
void put(page *p, const char *html);                                         /* as it is */
void put_bytes(page *p, const char *html, size_t size);                      /* as it is */
void put_format(page *p, const char *format, ...) LW_PRINTF(2, 3);           /* as it is; at most 1 KB */
void put_text(page *p, const char *text);                                    /* escaped; NULL is empty */
void put_number(page *p, double value);                                      /* four digits that matter */
void put_base64(page *p, const uint8_t *data, size_t size);
void put_value(page *p, const json_t *value);                                /* any JSON, readable, escaped */
void put_script_json(page *p, const json_t *value);                          /* inside <script>, safely */

/* pictures.c */
lw_status put_walks(page *p, lw_step *step);
lw_status put_grids(page *p, lw_step *step);

/* results.c: what the steps of the run's history have told. */
void put_tables(page *p, const json_t *history);
bool put_curves(page *p, const json_t *history); /* whether there are any */
void put_notes(page *p, const json_t *history);

/* setup.c: how the run was made: device, models, steps with their parameters, times and files. */
void put_summary(page *p, const json_t *history);
void put_setup(page *p, const json_t *history);

/* Embedded by embed.cmake; each ends with a zero byte. */
extern const char report_css[], report_js[], chart_js[];

#endif
