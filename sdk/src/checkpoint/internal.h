/* internal.h — what the files of the checkpoint reader share. */
#ifndef LWI_CHECKPOINT_INTERNAL_H
#define LWI_CHECKPOINT_INTERNAL_H

#include "base/file_internal.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip.h"
#include "tensor/store_internal.h"

struct lwi_checkpoint {
    lwi_origin origin; /* of the stores made of it; it closes with the last of them */
    const char *name;
    const char *container;
    bool mine; /* opened by path: the name is its own, and `data` are `map`'s */
    lwi_mapped map;
    const uint8_t *data;
    size_t size;
    lwi_pickle pickle;
    uint8_t *unpacked; /* the pickle of an archive */
    lwi_zip *zip;
    lw_store *metadata; /* of a .safetensors file; without tensors */
    lw_tensor **arrays; /* of .npy and .npz files */
    size_t array_count;
    lwi_network *networks;
    size_t network_count, network_room;
    lwi_named_tensor *tensors;
    size_t tensor_count, tensor_room;
    uint64_t elements; /* of all tensors */
    json_t *others;
    const uint8_t *storage; /* the archive's entry looked at last, or NULL … */
    uint8_t *inflated;      /* … and its memory where it does not lie in the archive */
    size_t storage_entry;
};

/* Adds a network, to which the tensors added from then on belong. */
lw_status lwi_checkpoint_add_network(lwi_checkpoint *file, const char *name, const char *class_name);
/* Copies the name; `like` gives the rest. */
lw_status lwi_checkpoint_add_tensor(lwi_checkpoint *file, const char *name, lwi_named_tensor like);

/* Finds the networks in a pickle's value (networks.c). */
lw_status lwi_checkpoint_walk(lwi_checkpoint *file, const lwi_pvalue *root);
/* A network of dnnlib.tflib or tfutil? Its variables, those of its components under "COMPONENT/". */
bool lwi_tensorflow_is(const lwi_pvalue *value);
lw_status lwi_tensorflow_walk(lwi_checkpoint *file, const char *name, const lwi_pvalue *value);
/* Puts a TensorFlow network into the store under the names and layouts of its PyTorch port (tensorflow.c). */
lw_status lwi_tensorflow_convert(lwi_checkpoint *file, const lwi_network *network, const char *prefix,
                                 lw_store *store);
/* "G_ema." for network "Gs" of a StyleGAN2, "generator_smooth." of a PGGAN or StyleGAN. */
const char *lwi_tensorflow_prefix(const lwi_checkpoint *file, const lwi_network *network);

/* Plain values as JSON; what is not plain (tensors, records) as a text in angle brackets. NULL without
 * memory. */
json_t *lwi_pvalue_json(const lwi_pvalue *value);
/* The entries of a dictionary or record whose values are plain, without private ones ("_…"). */
json_t *lwi_pvalue_plain_json(const lwi_pvalue *dict);

#endif
