/* globals.c — what the globals of checkpoints stand for. The table is the whitelist: what it does not list
 * can be the class of an opaque record (NEWOBJ, INST, OBJ), but is never called, and the modules of Python
 * itself that run things cannot even be that. */
#include "checkpoint/machine.h"

#include <stdio.h>
#include <string.h>

typedef enum known {
    UNKNOWN, /* the class of an opaque record */
    AS_DICT,
    AS_SET,
    AS_LIST,
    AS_TUPLE,
    AS_BYTES,
    AS_NUMBER,
    AS_RECORD, /* harmless classes that are also made by a call */
    AS_FIRST,  /* gives its first argument back */
    ENCODE,
    RECONSTRUCTOR,
    PERSISTENT_OBJECT,
    TENSOR,       /* storage, offset, size, stride, … */
    TENSOR_V3,    /* … requires_grad, hooks, dtype */
    TENSOR_TYPED, /* function, type, arguments, state */
    STORAGE_BYTES,
    STORAGE_CLASS,
    TORCH_DTYPE,
    ARRAY,
    FROM_BUFFER,
    SCALAR,
    DTYPE,
    NOT_CALLED /* known, and good as an argument only */
} known;

typedef struct entry {
    const char *name;
    known what;
    lwi_element element;
} entry;

