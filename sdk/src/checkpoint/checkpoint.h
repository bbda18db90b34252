/* checkpoint.h — the files people keep networks in, opened without running anything in them.
 *
 * PyTorch's zip and legacy containers, TorchScript archives, NVIDIA's .pkl, TensorFlow-era .pkl of PGGAN and
 * StyleGAN, .npz, .npy and .safetensors; told apart by content, not by name. Internal, for the host. */
#ifndef LWI_CHECKPOINT_H
#define LWI_CHECKPOINT_H

#include <jansson.h>

#include "latentwalk/tensor.h"
#include "tensor/element.h"

typedef struct lwi_checkpoint lwi_checkpoint;

/* One network of the file ("G_ema", "netD"; "" where the file is one bare set of tensors), or its loose
 * tensors. */
typedef struct lwi_network {
    const char *name;
    const char *class_name; /* as the file tells it, or NULL */
    json_t *config;         /* constructor arguments; NULL where the file has none */
    bool tensorflow;        /* variables with TensorFlow's names and layouts */
    size_t first, count;    /* of its tensors */
} lwi_network;

/* A tensor, its elements still in the file. */
typedef struct lwi_named_tensor {
    const char *name; /* within its network: the key of the official state_dict */
    lwi_element element;
    lw_shape shape;
    const struct lwi_ptensor *lazy;
    const lw_tensor *loaded;
} lwi_named_tensor;

/* NULL with an error. Parsing borrows `data` and `name` until the close. */
lwi_checkpoint *lwi_checkpoint_open(const char *path);
lwi_checkpoint *lwi_checkpoint_parse(const uint8_t *data, size_t size, const char *name);
void lwi_checkpoint_close(lwi_checkpoint *file);

/* "PyTorch zip", "NVIDIA pickle", … */
const char *lwi_checkpoint_container(const lwi_checkpoint *file);
size_t lwi_checkpoint_network_count(const lwi_checkpoint *file);
const lwi_network *lwi_checkpoint_network(const lwi_checkpoint *file, size_t index);
const lwi_named_tensor *lwi_checkpoint_tensor(const lwi_checkpoint *file, size_t index);
/* What else the file holds beside its networks, as JSON (borrowed): arguments, counters. Never NULL. */
const json_t *lwi_checkpoint_others(const lwi_checkpoint *file);
/* The network whose constructor arguments stand for the file's: the average of the generator where there is
 * one. NULL where no network has arguments. */
const lwi_network *lwi_checkpoint_primary(const lwi_checkpoint *file);

/* The elements as float32, in C order, into room for all of them. */
lw_status lwi_checkpoint_read(lwi_checkpoint *file, const lwi_named_tensor *tensor, float *out);

/* All networks in one store, whose tensors are read when they are first looked at (a file opened by path
 * stays open as long as the store wants it): each tensor under "NETWORK.", TensorFlow's in the layouts of the
 * PyTorch ports (see tensorflow.h). Metadata: "config" (the primary network's arguments, or the file's),
 * "config.NETWORK" for each. With `network`: that one alone, its names bare, without metadata about
 * another. The caller's. */
lw_store *lwi_checkpoint_store(lwi_checkpoint *file, const char *network);

/* Opens, takes the store, closes: what `weights: FILE` means, whatever FILE is. */
lw_store *lwi_weights_load(const char *path);

#endif
