/* store_internal.h — what a store keeps per tensor, shared with the device runtime.
 *
 * A tensor has a host copy and, once a program was compiled against the store, a device copy, which may be
 * the same memory. At most one of the two is stale. The store knows no device: the runtime hangs its buffer
 * and two functions on the entry. An entry's address is stable for the life of its store.
 *
 * Until it is first looked at, the host copy may lie in a file; its memory is untouched until then. */
#ifndef LWI_STORE_INTERNAL_H
#define LWI_STORE_INTERNAL_H

#include "latentwalk/tensor.h"

/* lw_tensor_create, but its numbers are anything until they are set. */
lw_tensor *lwi_tensor_create_unset(lw_shape shape);

/* A file that host copies are read from, kept open while any entry refers to it. */
typedef struct lwi_origin lwi_origin;
struct lwi_origin {
    int references;
    lw_status (*load)(lwi_origin *, const void *item, float *out);
    void (*close)(lwi_origin *); /* at the last reference */
};

typedef struct lwi_entry lwi_entry;
struct lwi_entry {
    char *name;
    lwi_origin *origin;       /* where the host copy still lies, or NULL … */
    const void *item;         /* … and which tensor of it */
    lw_tensor *tensor;        /* the host copy; its address and shape never change */
    uint64_t version;         /* counts every change, by the host (the store) or a program (the runtime) */
    bool written_by_programs; /* set by the runtime: some compiled program updates this tensor */
    bool host_stale;          /* the device is newer: read_back before looking at `tensor` */
    bool device_stale;        /* the host is newer: upload before running */

    /* Owned and set by the runtime; all NULL while no program uses the tensor. */
    void *device_buffer;
    void *device;
    lw_status (*read_back)(lwi_entry *); /* fills tensor->data; the store then clears host_stale */
    lw_status (*settle)(lwi_entry *);    /* waits until no run uses `tensor`; before the host changes it */
    void (*release)(lwi_entry *);        /* lets the device copy go; called when the store is destroyed */
};

/* NULL, without an error set, where the store has no such tensor. */
lwi_entry *lwi_store_entry(lw_store *store, const char *name);
/* By position, index < lw_store_count. */
lwi_entry *lwi_store_entry_at(lw_store *store, size_t index);
/* Makes the host copy current (from its file, or read_back where it is stale). */
lw_status lwi_entry_refresh(lwi_entry *entry);
/* Adds a tensor that is still to be filled in, or to be deferred. An error where the name is taken or
 * impossible. */
lwi_entry *lwi_store_add(lw_store *store, const char *name, lw_shape shape);

/* Leaves the new entry's numbers in the file until they are looked at; one more reference to `origin`. */
void lwi_entry_defer(lwi_entry *entry, lwi_origin *origin, const void *item);
void lwi_origin_release(lwi_origin *origin);

/* Metadata by position, in order of first setting; false past the end. */
bool lwi_store_metadata_at(const lw_store *store, size_t index, const char **key, const char **value);

#endif