static const entry table[] = {
    {"collections.OrderedDict", AS_DICT, 0},
    {"collections.defaultdict", AS_DICT, 0},
    {"builtins.dict", AS_DICT, 0},
    {"__builtin__.dict", AS_DICT, 0},
    {"builtins.set", AS_SET, 0},
    {"__builtin__.set", AS_SET, 0},
    {"builtins.frozenset", AS_SET, 0},
    {"__builtin__.frozenset", AS_SET, 0},
    {"builtins.list", AS_LIST, 0},
    {"__builtin__.list", AS_LIST, 0},
    {"builtins.tuple", AS_TUPLE, 0},
    {"__builtin__.tuple", AS_TUPLE, 0},
    {"torch.Size", AS_TUPLE, 0},
    {"builtins.bytes", AS_BYTES, 0},
    {"builtins.bytearray", AS_BYTES, 0},
    {"__builtin__.bytearray", AS_BYTES, 0},
    {"builtins.int", AS_NUMBER, 0},
    {"builtins.float", AS_NUMBER, 0},
    {"builtins.bool", AS_NUMBER, 0},
    {"builtins.str", AS_NUMBER, 0},
    {"builtins.object", NOT_CALLED, 0},
    {"__builtin__.object", NOT_CALLED, 0},
    {"builtins.slice", AS_RECORD, 0},
    {"builtins.range", AS_RECORD, 0},
    {"builtins.complex", AS_RECORD, 0},
    {"torch.device", AS_FIRST, 0},
    {"pathlib.PosixPath", AS_RECORD, 0},
    {"pathlib.WindowsPath", AS_RECORD, 0},
    {"pathlib.PurePosixPath", AS_RECORD, 0},
    {"argparse.Namespace", AS_RECORD, 0},
    {"dnnlib.util.EasyDict", AS_RECORD, 0},
    {"dnnlib.EasyDict", AS_RECORD, 0},
    {"easydict.EasyDict", AS_RECORD, 0},
    {"_codecs.encode", ENCODE, 0},
    {"copyreg._reconstructor", RECONSTRUCTOR, 0},
    {"copy_reg._reconstructor", RECONSTRUCTOR, 0},
    {"torch_utils.persistence._reconstruct_persistent_obj", PERSISTENT_OBJECT, 0},
    {"torch._utils._rebuild_tensor", TENSOR, 0},
    {"torch._utils._rebuild_tensor_v2", TENSOR, 0},
    {"torch._utils._rebuild_tensor_v3", TENSOR_V3, 0},
    {"torch._tensor._rebuild_from_type", TENSOR_TYPED, 0},
    {"torch._tensor._rebuild_from_type_v2", TENSOR_TYPED, 0},
    {"torch._utils._rebuild_parameter", AS_FIRST, 0},
    {"torch._utils._rebuild_parameter_with_state", AS_FIRST, 0},
    {"torch.storage._load_from_bytes", STORAGE_BYTES, 0},
    {"torch.Tensor", NOT_CALLED, 0},
    {"torch.nn.parameter.Parameter", NOT_CALLED, 0},
    {"torch.nn.parameter.Buffer", NOT_CALLED, 0},
    {"torch.jit._pickle.build_intlist", AS_FIRST, 0},
    {"torch.jit._pickle.build_doublelist", AS_FIRST, 0},
    {"torch.jit._pickle.build_boollist", AS_FIRST, 0},
    {"torch.jit._pickle.build_tensorlist", AS_FIRST, 0},
    {"torch.jit._pickle.restore_type_tag", AS_FIRST, 0},
    {"numpy.core.multiarray.scalar", SCALAR, 0},
    {"numpy._core.multiarray.scalar", SCALAR, 0},
    {"numpy.core.multiarray._reconstruct", ARRAY, 0},
    {"numpy._core.multiarray._reconstruct", ARRAY, 0},
    {"numpy.core.numeric._frombuffer", FROM_BUFFER, 0},
    {"numpy._core.numeric._frombuffer", FROM_BUFFER, 0},
    {"numpy.dtype", DTYPE, 0},
    {"numpy.ndarray", NOT_CALLED, 0},
    {"torch.FloatStorage", STORAGE_CLASS, LWI_F32},
    {"torch.DoubleStorage", STORAGE_CLASS, LWI_F64},
    {"torch.HalfStorage", STORAGE_CLASS, LWI_F16},
    {"torch.BFloat16Storage", STORAGE_CLASS, LWI_BF16},
    {"torch.LongStorage", STORAGE_CLASS, LWI_I64},
    {"torch.IntStorage", STORAGE_CLASS, LWI_I32},
    {"torch.ShortStorage", STORAGE_CLASS, LWI_I16},
    {"torch.CharStorage", STORAGE_CLASS, LWI_I8},
    {"torch.ByteStorage", STORAGE_CLASS, LWI_U8},
    {"torch.BoolStorage", STORAGE_CLASS, LWI_BOOL},
    {"torch.cuda.FloatStorage", STORAGE_CLASS, LWI_F32},
    {"torch.cuda.DoubleStorage", STORAGE_CLASS, LWI_F64},
    {"torch.cuda.HalfStorage", STORAGE_CLASS, LWI_F16},
    {"torch.cuda.LongStorage", STORAGE_CLASS, LWI_I64},
    {"torch.cuda.IntStorage", STORAGE_CLASS, LWI_I32},
    {"torch.cuda.ByteStorage", STORAGE_CLASS, LWI_U8},
    {"torch.storage.UntypedStorage", STORAGE_CLASS, LWI_ELEMENTS},
    {"torch.float64", TORCH_DTYPE, LWI_F64},
    {"torch.float32", TORCH_DTYPE, LWI_F32},
    {"torch.float16", TORCH_DTYPE, LWI_F16},
    {"torch.bfloat16", TORCH_DTYPE, LWI_BF16},
    {"torch.int64", TORCH_DTYPE, LWI_I64},
    {"torch.int32", TORCH_DTYPE, LWI_I32},
    {"torch.int16", TORCH_DTYPE, LWI_I16},
    {"torch.int8", TORCH_DTYPE, LWI_I8},
    {"torch.uint64", TORCH_DTYPE, LWI_U64},
    {"torch.uint32", TORCH_DTYPE, LWI_U32},
    {"torch.uint16", TORCH_DTYPE, LWI_U16},
    {"torch.uint8", TORCH_DTYPE, LWI_U8},
    {"torch.bool", TORCH_DTYPE, LWI_BOOL},
};

/* Modules that run programs, import, open files or sockets, or make any object callable. No checkpoint of a
 * network holds an object of theirs, so they are refused where they are named, called or not. */
