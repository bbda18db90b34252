/* cmd_generate.c — latentwalk generate: images of a network from seeds or latents, as the official scripts
 * make them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "checkpoint/checkpoint.h"
#include "common.h"
#include "generate.h"
#include "profile.h"
#include "runtime/profile.h"
#include "plugin/args.h"

/* --- understanding the command line ---------------------------------------------------------- */

static lw_status add_seed(lwh_generation *g, long long seed)
{
    uint32_t *grown = lw_resize(g->seeds, (size_t)g->count + 1, sizeof *grown);
    if (!grown)
        return LW_MEMORY;
    g->seeds = grown;
    g->seeds[g->count++] = (uint32_t)seed;
    return LW_OK;
}

/* "0,1,4-6" */
static lw_status read_seeds(lwh_generation *g, const char *text)
{
    const char *at = text;
    while (*at) {
        char *end;
        errno = 0;
        long long first = strtoll(at, &end, 10), last = first;
        bool good = end != at && *at != '-' && *at != '+';
        if (good && *end == '-') {
            at = end + 1;
            last = strtoll(at, &end, 10);
            good = end != at;
        }
        if (!good || errno || (*end && (*end != ',' || !end[1])) || first > last || last > UINT32_MAX ||
            last - first > 999999)
            return lw_fail(LW_INVALID,
                           "--seeds '%s': expected numbers from 0 to 4294967295 and ranges, as in 0,1,4-6",
                           text);
        for (; first <= last; first++)
            LW_TRY(add_seed(g, first));
        at = end + (*end == ',');
    }
    return g->count ? LW_OK : lw_fail(LW_INVALID, "--seeds is empty; as in 0,1,4-6");
}

static lw_status read_frames(lwh_generation *g, const char *text)
{
    char *end;
    long frames = strtol(text, &end, 10);
    if (end == text || *end || frames < 1 || frames > 10000)
        return lw_fail(LW_INVALID, "--frames '%s': expected a number from 1 to 10000", text);
    g->frames = (int)frames;
    return LW_OK;
}

static lw_status check_options(const lwh_options *o)
{
    if (!o->network)
        return lw_fail(LW_INVALID, "say which network: latentwalk generate --network FILE --seeds 0-9");
    if (!o->seeds == !o->latents)
        return lw_fail(LW_INVALID, "say what to make images of: either --seeds 0,1,4-6 or --latents FILE");
    if (o->space && !o->latents)
        return lw_fail(LW_INVALID, "--space is of --latents, which are not given");
    if (o->frames && !o->interpolate)
        return lw_fail(LW_INVALID, "--frames is of --interpolate, which is not given");
    if (o->interpolate && !o->seeds)
        return lw_fail(LW_INVALID, "--interpolate goes through the latents of --seeds");
    if (o->interpolate && o->save_tensors)
        return lw_fail(LW_INVALID, "--save-tensors goes with images, not with --interpolate");
    return LW_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* The parameter that --trunc sets, of those there are. */
static const char *truncation_key(const lw_plugin *plugin)
{
    static const char *const keys[] = {"truncation_psi", "truncation"};
    for (int i = 0; i < 2; i++)
        if (lwi_param_find(plugin, keys[i]))
            return keys[i];
    return NULL;
}

/* The generator that the file is of, then the same with the arguments given. */
static lw_status open_model(lwh_generation *g, lwi_registry *registry, lw_store *weights)
{
    const lwh_options *o = g->options;
    const char *with[LWH_MAX_SETS + 2] = {NULL};
    int count = 0;
    for (int i = 0; i < o->set_count; i++)
        if (strncmp(o->sets[i], "with.", 5) == 0)
            with[count++] = o->sets[i] + 5;
    LW_TRY(lwh_network_part(g->model, registry, LW_PART_GENERATOR, weights, o->arch, NULL,
                            o->trunc ? NULL : with));
    if (!o->trunc)
        return LW_OK;
    const lw_plugin *plugin = lwi_model_plugin(g->model, LW_PART_GENERATOR);
    const char *key = truncation_key(plugin);
    g->truncated_z = lwi_list_has(plugin->provides, "truncated-z");
    if (!key && !g->truncated_z)
        return lw_fail(LW_UNSUPPORTED, "%s has no truncation; leave out --trunc", lwi_plugin_id(plugin));
    char *end, *text = key ? lw_format("%s=%s", key, o->trunc) : NULL;
    g->truncation = strtod(o->trunc, &end);
    if (end == o->trunc || *end)
        return lw_fail(LW_INVALID, "--trunc '%s': expected a number", o->trunc);
    if (text)
        with[count++] = text;
    lw_status status = key && !text ? LW_MEMORY
                       : count      ? lwh_network_part(g->model, registry, LW_PART_GENERATOR, weights,
                                                       lwi_plugin_id(plugin), NULL, with)
                                    : LW_OK;
    lw_free(text);
    return status;
}

static lw_status open_network(lwh_generation *g, lwi_registry *registry)
{
    lw_store *weights = lwi_weights_load(g->options->network);
    if (!weights)
        return lw_error_status();
    g->model = lwi_model_create("network");
    lw_status status = g->model ? open_model(g, registry, weights) : LW_MEMORY;
    lw_store_destroy(weights);
    return status == LW_OK ? LW_OK : lw_wrap("'%s' cannot be used", g->options->network);
}

/* --- the command ------------------------------------------------------------------------------ */

static lw_status understand(lwh_generation *g)
{
    const lwh_options *o = g->options;
    LW_TRY(check_options(o));
    g->outdir = o->outdir ? o->outdir : "out";
    g->frames = 24;
    if (o->seeds)
        LW_TRY(read_seeds(g, o->seeds));
    return o->frames ? read_frames(g, o->frames) : LW_OK;
}

static lw_status make(lwh_generation *g)
{
    return g->options->interpolate ? lwh_generate_video(g) : lwh_generate_images(g);
}

static lw_status generate(lwh_generation *g, lwi_registry *registry)
{
    LW_TRY(open_network(g, registry));
    LW_TRY(g->options->latents ? lwh_generate_load(g) : lwh_generate_draw(g));
    g->device = lwh_open_device(g->options);
    if (!g->device)
        return lw_error_status();
    LW_TRY(lwi_make_folder(g->outdir));
    if (!g->options->profile)
        return make(g);
    LW_TRY(lwi_profile_start(g->device));
    LW_TRY(lwi_profile_begin(g->device, "generate"));
    LW_TRY(make(g));
    return lwh_profile_write(g->device, g->options, g->outdir);
}

int lwh_cmd_generate(const lwh_options *options)
{
    lwh_generation g = {.options = options};
    if (understand(&g) != LW_OK) {
        lw_free(g.seeds);
        return lwh_tell_error(options, LWH_USAGE);
    }
    lwi_registry *registry = lwh_find_plugins(options);
    lw_status status = registry ? generate(&g, registry) : lw_error_status();
    int code = status == LW_OK ? LWH_FINE : lwh_tell_error(options, LWH_RUN_FAILED);
    lw_program_destroy(g.program);
    lwi_model_destroy(g.model);
    lw_device_close(g.device);
    lw_tensor_destroy(g.latents);
    lw_free(g.seeds);
    lwi_registry_destroy(registry);
    return code;
}
