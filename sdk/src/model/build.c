/* build.c — building a model's parts into a graph: scopes around every plugin call, shapes checked before
 * and after. */
#include "model/internal.h"

#include <stdio.h>
#include <string.h>

#define GENERATOR(part) ((const lw_generator *)(part)->plugin->functions)
/* A function added after version 1.0 of the table; NULL in an older plugin. */
#define GENERATOR_HAS(part, member) \
    (GENERATOR(part)->size > offsetof(lw_generator, member) && GENERATOR(part)->member)
#define NETWORK(part) ((const lw_network *)(part)->plugin->functions)

static lw_build_options read_options(const lw_build_options *given)
{
    lw_build_options options = {0};
    if (given) /* a plugin's struct may be older and shorter */
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    return options;
}

static void push(lw_graph *g, const lwi_part *part, const lw_build_options *options)
{
    if (options->resolution && !lwi_list_has(part->plugin->provides, "grow"))
        lw_graph_fail(g, LW_UNSUPPORTED,
                      "%s (%s) cannot be built for smaller images: it does not provide `grow`", part->scope,
                      lwi_plugin_id(part->plugin));
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = lwi_plugin_id(part->plugin),
                                 .model = part->scope,
                                 .store = options->store ? options->store : part->store,
                                 .training = options->training,
                                 .frozen = !options->trainable,
                                 .on_tap = options->on_tap,
                                 .user = options->user,
                                 .labels = options->labels,
                                 .resolution = options->resolution,
                                 .fade = options->fade});
}

/* The part, or NULL with the graph's error. */
static const lwi_part *part_of(lw_graph *g, const lw_model *model, lw_part which)
{
    if (!g)
        return NULL;
    if (!model) {
        lw_graph_fail(g, LW_INVALID, "there is no model to build a %s of", lwi_part_name(which));
        return NULL;
    }
    if (model->part[which].plugin)
        return &model->part[which];
    lw_graph_fail(g, LW_UNSUPPORTED, "model '%s' has no %s; give it one under models:", model->name,
                  lwi_part_name(which));
    return NULL;
}

/* A named size as what is being built has it: a network that still grows makes smaller images. */
static int64_t size_of(lw_graph *g, const lwi_part *part, const char *name)
{
    bool side = strcmp(name, "height") == 0 || strcmp(name, "width") == 0;
    return side && lw_resolution(g) ? lw_resolution(g) : lwi_dims_get(&part->dims, name);
}

/* Is `value` [N, dims…], as the part's named sizes say? A size the part does not name fits anything. */
static bool fits(lw_graph *g, const lwi_part *part, lw_value value, const char *const *names, int count)
{
    lw_shape shape = lw_shape_of(g, value);
    if (shape.rank != count + 1)
        return false;
    for (int i = 0; i < count; i++) {
        int64_t expected = size_of(g, part, names[i]);
        if (expected && shape.dim[i + 1] != expected)
            return false;
    }
    return true;
}

static const char *const z_dims[] = {"z_dim"}, *const w_dims[] = {"w_dim"},
                         *const ws_dims[] = {"num_ws", "w_dim"},
                         *const image_dims[] = {"channels", "height", "width"},
                         *const feature_dims[] = {"features"};

/* "[N, 3, 64, 64]" */
static char *expected_text(lw_graph *g, const lwi_part *part, const char *const *names, int count)
{
    char *text = lw_strdup("[N");
    for (int i = 0; text && i < count; i++) {
        int64_t size = size_of(g, part, names[i]);
        char *longer =
            size ? lw_format("%s, %lld", text, (long long)size) : lw_format("%s, %s", text, names[i]);
        lw_free(text);
        text = longer;
    }
    char *closed = text ? lw_format("%s]", text) : NULL;
    lw_free(text);
    return closed;
}

/* `what`: "takes z", "must return an image". */
static bool require(lw_graph *g, const lwi_part *part, lw_value value, const char *what,
                    const char *const *names, int count)
{
    if (lw_is_null(value) || fits(g, part, value, names, count))
        return true; /* null: an earlier error stands */
    char found[LW_SHAPE_TEXT], *expected = expected_text(g, part, names, count);
    lw_graph_fail(g, LW_SHAPE, "%s (%s) %s %s, not %s", part->scope, lwi_plugin_id(part->plugin), what,
                  expected ? expected : "another shape", lw_shape_text(lw_shape_of(g, value), found));
    lw_free(expected);
    return false;
}

/* A plugin that fails must say so through the graph; a bare null value would go unnoticed. */
static lw_value returned(lw_graph *g, const lwi_part *part, lw_value value, const char *what,
                         const char *const *names, int count)
{
    if (lw_is_null(value))
        return lw_graph_fail(g, LW_INVALID, "%s (%s) returned the null value", part->scope,
                             lwi_plugin_id(part->plugin));
    return require(g, part, value, what, names, count) ? value : (lw_value){0};
}