static const char *const forbidden[] = {
    "os",          "posix",
    "nt",          "subprocess",
    "sys",         "builtins",
    "__builtin__", "importlib",
    "imp",         "runpy",
    "pty",         "platform",
    "shutil",      "socket",
    "ctypes",      "code",
    "codeop",      "types",
    "inspect",     "operator",
    "pickle",      "_pickle",
    "cPickle",     "marshal",
    "shelve",      "dill",
    "cloudpickle", "joblib",
    "webbrowser",  "urllib",
    "http",        "requests",
    "ftplib",      "smtplib",
    "telnetlib",   "asyncio",
    "asyncore",    "multiprocessing",
    "threading",   "_thread",
    "signal",      "tempfile",
    "pathlib",     "io",
    "_io",         "codecs",
    "_codecs",     "functools",
    "_functools",  "timeit",
    "cProfile",    "profile",
    "pdb",         "bdb",
    "trace",       "doctest",
    "pydoc",       "commands",
    "popen2",      "distutils",
    "setuptools",  "pip",
    "site",        "zipimport",
    "pkgutil",     "copyreg",
    "copy_reg",    "nturl2path",
    "ntpath",      "posixpath",
    "glob",        "fileinput",
    "linecache",   "logging",
    "gc",          "weakref",
    "atexit",      "faulthandler",
    "mmap",        "resource",
    "getpass",
};

static bool is_forbidden(const char *name)
{
    size_t length = strcspn(name, ".");
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (strlen(forbidden[i]) == length && strncmp(forbidden[i], name, length) == 0)
            return true;
    return false;
}

static const entry *find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static void copy_printable(char *to, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
}

lwi_pvalue *lwi_machine_global(lwi_machine *m, const char *module, size_t module_length, const char *name,
                               size_t name_length)
{
    enum { LONGEST = 200 };
    if (module_length == 0 || name_length == 0 || module_length > LONGEST || name_length > LONGEST)
        return lwi_machine_refuse(m, "names a global of %zu and %zu characters; 1 to %d are allowed",
                                  module_length, name_length, LONGEST);
    char *full = lwi_pickle_alloc(m->pickle, module_length + name_length + 2);
    if (!full)
        return NULL;
    copy_printable(full, module, module_length);
    full[module_length] = '.';
    copy_printable(full + module_length + 1, name, name_length);
    const entry *found = find(full);
    if (!found && is_forbidden(full))
        return lwi_machine_refuse(
            m, "names %s: a checkpoint has no business with it, and nothing here runs code", full);
    lwi_pvalue *value = lwi_machine_value(m, LWI_P_GLOBAL);
    if (value) {
        value->global.name = full;
        value->global.known = found ? (int)(found - table) + 1 : 0;
    }
    return value;
}

static known what_is(const lwi_pvalue *value)
{
    return value->global.known ? table[value->global.known - 1].what : UNKNOWN;
}

bool lwi_global_element(const lwi_pvalue *value, lwi_element *element)
{
    if (!value || value->kind != LWI_P_GLOBAL ||
        (what_is(value) != STORAGE_CLASS && what_is(value) != TORCH_DTYPE))
        return false;
    *element = table[value->global.known - 1].element;
    return true;
}

/* --- calls ---------------------------------------------------------------------------------------- */

lwi_pvalue *lwi_item(const lwi_pvalue *list, size_t index)
{
    bool indexed = list && (list->kind == LWI_P_TUPLE || list->kind == LWI_P_LIST);
    return indexed && index < list->list.count ? list->list.item[index] : NULL;
}

bool lwi_int(const lwi_pvalue *value, int64_t *out)
{
    if (!value || value->kind != LWI_P_INT)
        return false;
    *out = value->integer;
    return true;
}

/* OrderedDict(), or of a list of pairs (Python 2 wrote lists for the pairs); defaultdict(factory). */
static lwi_pvalue *make_dict(lwi_machine *m, const lwi_pvalue *args)
{
    lwi_pvalue *dict = lwi_machine_value(m, LWI_P_DICT), *from = lwi_item(args, 0);
    if (!dict || !from || from->kind == LWI_P_GLOBAL)
        return dict;
    if (from->kind != LWI_P_LIST && from->kind != LWI_P_TUPLE)
        return lwi_machine_refuse(m, "makes a dictionary of something else than a list of pairs");
    for (size_t i = 0; i < from->list.count; i++) {
        lwi_pvalue *key = lwi_item(from->list.item[i], 0), *value = lwi_item(from->list.item[i], 1);
        if (!value || lwi_item(from->list.item[i], 2))
            return lwi_machine_refuse(m, "makes a dictionary of a list whose item %zu is not a pair", i);
        if (lwi_machine_append(m, dict, key) != LW_OK || lwi_machine_append(m, dict, value) != LW_OK)
            return NULL;
    }
    return dict;
}

