/* image_folder.c — source/image-folder: pictures of a folder or .zip as a dataset, in the order of their
 * names. */
#include "image_folder.h"

#include <string.h>

#define MAX_NOTED 10 /* broken pictures named in the report */

static const char *const crops[] = {"center-square", "none", NULL};
static const char *const parts[] = {"all", "training", "held-out", NULL};
static const char *const on_errors[] = {"fail", "skip", NULL};

static const lw_param params[] = {
    {"path", LW_PARAM_PATH,
     .doc = "A folder (subfolders included) or a .zip of .jpg, .jpeg and .png pictures."},
    {"part", LW_PARAM_CHOICE, NULL, "all", .choices = parts,
     .doc = "Every tenth picture by name is `held-out` (lateGAN sets aside 10 %), the others are for "
            "`training`."},
    {"count", LW_PARAM_INT, "pictures", "0", 0, 4294967295.0, NULL,
     "At most this many, the first by name after `where` and `part`; 0 takes all."},
    {"height", LW_PARAM_INT, "px", "64", 1, 4096, NULL, "Height that every picture is resized to."},
    {"width", LW_PARAM_INT, "px", "64", 1, 4096, NULL, "Width that every picture is resized to."},
    {"crop", LW_PARAM_CHOICE, NULL, "center-square", .choices = crops,
     .doc = "What is cut off before resizing: `center-square` keeps the largest square in the middle, `none` "
            "keeps everything."},
    {"list", LW_PARAM_PATH, NULL, "",
     .doc = "A CSV file with a header line and one row per picture that may be used."},
    {"list_column", LW_PARAM_STRING, NULL, "file",
     .doc = "The column of `list` that holds the picture's name inside the folder or archive."},
    {"where", LW_PARAM_STRINGS, NULL, "",
     .doc = "Conditions on the rows of `list`, all of which must hold: `column=value`, `column=value|value`, "
            "`column!=value`."},
    {"labels", LW_PARAM_STRINGS, NULL, "",
     .doc = "Columns of `list` that the dataset carries as labels: numbers, or blank where not known; "
            "`[\"*\"]` stands "
            "for every column that holds such."},
    {"on_error", LW_PARAM_CHOICE, NULL, "fail", .choices = on_errors,
     .doc =
         "What a broken picture does: `fail` ends the run and names it, `skip` notes it and leaves it out."},
};

static const lw_port outputs[] = {
    {"dataset", "dataset[N, 3, height, width]", .doc = "The pictures, RGB, sorted by name."},
};

static lw_status check_args(const lw_args *args)
{
    if (lw_is_set(args, "list"))
        return LW_OK;
    const char *key = lw_list_count(args, "where")    ? "where"
                      : lw_list_count(args, "labels") ? "labels"
                                                      : NULL;
    return key ? lw_fail(LW_INVALID, "`%s` speaks of columns, so it needs a `list`", key) : LW_OK;
}

/* Keeps every tenth picture, or all the others. */
static void keep_part(entries *list, bool held_out)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if ((i % 10 == 9) == held_out)
            list->items[kept++] = list->items[i];
        else
            lw_free(list->items[i].name);
    }
    list->count = kept;
}

/* Fills `list` with the pictures wanted, in order. */
static lw_status choose(entries *list, table *csv, const lw_args *args)
{
    const char *path = lw_text(args, "path");
    LW_TRY(entries_read(list, path));
    if (list->count == 0)
        return lw_fail(LW_NOT_FOUND, "'%s' holds no .jpg, .jpeg or .png files", path);
    if (lw_is_set(args, "list")) {
        LW_TRY(table_read(csv, lw_text(args, "list")));
        LW_TRY(select_entries(list, csv, args));
        if (list->count == 0)
            return lw_fail(LW_NOT_FOUND, "no row of '%s' meets the conditions of `where`",
                           lw_text(args, "list"));
    }
    const char *part = lw_text(args, "part");
    if (strcmp(part, "all") != 0)
        keep_part(list, strcmp(part, "held-out") == 0);
    if (list->count == 0)
        return lw_fail(LW_NOT_FOUND, "'%s' has fewer than 10 pictures, so none is held out", path);
    size_t most = (size_t)lw_int(args, "count");
    while (most && list->count > most)
        lw_free(list->items[--list->count].name);
    return LW_OK;
}

static lw_status leave_out_broken(lw_step *step, const entries *list, lw_dataset *dataset,
                                  const uint8_t *broken)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        count += broken[i];
        if (broken[i] && count <= MAX_NOTED)
            lw_step_note(step, "'%s' is broken and was left out", list->items[i].name);
    }
    if (count > MAX_NOTED)
        lw_step_note(step, "%zu more are broken and were left out", count - MAX_NOTED);
    if (count == list->count)
        return lw_fail(LW_FORMAT, "none of the %zu pictures can be read", count);
    if (count)
        lw_dataset_drop(dataset, broken);
    return LW_OK;
}

static lw_status fill(lw_step *step, const entries *list, const table *csv, lw_dataset *dataset,
                      uint8_t *broken)
{
    LW_TRY(set_labels(dataset, list, csv, lw_step_args(step)));
    LW_TRY(decode_entries(step, list, dataset, broken));
    if (lw_step_cancelled(step))
        return LW_OK;
    LW_TRY(leave_out_broken(step, list, dataset, broken));
    lw_step_note(step, "%zu pictures", lw_dataset_count(dataset));
    if (list->ignored)
        lw_step_note(step, "%zu other files were ignored", list->ignored);
    return LW_OK;
}

static lw_status make(lw_step *step, entries *list, table *csv)
{
    const lw_args *args = lw_step_args(step);
    LW_TRY(check_args(args));
    LW_TRY(choose(list, csv, args));
    lw_dataset *dataset = lw_dataset_create(list->count, 3, lw_int(args, "height"), lw_int(args, "width"));
    uint8_t *broken = dataset ? lw_alloc(list->count, 1) : NULL;
    lw_status status = broken ? fill(step, list, csv, dataset, broken) : lw_error_status();
    lw_free(broken);
    if (status != LW_OK || lw_step_cancelled(step)) {
        lw_dataset_destroy(dataset);
        return status;
    }
    return lw_step_output_dataset(step, "dataset", dataset);
}

static lw_status run(lw_step *step)
{
    entries list = {0};
    table csv = {0};
    lw_status status = make(step, &list, &csv);
    table_free(&csv);
    entries_free(&list);
    return status == LW_OK ? lw_step_finish(step) : status;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(SOURCE, "image-folder", "1.0.0", "Pictures of a folder or .zip, as a dataset with optional labels",
          LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &runner);
