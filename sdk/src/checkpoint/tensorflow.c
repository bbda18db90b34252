/* tensorflow.c — the networks of dnnlib.tflib (StyleGAN, StyleGAN2) and tfutil (PGGAN), put under the names
 * and layouts of their PyTorch ports: genforce's for PGGAN and StyleGAN, stylegan2-ada-pytorch's for
 * StyleGAN2.
 *
 * Source of the names: tkarras/progressive_growing_of_gans 2504c3f3, NVlabs/stylegan 1e0d5c78, and for
 * StyleGAN2 stylegan2-ada-pytorch d72cc7d0, legacy.py. */
#include "checkpoint/internal.h"
#include "checkpoint/tensorflow.h"

#include <stdio.h>
#include <string.h>

#include "tensor/store_internal.h"

/* --- reading ------------------------------------------------------------------------------------------ */

bool lwi_tensorflow_is(const lwi_pvalue *value)
{
    return value->kind == LWI_P_OBJECT && lwi_pvalue_get(value, "variables") &&
           lwi_pvalue_get(value, "static_kwargs");
}

static lw_status add_variables(lwi_checkpoint *file, const lwi_pvalue *network, const char *prefix)
{
    const lwi_pvalue *variables = lwi_pvalue_get(network, "variables");
    for (size_t i = 0; lwi_pvalue_is_list(variables) && i < variables->list.count; i++) {
        const lwi_pvalue *pair = variables->list.item[i];
        char own[512], name[LONGEST_NAME];
        bool good = lwi_pvalue_is_list(pair) && pair->list.count == 2 &&
                    pair->list.item[1]->kind == LWI_P_TENSOR &&
                    lwi_pvalue_text(pair->list.item[0], own, sizeof own) && *own;
        if (!good || snprintf(name, sizeof name, "%s%s", prefix, own) >= (int)sizeof name)
            return lw_fail(LW_FORMAT,
                           "'%s': variable %zu of a TensorFlow network is not a name with an array",
                           file->name, i);
        const lwi_ptensor *t = pair->list.item[1]->tensor;
        LW_TRY(lwi_checkpoint_add_tensor(
            file, name, (lwi_named_tensor){.element = t->element, .shape = t->shape, .lazy = t}));
    }
    const lwi_pvalue *parts = lwi_pvalue_dict(lwi_pvalue_get(network, "components"));
    for (size_t i = 0; parts && parts->kind == LWI_P_DICT && i + 1 < parts->list.count; i += 2) {
        char own[128], path[LONGEST_NAME];
        if (!lwi_tensorflow_is(parts->list.item[i + 1]) ||
            !lwi_pvalue_text(parts->list.item[i], own, sizeof own) ||
            snprintf(path, sizeof path, "%s%s/", prefix, own) >= (int)sizeof path)
            return lw_fail(LW_FORMAT,
                           "'%s': a component of a TensorFlow network is not a network with a name",
                           file->name);
        LW_TRY(add_variables(file, parts->list.item[i + 1], path));
    }
    return LW_OK;
}

lw_status lwi_tensorflow_walk(lwi_checkpoint *file, const char *name, const lwi_pvalue *value)
{
    LW_TRY(lwi_checkpoint_add_network(file, name, value->object.name));
    LW_TRY(add_variables(file, value, ""));
    lwi_network *network = &file->networks[file->network_count - 1];
    network->tensorflow = true;
    network->config = lwi_pvalue_json(lwi_pvalue_get(value, "static_kwargs"));
    return LW_OK;
}

static bool has(const lwi_checkpoint *file, const lwi_network *network, const char *name)
{
    for (size_t i = 0; i < network->count; i++)
        if (strcmp(file->tensors[network->first + i].name, name) == 0)
            return true;
    return false;
}

static family family_of(const lwi_checkpoint *file, const lwi_network *network)
{
    if (has(file, network, "synthesis/4x4/Conv/mod_weight"))
        return STYLEGAN2;
    if (has(file, network, "synthesis/4x4/Const/StyleMod/weight"))
        return STYLEGAN;
    if (has(file, network, "4x4/Dense/weight") && has(file, network, "ToRGB_lod0/weight"))
        return PGGAN;
    if (has(file, network, "4x4/Dense0/weight") && has(file, network, "Output/weight"))
        return STYLEGAN2_D;
    return NO_FAMILY;
}

