/* resident.c — tensors of stores on the device: one buffer for each, shared by all programs. On a CPU the
 * buffer lies on the host's tensor, so there are no two copies: then "to read back" and "to upload" are to
 * wait. */
#include "runtime/resident.h"
#include "base/alloc_internal.h"

static bool in_place(const lw_device *device, const lwi_entry *entry)
{
    return device->in_host_memory && (uintptr_t)entry->tensor->data % LWI_ALIGNMENT == 0;
}

static lw_status settle(lwi_entry *entry)
{
    lw_device *device = entry->device;
    return lwi_cl(clFinish(device->queue), "wait for the device");
}

static lw_status read_back(lwi_entry *entry)
{
    lw_device *device = entry->device;
    size_t size = (size_t)lw_shape_count(entry->tensor->shape) * sizeof(float);
    if (device->none || size == 0)
        return LW_OK;
    if (in_place(device, entry))
        return settle(entry);
    return lwi_cl(clEnqueueReadBuffer(device->queue, entry->device_buffer, CL_TRUE, 0, size,
                                      entry->tensor->data, 0, NULL, NULL),
                  "read a parameter from the device");
}

static void release(lwi_entry *entry)
{
    if (entry->settle)
        entry->settle(entry);
    if (entry->device_buffer)
        clReleaseMemObject(entry->device_buffer);
    lwi_device_release(entry->device);
    entry->device_buffer = entry->device = NULL;
    entry->settle = NULL;
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
        bool shared = size && in_place(device, entry);
        entry->device_buffer =
            clCreateBuffer(device->context, CL_MEM_READ_WRITE | (shared ? CL_MEM_USE_HOST_PTR : 0),
                           size ? size : 4, shared ? entry->tensor->data : NULL, &code);
        LW_TRY(lwi_cl(code, "create a buffer for a parameter"));
    }
    lwi_device_retain(device);
    entry->device = device;
    entry->read_back = read_back;
    entry->settle = !device->none && in_place(device, entry) ? settle : NULL;
    entry->release = release;
    entry->device_stale = true;
    return LW_OK;
}

lw_status lwi_upload(lwi_entry *entry)
{
    lw_device *device = entry->device;
    if (!entry->device_stale)
        return LW_OK;
    LW_TRY(lwi_entry_refresh(entry)); /* it may still lie in a file */
    size_t size = (size_t)lw_shape_count(entry->tensor->shape) * sizeof(float);
    if (!device->none && size && !in_place(device, entry))
        LW_TRY(lwi_cl(clEnqueueWriteBuffer(device->queue, entry->device_buffer, CL_TRUE, 0, size,
                                           entry->tensor->data, 0, NULL, NULL),
                      "copy a parameter to the device"));
    entry->device_stale = false;
    return LW_OK;
}