/* z [N, z_dim] -> w [N, w_dim], within the part's scope. */
static lw_value map_inside(lw_graph *g, const lwi_part *part, lw_value z)
{
    if (!require(g, part, z, "takes z", z_dims, 1))
        return (lw_value){0};
    if (!GENERATOR(part)->map)
        return z;
    return returned(g, part, GENERATOR(part)->map(g, part->args, z), "must map to w", w_dims, 1);
}

/* w [N, w_dim] -> w or w+ [N, num_ws, w_dim], within the part's scope. */
static lw_value truncate_inside(lw_graph *g, const lwi_part *part, lw_value w)
{
    if (lw_is_null(w) || !GENERATOR_HAS(part, truncate))
        return w;
    lw_value cut = GENERATOR(part)->truncate(g, part->args, w);
    bool plus = !lw_is_null(cut) && lw_shape_of(g, cut).rank == 3;
    return returned(g, part, cut, "must truncate to w or w+", plus ? ws_dims : w_dims, plus ? 2 : 1);
}

/* latent -> image [N, channels, height, width], within the part's scope. */
static lw_value synthesize_inside(lw_graph *g, const lwi_part *part, lw_value latent)
{
    bool w_plus = GENERATOR(part)->map && !lw_is_null(latent) && lw_shape_of(g, latent).rank == 3;
    bool ok = w_plus                 ? require(g, part, latent, "takes w+", ws_dims, 2)
              : GENERATOR(part)->map ? require(g, part, latent, "takes w", w_dims, 1)
                                     : require(g, part, latent, "takes z", z_dims, 1);
    if (!ok)
        return (lw_value){0};
    return returned(g, part, GENERATOR(part)->synthesize(g, part->args, latent), "must return an image",
                    image_dims, 3);
}

/* x -> what the network says, within the part's scope; a discriminator's is [N, 1]. */
static lw_value apply_inside(lw_graph *g, const lwi_part *part, lw_part which, lw_value x)
{
    bool features = lwi_dims_get(&part->dims, "features") && !lwi_dims_get(&part->dims, "channels");
    bool ok = features ? require(g, part, x, "takes features", feature_dims, 1)
                       : require(g, part, x, "takes an image", image_dims, 3);
    if (!ok)
        return (lw_value){0};
    int64_t examples = lw_is_null(x) ? 0 : lw_dim(g, x, 0);
    lw_value y = NETWORK(part)->apply(g, part->args, x);
    if (lw_is_null(y))
        return returned(g, part, y, "", NULL, 0);
    lw_shape shape = lw_shape_of(g, y);
    if (which == LW_PART_DISCRIMINATOR &&
        (shape.rank != 2 || shape.dim[0] != examples || shape.dim[1] != 1)) {
        char found[LW_SHAPE_TEXT];
        return lw_graph_fail(g, LW_SHAPE, "%s (%s) must return scores [N, 1], not %s", part->scope,
                             lwi_plugin_id(part->plugin), lw_shape_text(shape, found));
    }
    return y;
}

/* --- for methods ---------------------------------------------------------------------------- */

lw_value lw_generate_with(lw_graph *g, lw_model *model, lw_value z, const lw_build_options *given)
{
    const lw_build_options options = read_options(given);
    const lwi_part *part = part_of(g, model, LW_PART_GENERATOR);
    if (!part)
        return (lw_value){0};
    push(g, part, &options);
    lw_value image = synthesize_inside(g, part, truncate_inside(g, part, map_inside(g, part, z)));
    lw_scope_pop(g);
    return image;
}

lw_value lw_map_with(lw_graph *g, lw_model *model, lw_value z, const lw_build_options *given)
{
    const lw_build_options options = read_options(given);
    const lwi_part *part = part_of(g, model, LW_PART_GENERATOR);
    if (!part)
        return (lw_value){0};
    push(g, part, &options);
    lw_value w = map_inside(g, part, z);
    lw_scope_pop(g);
    return w;
}

lw_value lw_synthesize_with(lw_graph *g, lw_model *model, lw_value latent, const lw_build_options *given)
{
    const lw_build_options options = read_options(given);
    const lwi_part *part = part_of(g, model, LW_PART_GENERATOR);
    if (!part)
        return (lw_value){0};
    push(g, part, &options);
    lw_value image = synthesize_inside(g, part, latent);
    lw_scope_pop(g);
    return image;
}

lw_value lw_truncate(lw_graph *g, lw_model *model, lw_value w)
{
    const lwi_part *part = part_of(g, model, LW_PART_GENERATOR);
    if (!part)
        return (lw_value){0};
    push(g, part, &(lw_build_options){.size = sizeof(lw_build_options)});
    w = truncate_inside(g, part, w);
    lw_scope_pop(g);
    return w;
}

/* The arguments with which everything is drawn to the mean itself, in all layers. Owned. */
static lw_args *to_the_mean(const lwi_part *part)
{
    lw_args *args = lwi_args_copy(part->args);
    const lw_param *cutoff = lwi_param_find(part->plugin, "truncation_cutoff");
    char all[32];
    snprintf(all, sizeof all, "%.0f", cutoff ? cutoff->maximum : 0);
    if (args && lwi_args_set_text(args, "truncation_psi", "0", false) == LW_OK &&
        (!cutoff || lwi_args_set_text(args, "truncation_cutoff", all, false) == LW_OK))
        return args;
    lwi_args_destroy(args);
    return NULL;
}

