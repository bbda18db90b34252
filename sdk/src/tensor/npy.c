/* npy.c — NumPy's .npy: a magic, a version, and a header that is a Python dictionary literal of exactly
 * the keys descr, fortran_order and shape; then the elements. */
#include "tensor/npy.h"

#include "base/file_internal.h"
#include "latentwalk/image.h"
#include "tensor/element.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 6, HEADER_LIMIT = 65536, SEEN_DESCR = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

typedef struct header {
    const char *name; /* of the file */
    const char *start, *at, *end;
    lwi_element element;
    bool fortran;
    lw_shape shape;
} header;

/* --- the dictionary literal ------------------------------------------------------------------ */

static lw_status malformed(const header *in, const char *what)
{
    return lw_fail(LW_FORMAT, "the header of '%s' %s, at its character %td", in->name, what,
                   in->at - in->start + 1);
}

static void skip_space(header *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' || *in->at == '\r'))
        in->at++;
}

/* Skips space, then takes `text` if it is next. */
static bool accept(header *in, const char *text)
{
    size_t length = strlen(text);
    skip_space(in);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, text, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* A text in single or double quotes, without escapes, of fewer than `size` bytes. */
static lw_status read_text(header *in, char *text, size_t size)
{
    skip_space(in);
    if (in->at == in->end || (*in->at != '\'' && *in->at != '"'))
        return malformed(in, "lacks a quoted text");
    char quote = *in->at++;
    size_t length = 0;
    while (in->at < in->end && *in->at != quote && length + 1 < size)
        text[length++] = *in->at++;
    text[length] = '\0';
    if (in->at == in->end || *in->at != quote)
        return malformed(in, "has a quoted text that does not end or is too long");
    in->at++;
    return LW_OK;
}

/* '<f4', '|u1', …: byte order, kind, size. */
static lw_status read_descr(header *in)
{
    char text[16];
    if (accept(in, "["))
        return lw_fail(LW_UNSUPPORTED,
                       "'%s' holds records with named fields; only plain numbers are supported", in->name);
    LW_TRY(read_text(in, text, sizeof text));
    if (text[0] == '>')
        return lw_fail(LW_UNSUPPORTED, "'%s' is big endian ('%s'); only little endian is supported", in->name,
                       text);
    bool order = text[0] == '<' || text[0] == '|';
    bool sized = order && text[1] && text[2] >= '1' && text[2] <= '8' && !text[3];
    in->element = sized ? lwi_element_of_kind(text[1], (size_t)(text[2] - '0')) : LWI_ELEMENTS;
    if (in->element == LWI_ELEMENTS || (text[0] == '|' && text[2] != '1'))
        return lw_fail(LW_UNSUPPORTED,
                       "'%s' holds elements of type '%s'; supported are <f2, <f4, <f8, |i1, <i2, <i4, "
                       "<i8, |u1, <u2, <u4, <u8 and |b1",
                       in->name, text);
    return LW_OK;
}

static lw_status read_order(header *in)
{
    if (accept(in, "True"))
        in->fortran = true;
    else if (!accept(in, "False"))
        return malformed(in, "has a fortran_order that is neither True nor False");
    return LW_OK;
}

static lw_status read_dimension(header *in, int64_t *dim)
{
    skip_space(in);
    if (in->at == in->end || *in->at < '0' || *in->at > '9')
        return malformed(in, "has a shape with something else than whole numbers");
    for (*dim = 0; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
        if (__builtin_mul_overflow(*dim, 10, dim) || __builtin_add_overflow(*dim, *in->at - '0', dim))
            return malformed(in, "has a dimension too large");
    }
    return LW_OK;
}

/* (), (3,), (3, 4), (3, 4,) — but not (3), which Python reads as a number. */
static lw_status read_shape(header *in)
{
    if (!accept(in, "("))
        return malformed(in, "has a shape that is not a tuple");
    bool comma = true;
    while (!accept(in, ")")) {
        if (!comma)
            return malformed(in, "lacks a comma in its shape");
        if (in->shape.rank == LW_MAX_RANK)
            return lw_fail(LW_UNSUPPORTED, "'%s' has more than %d dimensions", in->name, LW_MAX_RANK);
        LW_TRY(read_dimension(in, &in->shape.dim[in->shape.rank++]));
        comma = accept(in, ",");
    }
    if (in->shape.rank == 1 && !comma)
        return malformed(in, "has a shape that is not a tuple");
    return LW_OK;
}

static lw_status read_dictionary(header *in)
{
    unsigned seen = 0;
    if (!accept(in, "{"))
        return malformed(in, "does not start with '{'");
    bool comma = true;
    while (!accept(in, "}")) {
        char key[16];
        if (!comma)
            return malformed(in, "lacks a comma between its entries");
        LW_TRY(read_text(in, key, sizeof key));
        unsigned which = strcmp(key, "descr") == 0           ? SEEN_DESCR
                         : strcmp(key, "fortran_order") == 0 ? SEEN_ORDER
                         : strcmp(key, "shape") == 0         ? SEEN_SHAPE
                                                             : 0;
        if (which == 0 || (seen & which))
            return malformed(in,
                             which ? "has a key twice" : "has a key other than descr, fortran_order, shape");
        seen |= which;
        if (!accept(in, ":"))
            return malformed(in, "lacks a colon after a key");
        LW_TRY(which == SEEN_DESCR ? read_descr(in) : which == SEEN_ORDER ? read_order(in) : read_shape(in));
        comma = accept(in, ",");
    }
    if (seen != SEEN_ALL)
        return malformed(in, "lacks one of the keys descr, fortran_order, shape");
    skip_space(in);
    return in->at == in->end ? LW_OK : malformed(in, "goes on after its '}'");
}

/* --- the file -------------------------------------------------------------------------------- */

/* Where the header lies: 10 bytes of preamble in version 1, 12 in versions 2 and 3. */
static lw_status find_header(header *in, const uint8_t *data, size_t size)
{
    static const uint8_t magic[MAGIC] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (size < MAGIC || memcmp(data, magic, MAGIC) != 0)
        return lw_fail(LW_FORMAT, "'%s' is not a .npy file: it does not start with \\x93NUMPY", in->name);
    if (size < MAGIC + 2)
        return lw_fail(LW_FORMAT, "'%s' is cut short: it ends within its version", in->name);
    unsigned version = data[MAGIC], minor = data[MAGIC + 1];
    if (version < 1 || version > 3 || minor != 0)
        return lw_fail(LW_UNSUPPORTED, "'%s' has the .npy version %u.%u; supported are 1.0, 2.0 and 3.0",
                       in->name, version, minor);
    size_t length_bytes = version == 1 ? 2 : 4, start = MAGIC + 2 + length_bytes, length = 0;
    if (size < start)
        return lw_fail(LW_FORMAT, "'%s' is cut short: it ends within the length of its header", in->name);
    for (size_t i = length_bytes; i-- > 0;)
        length = length << 8 | data[MAGIC + 2 + i];
    if (length > HEADER_LIMIT)
        return lw_fail(LW_FORMAT, "'%s' claims a header of %zu bytes; at most %d are read", in->name, length,
                       HEADER_LIMIT);
    if (length > size - start)
        return lw_fail(LW_FORMAT,
                       "'%s' is cut short: its header should end at byte %zu, the file at byte %zu does",
                       in->name, start + length, size);
    in->start = in->at = (const char *)data + start;
    in->end = in->start + length;
    return LW_OK;
}

/* Column-major elements to row-major: element (i0, i1, …) lies at i0 + dim0 * (i1 + dim1 * …). */
static void from_fortran(const lw_tensor *source, lw_tensor *target)
{
    lw_shape shape = source->shape;
    int64_t count = lw_shape_count(shape), stride[LW_MAX_RANK], index[LW_MAX_RANK] = {0}, from = 0;
    for (int i = 0; i < shape.rank; i++)
        stride[i] = i ? stride[i - 1] * shape.dim[i - 1] : 1;
    for (int64_t to = 0; to < count; to++) {
        target->data[to] = source->data[from];
        for (int i = shape.rank; i-- > 0;) {
            from += stride[i];
            if (++index[i] < shape.dim[i])
                break;
            from -= stride[i] * index[i];
            index[i] = 0;
        }
    }
}

static lw_tensor *read_elements(const header *in, const uint8_t *data, size_t size)
{
    char text[LW_SHAPE_TEXT];
    int64_t count = lw_shape_count(in->shape);
    size_t bytes;
    if (count < 0 || __builtin_mul_overflow((size_t)count, lwi_element_size(in->element), &bytes) ||
        bytes != size) {
        lw_fail(LW_FORMAT,
                "'%s' has %zu bytes of elements, which is not what the shape %s of %zu-byte elements takes",
                in->name, size, lw_shape_text(in->shape, text), lwi_element_size(in->element));
        return NULL;
    }
    lw_tensor *tensor = lw_tensor_create(in->shape);
    if (!tensor)
        return NULL;
    lwi_element_to_float(in->element, data, (size_t)count, tensor->data);
    if (!in->fortran || in->shape.rank < 2)
        return tensor;
    lw_tensor *turned = lw_tensor_create(in->shape);
    if (turned)
        from_fortran(tensor, turned);
    lw_tensor_destroy(tensor);
    return turned;
}

lw_tensor *lwi_npy_parse(const uint8_t *data, size_t size, const char *name)
{
    header in = {.name = name};
    if (find_header(&in, data, size) != LW_OK || read_dictionary(&in) != LW_OK)
        return NULL;
    const uint8_t *elements = (const uint8_t *)in.end;
    return read_elements(&in, elements, size - (size_t)(elements - data));
}

lwi_element lwi_npy_element(const uint8_t *data, size_t size, const char *name)
{
    header in = {.name = name};
    return find_header(&in, data, size) == LW_OK && read_dictionary(&in) == LW_OK ? in.element : LWI_ELEMENTS;
}

lw_tensor *lw_npy_load(const char *path)
{
    uint8_t *data;
    size_t size;
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        return NULL;
    lw_tensor *tensor = lwi_npy_parse(data, size, path);
    lw_free(data);
    return tensor;
}

/* The preamble and header of version 1.0, padded with spaces to a multiple of 64, as NumPy writes it. */
static size_t make_header(lw_shape shape, char *text, size_t size)
{
    enum { PREAMBLE = 10, ALIGNMENT = 64 };
    char dims[LW_SHAPE_TEXT];
    lw_shape_text(shape, dims);
    dims[strlen(dims) - 1] = '\0'; /* the closing bracket */
    int n =
        snprintf(text, size, "\x93NUMPY\x01%c%c%c{'descr': '<f4', 'fortran_order': False, 'shape': (%s%s), }",
                 0, 0, 0, dims + 1, shape.rank == 1 ? "," : "");
    size_t length = (size_t)n,
           total = (length + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* room for the newline */
    memset(text + length, ' ', total - length);
    text[total - 1] = '\n';
    text[8] = (char)((total - PREAMBLE) & 0xff);
    text[9] = (char)((total - PREAMBLE) >> 8);
    return total;
}

lw_status lw_npy_save(const lw_tensor *tensor, const char *path)
{
    char text[LW_SHAPE_TEXT + 256];
    size_t length = make_header(tensor->shape, text, sizeof text);
    lwi_writer writer;
    LW_TRY(lwi_writer_open(&writer, path));
    lw_status status = lwi_writer_put(&writer, text, length);
    if (status == LW_OK)
        status = lwi_writer_put(&writer, tensor->data, (size_t)lw_shape_count(tensor->shape) * sizeof(float));
    if (status != LW_OK) {
        lwi_writer_abandon(&writer);
        return status;
    }
    return lwi_writer_commit(&writer);
}