const char *lwi_tensorflow_prefix(const lwi_checkpoint *file, const lwi_network *network)
{
    static const char *const names[] = {"G", "D", "Gs", ""};
    static const char *const nvidia[] = {"G.", "D.", "G_ema.", ""};
    static const char *const genforce[] = {"generator.", "discriminator.", "generator_smooth.", ""};
    family kind = NO_FAMILY; /* a discriminator goes by its file's generators */
    for (size_t i = 0; i < file->network_count && (kind == NO_FAMILY || kind == STYLEGAN2_D); i++)
        kind = file->networks[i].tensorflow ? family_of(file, &file->networks[i]) : kind;
    int i = 0;
    while (i < 3 && strcmp(names[i], network->name) != 0)
        i++;
    return kind == STYLEGAN2 || kind == STYLEGAN2_D ? nvidia[i] : genforce[i];
}

/* The highest k of "{prefix}{k}/weight": the lowest resolution. */
static int last_lod(const lwi_checkpoint *file, const lwi_network *network, const char *prefix)
{
    int last = 0, k = 0;
    for (size_t i = 0; i < network->count; i++)
        if (lwi_tensorflow_numbered(file->tensors[network->first + i].name, prefix, &k) && k > last)
            last = k;
    return last;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Whether a tensor of this shape can be changed so; *to is its shape then. */
static bool changed_shape(change how, lw_shape from, lw_shape *to)
{
    const int64_t *d = from.dim;
    int drop = how == DROP_FIRST ? 1 : how == DROP_TWO ? 2 : 0;
    *to = from;
    switch (how) {
    case KEEP:
    case PLUS_ONE: return true;
    case TURN: *to = LW_SHAPE(d[1], d[0]); return from.rank == 2;
    case KERNEL:
    case KERNEL_FLIP: *to = LW_SHAPE(d[3], d[2], d[0], d[1]); return from.rank == 4;
    case DENSE_TO_4X4: *to = LW_SHAPE(d[1] / 16, d[0], 4, 4); return from.rank == 2 && d[1] % 16 == 0;
    case DROP_FIRST:
    case DROP_TWO:
        if (from.rank < drop || d[0] != 1 || (drop == 2 && d[1] != 1))
            return false;
        *to = lw_shape_make(from.rank - drop, d + drop);
        return true;
    }
    return false;
}

/* out [O, I, kh, kw] from in [kh, kw, I, O]. */
static void change_kernel(const float *in, float *out, lw_shape to, bool flip)
{
    int64_t o_count = to.dim[0], i_count = to.dim[1], h = to.dim[2], w = to.dim[3];
    for (int64_t o = 0; o < o_count; o++)
        for (int64_t i = 0; i < i_count; i++)
            for (int64_t y = 0; y < h; y++)
                for (int64_t x = 0; x < w; x++) {
                    int64_t sy = flip ? h - 1 - y : y, sx = flip ? w - 1 - x : x;
                    *out++ = in[((sy * w + sx) * i_count + i) * o_count + o];
                }
}

/* out [O, I, 4, 4] from in [I, O * 16]: out[o, i, y, x] = in[i, o, 3 - y, 3 - x]. */
static void change_dense(const float *in, float *out, lw_shape to)
{
    for (int64_t o = 0; o < to.dim[0]; o++)
        for (int64_t i = 0; i < to.dim[1]; i++)
            for (int64_t k = 0; k < 16; k++)
                *out++ = in[(i * to.dim[0] + o) * 16 + 15 - k];
}

static void change_values(change how, const float *in, float *out, lw_shape to)
{
    int64_t count = lw_shape_count(to);
    if (how == TURN) {
        for (int64_t o = 0; o < to.dim[0]; o++)
            for (int64_t i = 0; i < to.dim[1]; i++)
                *out++ = in[i * to.dim[0] + o];
    } else if (how == KERNEL || how == KERNEL_FLIP) {
        change_kernel(in, out, to, how == KERNEL_FLIP);
    } else if (how == DENSE_TO_4X4) {
        change_dense(in, out, to);
    } else {
        for (int64_t i = 0; i < count; i++)
            out[i] = how == PLUS_ONE ? in[i] + 1 : in[i];
    }
}

static lw_status convert_one(lwi_checkpoint *file, const lwi_named_tensor *tensor, change how,
                             const char *name, lw_store *store)
{
    char text[LW_SHAPE_TEXT];
    lw_shape shape;
    if (!changed_shape(how, tensor->shape, &shape))
        return lw_fail(LW_SHAPE, "'%s': variable '%s' has the shape %s, which cannot become '%s'", file->name,
                       tensor->name, lw_shape_text(tensor->shape, text), name);
    lw_tensor *in = lwi_tensor_create_unset(tensor->shape);
    lw_status status = in ? lwi_checkpoint_read(file, tensor, in->data) : LW_MEMORY;
    lwi_entry *entry = status == LW_OK ? lwi_store_add(store, name, shape) : NULL;
    if (entry) {
        change_values(how, in->data, entry->tensor->data, shape);
        entry->device_stale = true;
        entry->version = 1;
    } else if (status == LW_OK) {
        status = lw_error_status();
    }
    lw_tensor_destroy(in);
    return status;
}

/* --- what the ports keep as buffers ----------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* The same name with another end. */
static void sibling(const char *name, const char *end, const char *other, char *out)
{
    snprintf(out, LONGEST_NAME, "%.*s%s", (int)(strlen(name) - strlen(end)), name, other);
}

static lw_status add_filter(lw_store *store, const char *name, lw_shape shape, const float *taps, int size)
{
    float sum = 0, filter[16];
    for (int i = 0; i < size; i++)
        sum += taps[i];
    for (int i = 0; i < size * size; i++)
        filter[i] = taps[i / size] * taps[i % size] / (sum * sum);
    if (lw_store_has(store, name))
        return LW_OK;
    lwi_entry *entry = lwi_store_add(store, name, shape);
    if (!entry)
        return lw_error_status();
    for (int64_t i = 0; i < lw_shape_count(shape); i++)
        entry->tensor->data[i] = filter[i % (size * size)];
    return LW_OK;
}

/* Beside the tensor `name`: StyleGAN's blur [C, 1, 3, 3], StyleGAN2's resampling filters [4, 4]. */
static lw_status add_buffers(lw_store *store, const char *name, family kind)
{
    static const float blur[] = {1, 2, 1}, resample[] = {1, 3, 3, 1};
    static const char *const filtered[] = {".conv0.weight", ".conv1.weight", ".skip.weight"};
    char out[LONGEST_NAME];
    int index = 0;
    const char *at = strstr(name, "synthesis.layer");
    if (kind == STYLEGAN && at && sscanf(at, "synthesis.layer%d", &index) == 1 && index >= 2 &&
        index % 2 == 0 && ends_with(name, ".bias") && !ends_with(name, "style.bias")) {
        lw_shape shape;
        LW_TRY(lw_store_shape(store, name, &shape));
        sibling(name, "bias", "blur.kernel", out);
        return add_filter(store, out, LW_SHAPE(shape.dim[0], 1, 3, 3), blur, 3);
    }
    for (size_t i = 0; (kind == STYLEGAN2 || kind == STYLEGAN2_D) && i < 3; i++)
        if (ends_with(name, filtered[i])) {
            sibling(name, "weight", "resample_filter", out);
            LW_TRY(add_filter(store, out, LW_SHAPE(4, 4), resample, 4));
            sibling(name, filtered[i], ".resample_filter", out);
            return add_filter(store, out, LW_SHAPE(4, 4), resample, 4);
        }
    return LW_OK;
}

lw_status lwi_tensorflow_convert(lwi_checkpoint *file, const lwi_network *network, const char *prefix,
                                 lw_store *store)
{
    family kind = family_of(file, network);
    int lods = last_lod(file, network, kind == STYLEGAN ? "synthesis/ToRGB_lod" : "ToRGB_lod");
    for (size_t i = 0; i < network->count; i++) {
        const lwi_named_tensor *tensor = &file->tensors[network->first + i];
        char own[LONGEST_NAME], name[LONGEST_NAME];
        change how = KEEP;
        if (kind == NO_FAMILY) /* a discriminator without a PyTorch port to go by stays as it is */
            snprintf(own, sizeof own, "%s", tensor->name);
        else if (!lwi_tensorflow_rename(kind, tensor->name, lods, own, &how))
            return lw_fail(LW_UNSUPPORTED,
                           "'%s': the TensorFlow variable '%s' of network '%s' has no counterpart in its "
                           "PyTorch port",
                           file->name, tensor->name, network->name);
        if (snprintf(name, sizeof name, "%s%s", prefix, own) >= (int)sizeof name)
            return lw_fail(LW_FORMAT, "'%s': the name of variable '%s' is too long", file->name,
                           tensor->name);
        LW_TRY(convert_one(file, tensor, how, name, store));
        LW_TRY(add_buffers(store, name, kind));
    }
    return LW_OK;
}
