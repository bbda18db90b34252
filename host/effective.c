/* effective.c — the pipeline as it is run: canonical YAML with every value, defaults included, a comment
 * saying where each came from, and absolute paths, so that the file alone runs the same again. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "folder.h"
#include "latentwalk/image.h"
#include "model/model.h"
#include "plugin/args.h"

typedef struct writer {
    char *text;
    size_t size, capacity;
    bool failed;
} writer;

static void put(writer *w, const char *text)
{
    size_t length = strlen(text);
    if (w->size + length + 1 > w->capacity) {
        size_t capacity = (w->size + length + 1) * 2;
        char *grown = lw_resize(w->text, capacity, 1);
        if (!grown) {
            w->failed = true;
            return;
        }
        w->text = grown;
        w->capacity = capacity;
    }
    memcpy(w->text + w->size, text, length + 1);
    w->size += length;
}

LW_PRINTF(2, 3) static void putf(writer *w, const char *format, ...)
{
    char small[512];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(small, sizeof(small), format, arguments);
    if (length >= 0 && (size_t)length < sizeof(small)) {
        put(w, small);
    } else {
        char *large = length < 0 ? NULL : lw_alloc((size_t)length + 1, 1);
        if (large) {
            vsnprintf(large, (size_t)length + 1, format, again);
            put(w, large);
        }
        w->failed = w->failed || !large;
        lw_free(large);
    }
    va_end(again);
    va_end(arguments);
}

/* --- values --------------------------------------------------------------------------------------- */
/* Text in double quotes unless it is plainly a word or a path; JSON's escapes are YAML's too. */
static void put_text(writer *w, const char *text)
{
    static const char *const special[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", NULL};
    bool plain = isalpha((unsigned char)*text) || *text == '/' || *text == '_';
    for (const char *c = text; *c && plain; c++)
        plain = isalnum((unsigned char)*c) || strchr("_./-", *c);
    if (plain && !lwi_list_has(special, text)) {
        put(w, text);
        return;
    }
    json_t *string = json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    w->failed = w->failed || !quoted;
    put(w, quoted ? quoted : "");
    free(quoted);
}

/* A number with as few digits as bring it back. */
static void put_number(writer *w, double value)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put(w, text);
}

static void put_origin(writer *w, const lwh_yaml *node, const char *otherwise)
{
    if (!node || !node->place.file)
        putf(w, "  # %s\n", otherwise);
    else if (lwh_is_override(node->place))
        put(w, "  # --set\n");
    else
        putf(w, "  # %s:%d:%d\n", node->place.file, node->place.line, node->place.column);
}

static void put_args(writer *w, const lw_args *args, const lwh_yaml *with, int indent, bool from_weights);

static void put_losses(writer *w, const lw_args *args, const char *key, const lwh_yaml *list, int indent)
{
    int count = lwi_args_loss_count(args, key);
    putf(w, "%*s%s:%s", indent, "", key, count ? "" : " []");
    put_origin(w, list, "default");
    for (int i = 0; i < count; i++) {
        const lwi_loss_item *item = lwi_args_loss(args, key, i);
        const lwh_yaml *node = list && list->kind == LWH_LIST && i < list->count ? list->value[i] : NULL;
        const lwh_yaml *weight = lwh_yaml_get(node, "weight");
        putf(w, "%*s- uses: %s", indent + 2, "", lwi_plugin_id(item->plugin));
        put_origin(w, lwh_yaml_get(node, "uses"), "default");
        putf(w, "%*sid: ", indent + 4, "");
        put_text(w, item->id);
        put_origin(w, lwh_yaml_get(node, "id"), "default");
        putf(w, "%*sweight: ", indent + 4, "");
        put_number(w, item->weight);
        put_origin(w, weight, "default");
        put_args(w, item->args, lwh_yaml_get(node, "with"), indent + 4, false);
    }
}

/* The `with:` of a plugin, complete. */
static void put_args(writer *w, const lw_args *args, const lwh_yaml *with, int indent, bool from_weights)
{
    const lw_plugin *plugin = lwi_args_plugin(args);
    bool any = false;
    for (uint32_t i = 0; i < plugin->param_count; i++) {
        const lw_param *param = lwi_param_at(plugin, i);
        const lwh_yaml *given = lwh_yaml_get(with, param->key);
        bool losses = param->type == LW_PARAM_LOSSES;
        if (!losses && !lw_is_set(args, param->key))
            continue;
        if (!any)
            putf(w, "%*swith:\n", indent, "");
        any = true;
        if (losses) {
            put_losses(w, args, param->key, given, indent + 2);
            continue;
        }
        char *text = lwi_args_text(args, param->key);
        w->failed = w->failed || !text;
        bool word = param->type == LW_PARAM_STRING || param->type == LW_PARAM_CHOICE ||
                    param->type == LW_PARAM_PATH || param->type == LW_PARAM_MODEL;
        putf(w, "%*s%s: ", indent + 2, "", param->key);
        if (word)
            put_text(w, lw_text(args, param->key));
        else
            put(w, text ? text : "");
        bool changed = from_weights && text && (!param->fallback || strcmp(text, param->fallback) != 0);
        put_origin(w, given, changed ? "from the weights" : "default");
        lw_free(text);
    }
}

