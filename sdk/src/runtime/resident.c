/* resident.c — tensors of stores on the device: one buffer for each, shared by all programs. */
#include "runtime/resident.h"

static lw_status read_back(lwi_entry *entry)
{
    lw_device *device = entry->device;
    size_t size = (size_t)lw_shape_count(entry->tensor->shape) * sizeof(float);
    if (device->none || size == 0)
        return LW_OK;
    return lwi_cl(clEnqueueReadBuffer(device->queue, entry->device_buffer, CL_TRUE, 0, size,
                                      entry->tensor->data, 0, NULL, NULL),
                  "read a parameter from the device");
}

static void release(lwi_entry *entry)
{
    if (entry->device_buffer)
        clReleaseMemObject(entry->device_buffer);
    lwi_device_release(entry->device);
    entry->device_buffer = entry->device = NULL;
}

lw_status lwi_make_resident(lw_device *device, lw_store *store, const char *name, lwi_entry **out)
{
    lwi_entry *entry = lwi_store_entry(store, name);
    if (!entry)
        return lw_fail(LW_NOT_FOUND, "the store has no tensor '%s' any more", name);
    *out = entry;
    if (entry->device == device)
        return LW_OK;
    if (entry->device) { /* moves from another device: through the host */
        LW_TRY(lwi_entry_refresh(entry));
        release(entry);
    }
    size_t size = (size_t)lw_shape_count(entry->tensor->shape) * sizeof(float);
    if (!device->none) {
        cl_int code;
        entry->device_buffer =
            clCreateBuffer(device->context, CL_MEM_READ_WRITE, size ? size : 4, NULL, &code);
        LW_TRY(lwi_cl(code, "create a buffer for a parameter"));
    }
    lwi_device_retain(device);
    entry->device = device;
    entry->read_back = read_back;
    entry->release = release;
    entry->device_stale = true;
    return LW_OK;
}

lw_status lwi_upload(lwi_entry *entry)
{
    lw_device *device = entry->device;
    if (!entry->device_stale)
        return LW_OK;
    size_t size = (size_t)lw_shape_count(entry->tensor->shape) * sizeof(float);
    if (!device->none && size)
        LW_TRY(lwi_cl(clEnqueueWriteBuffer(device->queue, entry->device_buffer, CL_TRUE, 0, size,
                                           entry->tensor->data, 0, NULL, NULL),
                      "copy a parameter to the device"));
    entry->device_stale = false;
    return LW_OK;
}