static lwi_pvalue *make_list(lwi_machine *m, lwi_pkind kind, const lwi_pvalue *args)
{
    lwi_pvalue *list = lwi_machine_value(m, kind), *from = lwi_item(args, 0);
    if (!list || !from)
        return list;
    if (!lwi_pvalue_is_list(from))
        return lwi_machine_refuse(m, "makes a list, tuple or set of something else than such");
    for (size_t i = 0; i < from->list.count; i++)
        if (lwi_machine_append(m, list, from->list.item[i]) != LW_OK)
            return NULL;
    return list;
}

/* Text in UTF-8 of characters below 256 to bytes: how protocol 2 of Python 3 writes bytes. */
static lwi_pvalue *encode_latin1(lwi_machine *m, const lwi_pvalue *args)
{
    const lwi_pvalue *text = lwi_item(args, 0), *encoding = lwi_item(args, 1);
    lwi_pvalue *bytes = lwi_machine_value(m, LWI_P_BYTES);
    if (!bytes || (text && text->kind == LWI_P_BYTES && !encoding)) {
        if (bytes)
            bytes->text = text->text;
        return bytes;
    }
    if (!text)
        return bytes; /* bytes() is empty */
    if (text->kind != LWI_P_TEXT ||
        !(lwi_pvalue_is(encoding, "latin1") || lwi_pvalue_is(encoding, "latin-1")))
        return lwi_machine_refuse(m, "takes a text and 'latin1'");
    char *out = lwi_pickle_alloc(m->pickle, text->text.length + 1);
    if (!out)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < text->text.length; i++) {
        uint8_t c = (uint8_t)text->text.at[i],
                next = i + 1 < text->text.length ? (uint8_t)text->text.at[i + 1] : 0;
        if (c >= 0x80 && ((c & 0xfe) != 0xc2 || (next & 0xc0) != 0x80))
            return lwi_machine_refuse(m, "encodes a text with a character that latin1 lacks");
        out[used++] = (char)(c < 0x80 ? c : (c & 3) << 6 | (next & 0x3f));
        i += c >= 0x80;
    }
    bytes->text.at = out;
    bytes->text.length = used;
    return bytes;
}

/* NVIDIA's {type: 'class', module_src: Python, class_name, state}: the source is not looked at. */
static lwi_pvalue *persistent_object(lwi_machine *m, const lwi_pvalue *args)
{
    const lwi_pvalue *meta = lwi_item(args, 0), *name = lwi_pvalue_get(meta, "class_name");
    lwi_pvalue *state = lwi_pvalue_get(meta, "state"), *object = lwi_machine_value(m, LWI_P_OBJECT);
    char *text = lwi_pickle_alloc(m->pickle, 256);
    if (!object || !text)
        return NULL;
    if (!lwi_pvalue_is(lwi_pvalue_get(meta, "type"), "class") || !state || !lwi_pvalue_text(name, text, 256))
        return lwi_machine_refuse(m, "takes a dictionary with type 'class', a class_name and a state");
    object->object.name = text;
    object->object.state = state;
    return object;
}

lwi_pvalue *lwi_machine_object(lwi_machine *m, const lwi_pvalue *class, lwi_pvalue *args)
{
    if (class->kind != LWI_P_GLOBAL)
        return lwi_machine_refuse(m, "makes an object of something that is not a class");
    if (args->kind != LWI_P_TUPLE)
        return lwi_machine_refuse(m, "makes a %s with arguments that are not a tuple", class->global.name);
    switch (what_is(class)) {
    case UNKNOWN:
    case AS_RECORD: break;
    case AS_DICT: return make_dict(m, args);
    case AS_SET: return make_list(m, LWI_P_SET, args);
    case AS_LIST: return make_list(m, LWI_P_LIST, args);
    case AS_TUPLE: return make_list(m, LWI_P_TUPLE, args);
    default:
        return lwi_machine_refuse(m, "makes an object of %s, which is not a class of records",
                                  class->global.name);
    }
    lwi_pvalue *object = lwi_machine_value(m, LWI_P_OBJECT);
    if (object) {
        object->object.name = class->global.name;
        object->object.args = args->list.count ? args : NULL;
    }
    return object;
}

static lwi_pvalue *first(lwi_machine *m, const char *name, const lwi_pvalue *args)
{
    lwi_pvalue *value = lwi_item(args, 0);
    return value ? value : lwi_machine_refuse(m, "calls %s without arguments", name);
}