/* --- models, steps ---------------------------------------------------------------------------------- */
static void put_part_texts(writer *w, const lwh_model *model, bool prefixes)
{
    bool any = false;
    for (int part = 0; part < LWI_PART_COUNT; part++) {
        const lwh_part *spec = &model->parts[part];
        const char *text = prefixes ? spec->prefix : spec->file;
        if (!spec->uses || !text)
            continue;
        if (!any)
            putf(w, "    %s:\n", prefixes ? "prefix" : "weights");
        any = true;
        putf(w, "      %s: ", lwi_part_name((lw_part)part));
        put_text(w, text);
        put_origin(w, prefixes ? spec->prefix_node : spec->weights, "default");
    }
}

static void put_model(writer *w, const lwh_model *model)
{
    putf(w, "  %s:\n", model->name);
    for (int part = 0; part < LWI_PART_COUNT; part++) {
        const lwh_part *spec = &model->parts[part];
        if (!spec->uses)
            continue;
        putf(w, "    %s:\n      uses: %s", lwi_part_name((lw_part)part), spec->uses);
        put_origin(w, spec->uses_node, "default");
        put_args(w, lwi_model_args(model->model, (lw_part)part), spec->with, 6, spec->file != NULL);
    }
    put_part_texts(w, model, false);
    put_part_texts(w, model, true);
}

static void put_step(writer *w, const lwh_step *step)
{
    putf(w, "  - id: ");
    put_text(w, step->id);
    putf(w, "\n    uses: %s", step->uses);
    put_origin(w, step->uses_node, "default");
    put_args(w, step->args, step->with, 4, false);
    if (step->input_count)
        put(w, "    inputs:\n");
    for (int i = 0; i < step->input_count; i++) {
        const lwh_input *input = &step->inputs[i];
        putf(w, "      %s: %s", input->port, input->list ? "[" : "");
        for (int k = 0; k < input->count; k++)
            putf(w, "%s%s.%s", k ? ", " : "", input->from[k].step, input->from[k].output);
        putf(w, "%s\n", input->list ? "]" : "");
    }
}

static void put_pipeline(writer *w, const lwh_pipeline *p, const char *blas)
{
    const lwh_yaml *device = lwh_yaml_get(p->root, "device");
    put(w, "# The pipeline of this run with every value, and where it came from.\n"
           "# The same again: latentwalk run THIS-FILE\n"
           "latentwalk: 1\n");
    putf(w, "seed: %" PRIu64, p->seed);
    put_origin(w, lwh_yaml_get(p->root, "seed"), "default");
    put(w, "device:\n");
    if (p->select) {
        put(w, "  select: ");
        put_text(w, p->select);
        put_origin(w, lwh_yaml_get(device, "select"), "default");
    }
    bool chosen = p->blas && strcmp(p->blas, "auto") != 0;
    putf(w, "  blas: %s", blas);
    put_origin(w, chosen ? lwh_yaml_get(device, "blas") : NULL, "chosen for the device");
    bool estimated = strcmp(p->tuning, "estimate") == 0;
    putf(w, "  tuning: %s", estimated ? p->tuning : "tuning.json");
    put_origin(w, lwh_yaml_get(device, "tuning"), estimated ? "default" : "recorded beside this file");
    if (p->model_count)
        put(w, "models:\n");
    for (int i = 0; i < p->model_count; i++)
        put_model(w, &p->models[i]);
    put(w, "steps:\n");
    for (int i = 0; i < p->step_count; i++)
        put_step(w, &p->steps[i]);
}

lw_status lwh_write_effective(const lwh_pipeline *p, const char *blas, const char *path)
{
    writer w = {0};
    put_pipeline(&w, p, blas);
    lw_status status = w.failed ? lw_fail(LW_MEMORY, "out of memory") : lw_file_write(path, w.text, w.size);
    lw_free(w.text);
    return status;
}
