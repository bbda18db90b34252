/* tensors.c — sink/tensors: outputs of other steps as .safetensors and .npy files. */
#include "latentwalk/latentwalk.h"

#include <string.h>

static const char *const formats[] = {"safetensors", "npy", "both", NULL};

static const lw_param params[] = {
    {"format", LW_PARAM_CHOICE, NULL, "safetensors", .choices = formats,
     .doc = "`safetensors` writes one file with every input, `npy` one file per input, `both` both."},
    {"file", LW_PARAM_STRING, NULL, "tensors.safetensors",
     .doc = "The .safetensors file's name in the step's folder."},
};

static const lw_port inputs[] = {
    {"tensors", "any[…]", .many = 1, .doc = "Outputs to keep; in the file each is called step.output."},
};

/* One .safetensors: the tensors under their names, and each one's space as metadata "space.NAME". */
static lw_status fill_store(lw_step *step, lw_store *store)
{
    for (int i = 0; i < lw_step_input_count(step, "tensors"); i++) {
        const lw_tensor *tensor = lw_step_input(step, "tensors", i);
        const char *name = lw_step_input_name(step, "tensors", i);
        char *key = lw_format("space.%s", name);
        if (!key)
            return LW_MEMORY;
        lw_status status = lw_store_set(store, name, tensor->shape, tensor->data);
        if (status == LW_OK)
            status = lw_store_set_metadata(store, key, lw_step_input_space(step, "tensors", i));
        lw_free(key);
        LW_TRY(status);
    }
    return LW_OK;
}

static lw_status write_safetensors(lw_step *step)
{
    lw_store *store = lw_store_create();
    if (!store)
        return lw_error_status();
    lw_status status = fill_store(step, store);
    char *path = status == LW_OK ? lw_step_path(step, lw_text(lw_step_args(step), "file")) : NULL;
    if (status == LW_OK)
        status = path ? lw_store_save(store, path, LW_STORE_F32) : lw_error_status();
    lw_free(path);
    lw_store_destroy(store);
    return status;
}

static lw_status write_npy(lw_step *step)
{
    for (int i = 0; i < lw_step_input_count(step, "tensors"); i++) {
        char *file = lw_format("%s.npy", lw_step_input_name(step, "tensors", i));
        char *path = file ? lw_step_path(step, file) : NULL;
        lw_status status = path ? lw_npy_save(lw_step_input(step, "tensors", i), path) : lw_error_status();
        lw_free(file);
        lw_free(path);
        LW_TRY(status);
    }
    return LW_OK;
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const char *format = lw_text(args, "format");
    if (strcmp(format, "npy") != 0)
        LW_TRY(write_safetensors(step));
    if (strcmp(format, "safetensors") != 0)
        LW_TRY(write_npy(step));
    return LW_OK;
}

static const lw_runner runner = {sizeof runner, run};

LW_PLUGIN(SINK, "tensors", "1.0.0", "Outputs of other steps as .safetensors and .npy files",
          LW_PARAMS(params), LW_INPUTS(inputs), .functions = &runner);