/* copyreg._reconstructor(class, object, None), as protocols 0 and 1 make an object. */
static lwi_pvalue *reconstruct(lwi_machine *m, const lwi_pvalue *args)
{
    lwi_pvalue *class = lwi_item(args, 0), *none = lwi_machine_value(m, LWI_P_TUPLE);
    const lwi_pvalue *base = lwi_item(args, 1);
    if (!none)
        return NULL;
    bool plain =
        base && base->kind == LWI_P_GLOBAL && (what_is(base) == NOT_CALLED || what_is(base) == AS_DICT);
    if (!class || !plain)
        return lwi_machine_refuse(m, "reconstructs an object of another base than object or dict");
    return lwi_machine_object(m, class, none);
}

lwi_pvalue *lwi_machine_reduce(lwi_machine *m, const lwi_pvalue *callable, const lwi_pvalue *args)
{
    if (callable->kind != LWI_P_GLOBAL)
        return lwi_machine_refuse(m, "calls something that is not a global");
    const char *name = callable->global.name;
    if (args->kind != LWI_P_TUPLE)
        return lwi_machine_refuse(m, "calls %s with something else than a tuple", name);
    switch (what_is(callable)) {
    case AS_DICT: return make_dict(m, args);
    case AS_SET: return make_list(m, LWI_P_SET, args);
    case AS_LIST: return make_list(m, LWI_P_LIST, args);
    case AS_TUPLE: return make_list(m, LWI_P_TUPLE, args);
    case AS_BYTES:
    case ENCODE: return encode_latin1(m, args);
    case AS_NUMBER:
    case AS_FIRST: return first(m, name, args);
    case AS_RECORD: return lwi_machine_object(m, callable, (lwi_pvalue *)args);
    case RECONSTRUCTOR: return reconstruct(m, args);
    case PERSISTENT_OBJECT: return persistent_object(m, args);
    case TENSOR: return lwi_machine_tensor(m, args, NULL);
    case TENSOR_V3: return lwi_machine_tensor(m, args, lwi_item(args, 6));
    case TENSOR_TYPED: {
        const lwi_pvalue *function = lwi_item(args, 0), *inner = lwi_item(args, 2);
        bool tensor = function && function->kind == LWI_P_GLOBAL && inner && inner->kind == LWI_P_TUPLE &&
                      (what_is(function) == TENSOR || what_is(function) == TENSOR_V3);
        if (!tensor)
            return lwi_machine_refuse(
                m, "calls %s with something else than a function that rebuilds a tensor", name);
        return lwi_machine_tensor(m, inner, what_is(function) == TENSOR_V3 ? lwi_item(inner, 6) : NULL);
    }
    case STORAGE_BYTES: return lwi_machine_storage_bytes(m, args);
    case ARRAY: return lwi_machine_empty_array(m);
    case FROM_BUFFER: return lwi_machine_frombuffer(m, args);
    case SCALAR: return lwi_machine_scalar(m, args);
    case DTYPE: return lwi_machine_dtype(m, args);
    default:
        return lwi_machine_refuse(
            m,
            "calls %s, which is not one of the functions that rebuild tensors and records; "
            "a checkpoint's code is never run",
            name);
    }
}

lw_status lwi_machine_build(lwi_machine *m, lwi_pvalue *target, lwi_pvalue *state)
{
    switch (target->kind) {
    case LWI_P_OBJECT:
        if (target->object.state)
            lwi_machine_refuse(m, "gives a %s a second state", target->object.name);
        else
            target->object.state = state;
        return target->object.state == state ? LW_OK : LW_FORMAT;
    case LWI_P_DICT:   /* attributes, as _metadata of a state_dict: not among its keys */
    case LWI_P_TENSOR: /* attributes of a parameter, or the contents of an array */
        if (target->kind == LWI_P_TENSOR && !target->tensor)
            return lwi_machine_fill_array(m, target, state);
        if (state->kind == LWI_P_DICT || state->kind == LWI_P_TUPLE)
            return LW_OK;
        break;
    case LWI_P_DTYPE: return lwi_machine_dtype_order(m, target, state);
    default: break;
    }
    lwi_machine_refuse(m, "sets the state of something that has none");
    return LW_FORMAT;
}