lw_value lw_mean_latent(lw_graph *g, lw_model *model)
{
    const lwi_part *part = part_of(g, model, LW_PART_GENERATOR);
    if (!part)
        return (lw_value){0};
    if (!GENERATOR_HAS(part, truncate))
        return lw_graph_fail(g, LW_UNSUPPORTED, "%s (%s) has no truncation, so no mean of w to draw to",
                             part->scope, lwi_plugin_id(part->plugin));
    lw_args *args = to_the_mean(part);
    if (!args)
        return lw_graph_fail(g, lw_error_status(), "%s", lw_error_text());
    push(g, part, &(lw_build_options){.size = sizeof(lw_build_options)});
    lw_value any = lw_fill(g, LW_SHAPE(1, lwi_dims_get(&part->dims, "w_dim")), 0);
    lw_value mean =
        returned(g, part, GENERATOR(part)->truncate(g, args, any), "must truncate to w", w_dims, 1);
    lw_scope_pop(g);
    lwi_args_destroy(args);
    return mean;
}

static lw_value apply_part(lw_graph *g, lw_model *model, lw_part which, lw_value x,
                           const lw_build_options *given)
{
    const lw_build_options options = read_options(given);
    const lwi_part *part = part_of(g, model, which);
    if (!part)
        return (lw_value){0};
    push(g, part, &options);
    lw_value y = apply_inside(g, part, which, x);
    lw_scope_pop(g);
    return y;
}

lw_value lw_discriminate_with(lw_graph *g, lw_model *model, lw_value image, const lw_build_options *options)
{
    return apply_part(g, model, LW_PART_DISCRIMINATOR, image, options);
}

lw_value lw_apply_with(lw_graph *g, lw_model *model, lw_value x, const lw_build_options *options)
{
    return apply_part(g, model, LW_PART_NETWORK, x, options);
}

lw_value lw_part_tap(lw_graph *g, const lw_model *model, lw_part part, const char *tap)
{
    if (!g || !model || !model->part[part].plugin)
        return (lw_value){0};
    char *name = lw_format("%s/%s", model->part[part].scope, tap);
    lw_value value = name ? lw_tap_value(g, name) : lw_graph_fail(g, LW_MEMORY, "out of memory");
    lw_free(name);
    return value;
}

/* "block0, block1, features": the taps of the part's builds so far, or NULL where memory is short */
static char *tap_list(lw_graph *g, const lwi_part *part)
{
    char *names = lw_strdup("");
    const size_t prefix = strlen(part->scope);
    for (int i = 0; names && i < lw_tap_count(g); i++) {
        const char *name = lw_tap_name(g, i);
        if (strncmp(name, part->scope, prefix) != 0 || name[prefix] != '/')
            continue;
        char *longer = lw_format("%s%s%s", names, *names ? ", " : "", name + prefix + 1);
        lw_free(names);
        names = longer;
    }
    return names;
}

lw_value lw_require_tap(lw_graph *g, const lw_model *model, lw_part which, const char *tap)
{
    lw_value value = lw_part_tap(g, model, which, tap);
    if (!lw_is_null(value) || !part_of(g, model, which) || lw_graph_status(g) != LW_OK)
        return value;
    char *names = tap_list(g, &model->part[which]);
    lw_graph_fail(g, names ? LW_NOT_FOUND : LW_MEMORY, "the %s of model '%s' has no tap '%s'; it has %s",
                  lwi_part_name(which), model->name, tap, names && *names ? names : "none");
    lw_free(names);
    return value;
}

/* --- for making and loading ----------------------------------------------------------------- */

/* An input of one example with the part's named sizes. */
static lw_value example(lw_graph *g, const lwi_part *part, const char *const *names, int count)
{
    lw_shape shape = {.rank = count + 1, .dim = {1}};
    for (int i = 0; i < count; i++) {
        shape.dim[i + 1] = lwi_dims_get(&part->dims, names[i]);
        if (!shape.dim[i + 1])
            return lw_graph_fail(g, LW_INVALID, "%s: dims does not set '%s'", lwi_plugin_id(part->plugin),
                                 names[i]);
    }
    return lw_input(g, "example", shape);
}

void lwi_part_build(lw_graph *g, const lwi_part *part, lw_part which, bool create, uint64_t seed)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = lwi_plugin_id(part->plugin),
                                 .model = part->scope,
                                 .store = part->store,
                                 .seed = seed,
                                 .create = create});
    if (which == LW_PART_GENERATOR) {
        synthesize_inside(g, part,
                          truncate_inside(g, part, map_inside(g, part, example(g, part, z_dims, 1))));
    } else {
        bool features = which == LW_PART_NETWORK && lwi_dims_get(&part->dims, "features") &&
                        !lwi_dims_get(&part->dims, "channels");
        apply_inside(g, part, which,
                     features ? example(g, part, feature_dims, 1) : example(g, part, image_dims, 3));
    }
    lw_scope_pop(g);
}
