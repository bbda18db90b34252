/* random_mask.c — images seen through random masks, one for each: the targets of Bounded Local Space's masked
 * search. */
#include "mask.h"

static const lw_param params[] = {
    {"grid", LW_PARAM_INT, "cells", "6", 1, 1024, NULL,
     "Cells of a mask along each side, before it is enlarged (supplement, section 2.2: 6)."},
    {"share", LW_PARAM_FLOAT, NULL, "0.5", 0, 1, NULL,
     "How likely a cell lets the image through (ours; the paper does not say)."},
    {"fill", LW_PARAM_FLOAT, NULL, "0", -1, 1, NULL,
     "The value of what is hidden; 0, what multiplying by the mask gives, is mid-grey (ours)."},
};
static const lw_port inputs[] = {
    {"images", "image[N, C, H, W]", .doc = "Images to be masked."},
};
static const lw_port outputs[] = {
    {"images", "image[N, C, H, W]", .doc = "What is left of them."},
};

/* Cells are open or shut; between their centres the mask goes from one to the other. */
static void apply(const lw_args *args, uint64_t seed, lw_tensor *images, float *cells, float *mask)
{
    const int64_t *dim = images->shape.dim, grid = lw_int(args, "grid"), pixels = dim[2] * dim[3];
    const float share = (float)lw_float(args, "share"), fill = (float)lw_float(args, "fill");
    for (int64_t n = 0; n < dim[0]; n++) {
        lw_uniform((lw_stream){.seed = seed, .purpose = lw_purpose("mask")}, (uint64_t)(n * grid * grid),
                   (size_t)(grid * grid), cells);
        for (int64_t i = 0; i < grid * grid; i++)
            cells[i] = cells[i] < share ? 1 : 0;
        mask_enlarge(cells, grid, dim[2], dim[3], mask);
        for (int64_t i = 0; i < dim[1] * pixels; i++) {
            float *pixel = images->data + n * dim[1] * pixels + i;
            *pixel = fill + mask[i % pixels] * (*pixel - fill);
        }
    }
}

static lw_status run(lw_step *step)
{
    const lw_args *args = lw_step_args(step);
    const int64_t grid = lw_int(args, "grid");
    lw_tensor *images = lw_tensor_copy(lw_step_input(step, "images", 0));
    float *cells = lw_alloc((size_t)(grid * grid), sizeof *cells);
    float *mask =
        images ? lw_alloc((size_t)(images->shape.dim[2] * images->shape.dim[3]), sizeof *mask) : NULL;
    if (cells && mask)
        apply(args, lw_step_seed(step), images, cells, mask);
    bool good = cells && mask;
    lw_free(cells);
    lw_free(mask);
    if (good)
        return lw_step_output(step, "images", images);
    lw_tensor_destroy(images);
    return LW_MEMORY;
}

static const lw_runner functions = {sizeof functions, run};

LW_PLUGIN(METHOD, "random-mask", "1.0.0", "Images seen through random masks with soft edges",
          .source = "Harada et al., Bounded Local Space, section 4.2 and supplement 2.2", LW_PARAMS(params),
          LW_INPUTS(inputs), LW_OUTPUTS(outputs), .functions = &functions);
