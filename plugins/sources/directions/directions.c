/* directions.c — source/directions: directions from a file, for the weights they were found in. */
#include <latentwalk/latentwalk.h>

#include <string.h>

static const char *const needs[] = {"synthesize", NULL};
static const char *const spaces[] = {"z", "w", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, .choices = needs, .doc = "The model they are to be used with."},
    {"file", LW_PARAM_PATH,
     .doc = "Directions found before (.safetensors), InterFaceGAN's boundary (.npy), or GANSpace's "
            "components (.npz)."},
    {"space", LW_PARAM_CHOICE, NULL, "", .choices = spaces,
     .doc = "Where the directions of a .npy or .npz file are, which do not say; a .safetensors file does."},
    {"layers", LW_PARAM_INTS, NULL, "", 0, 1000, NULL,
     "First and last layer of w+ that they move, instead of what the file says (.npy and .npz: all)."},
    {"force", LW_PARAM_BOOL, NULL, "false",
     .doc =
         "Takes directions of other weights all the same; the run says so, and so do files made from them."},
};

static const lw_port outputs[] = {
    {"directions", "direction[K, \xe2\x80\xa6]", .doc = "Displacements of one deviation each."},
};

static lw_status set_layers(const lw_args *args, lw_directions *d)
{
    int given = lw_list_count(args, "layers");
    if (given == 0)
        return LW_OK;
    if (given != 2)
        return lw_fail(LW_INVALID, "layers: the first and the last are needed, as in [0, 3], not %d numbers",
                       given);
    if (strcmp(d->space, "w") != 0)
        return lw_fail(LW_INVALID, "layers: these directions are of Z, which has no layers");
    d->first_layer = lw_list_int(args, "layers", 0);
    d->last_layer = lw_list_int(args, "layers", 1);
    return LW_OK;
}

static lw_status hand_over(lw_step *step, lw_directions *d)
{
    const lw_args *args = lw_step_args(step);
    lw_model *model = lw_step_model(step, "model");
    const char *space = lw_is_set(args, "space") ? lw_text(args, "space") : NULL;
    if (space && strcmp(space, d->space) != 0)
        return lw_fail(LW_INVALID, "space: the file says that its directions are of %s", d->space);
    LW_TRY(set_layers(args, d));
    LW_TRY(lw_directions_fit(d, model, lw_bool(args, "force")));
    if (d->forced)
        lw_step_note(step, "these directions (%s) were found in weights %s and are used with others by force",
                     d->method, d->model);
    if (!*d->model)
        lw_step_note(step, "the file does not say which weights its directions belong to");
    return lw_step_output(step, "directions", lw_directions_displacements(d, model));
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    lw_directions *d =
        lw_directions_load(lw_text(args, "file"), lw_is_set(args, "space") ? lw_text(args, "space") : NULL);
    lw_status status = d ? hand_over(step, d) : lw_error_status();
    lw_directions_destroy(d);
    return status;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(SOURCE, "directions", "1.0.0", "Directions from a file, for the weights they were found in",
          .source = "genforce/interfacegan 8da3fc0f (.npy), harskish/ganspace 5a704c48 (.npz)",
          LW_PARAMS(params), LW_OUTPUTS(outputs), .functions = &functions);
