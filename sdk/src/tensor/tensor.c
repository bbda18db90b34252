/* tensor.c — dense float32 tensors on the host. */
#include "latentwalk/tensor.h"
#include "base/alloc_internal.h"
#include "tensor/store_internal.h"

#include <string.h>

lw_tensor *lwi_tensor_create_unset(lw_shape shape)
{
    char text[LW_SHAPE_TEXT];
    int64_t count = lw_shape_count(shape);
    if (count < 0) {
        lw_fail(LW_SHAPE, "a tensor cannot have the shape %s", lw_shape_text(shape, text));
        return NULL;
    }
    lw_tensor *tensor = lw_alloc(1, sizeof *tensor);
    if (!tensor)
        return NULL;
    tensor->shape = shape;
    tensor->data = lwi_alloc_aligned((size_t)count, sizeof *tensor->data); /* devices may use it in place */
    if (!tensor->data) {
        lw_wrap("no room for a tensor of shape %s", lw_shape_text(shape, text));
        lw_free(tensor);
        return NULL;
    }
    return tensor;
}

lw_tensor *lw_tensor_create(lw_shape shape)
{
    lw_tensor *tensor = lwi_tensor_create_unset(shape);
    if (tensor)
        memset(tensor->data, 0, (size_t)lw_shape_count(shape) * sizeof *tensor->data);
    return tensor;
}

int64_t lw_batch_first(int64_t index, int64_t batch, int64_t count)
{
    const int64_t first = index * batch, last = count - batch;
    return first < last ? first : last;
}

lw_tensor *lw_tensor_copy(const lw_tensor *tensor)
{
    lw_tensor *copy = lwi_tensor_create_unset(tensor->shape);
    if (copy)
        memcpy(copy->data, tensor->data, (size_t)lw_shape_count(tensor->shape) * sizeof *copy->data);
    return copy;
}

void lw_tensor_destroy(lw_tensor *tensor)
{
    if (!tensor)
        return;
    lw_free(tensor->data);
    lw_free(tensor);
}
