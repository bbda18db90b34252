/* pickle.h — Python pickles read as data. Nothing named in a pickle is ever imported or called: opcodes build
 * values, a fixed list of globals (globals.c) becomes records and tensors, everything else is an error that
 * names the opcode, the global and the byte.
 *
 * Values point into the pickle's bytes, which must outlive the reader; values live as long as the reader. */
#ifndef LWI_PICKLE_H
#define LWI_PICKLE_H

#include "latentwalk/tensor.h"
#include "tensor/element.h"

/* How deep values may nest, so that everything that walks them may recurse. */
#define LWI_PICKLE_DEPTH 100

typedef enum lwi_pkind {
    LWI_P_NONE,
    LWI_P_BOOL,
    LWI_P_INT,
    LWI_P_BIG, /* an integer of more than 64 bits, as bytes */
    LWI_P_FLOAT,
    LWI_P_TEXT,
    LWI_P_BYTES,
    LWI_P_LIST,
    LWI_P_TUPLE,
    LWI_P_SET,
    LWI_P_DICT, /* items: key, value, key, value, … */
    LWI_P_GLOBAL,
    LWI_P_OBJECT,
    LWI_P_DTYPE, /* of NumPy */
    LWI_P_STORAGE,
    LWI_P_TENSOR,
} lwi_pkind;

/* Where a tensor's elements lie: in the file, or until a container says where, under `key`. */
typedef struct lwi_pstorage {
    struct lwi_pstorage *next;
    lwi_element element; /* LWI_ELEMENTS: untyped bytes */
    int64_t count;       /* elements (bytes where untyped) that tensors may use … */
    int64_t start;       /* … from this one of the data on */
    int64_t whole;       /* elements of the data */
    const char *key;     /* NULL: `data` is it */
    size_t key_length;
    const uint8_t *data;
    size_t entry; /* of the zip archive, where data is NULL */
    size_t at;    /* byte of the file, for messages */
} lwi_pstorage;

typedef struct lwi_ptensor {
    const lwi_pstorage *storage;
    lwi_element element;
    lw_shape shape;
    int64_t stride[LW_MAX_RANK]; /* in elements */
    int64_t offset;
} lwi_ptensor;

typedef struct lwi_pvalue lwi_pvalue;
struct lwi_pvalue {
    lwi_pkind kind;
    uint32_t visit;    /* of lwi_pickle_check */
    uint64_t expanded; /* values below it, shared ones counted each time */
    union {
        bool truth;
        int64_t integer;
        double real;
        struct {
            const char *at;
            size_t length;
        } text; /* TEXT, BYTES, BIG */
        struct {
            lwi_pvalue **item;
            size_t count, room; /* of items: twice the number of entries of a DICT */
        } list;                 /* LIST, TUPLE, SET, DICT */
        struct {
            const char *name; /* "collections.OrderedDict" */
            int known;        /* lwi_pglobal; 0: an unknown class */
        } global;
        struct {
            const char *name; /* of its class */
            lwi_pvalue *args, *state,
                *items; /* NULL where there are none; items: DICT, of a subclass of dict */
        } object;
        struct {
            lwi_element element; /* LWI_ELEMENTS: not plain numbers */
            bool big_endian;
        } dtype;
        lwi_pstorage *storage;
        lwi_ptensor *tensor;
    };
};

typedef struct lwi_pickle {
    const char *name;       /* of the file, borrowed */
    lwi_pstorage *storages; /* that still want their place, newest first */
    struct lwi_pblock *blocks;
    uint64_t operations;
    int nested; /* a file in a storage in a pickle */
} lwi_pickle;

void lwi_pickle_init(lwi_pickle *pickle, const char *name);
void lwi_pickle_free(lwi_pickle *pickle);

/* Reads one pickle that starts at data[*at] and moves *at past it. `origin` is the byte of the file where
 * `data` starts, for messages. NULL with an error. */
lwi_pvalue *lwi_pickle_read(lwi_pickle *pickle, const uint8_t *data, size_t size, size_t *at, size_t origin);

/* Refuses what contains itself, nests too deep, has a key twice, or is small in the file and huge when
 * written out. To be called before the value is walked. */
lw_status lwi_pickle_check(lwi_pickle *pickle, lwi_pvalue *root);

/* A file of torch.save without zip: `data` starts with its magic number. All storages get their data. */
lwi_pvalue *lwi_legacy_read(lwi_pickle *pickle, const uint8_t *data, size_t size, size_t origin);
bool lwi_legacy_is(const uint8_t *data, size_t size);

/* Zeroed memory that lives as long as the reader. */
void *lwi_pickle_alloc(lwi_pickle *pickle, size_t size);

/* Questions that any value (and NULL) may be asked. */
bool lwi_pvalue_is(const lwi_pvalue *value, const char *text); /* is this TEXT */
bool lwi_pvalue_is_list(const lwi_pvalue *value);              /* LIST, TUPLE or SET */
/* The value of a text key of a DICT, or of an OBJECT that is one or whose state is one. NULL: none. */
lwi_pvalue *lwi_pvalue_get(const lwi_pvalue *value, const char *key);
/* The entries of a DICT, or of an object's state (a dict, or a tuple of dicts) or items, or NULL. */
const lwi_pvalue *lwi_pvalue_dict(const lwi_pvalue *value);
/* A TEXT as a C string into `out`; false where it does not fit or is not printable UTF-8. */
bool lwi_pvalue_text(const lwi_pvalue *value, char *out, size_t size);

/* The tensor's elements, in C order. */
void lwi_ptensor_copy(const lwi_ptensor *tensor, const uint8_t *storage, float *out);

#endif
