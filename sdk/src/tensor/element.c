/* element.c — element types of files and their conversion to float32. */
#include "tensor/element.h"

#include "tensor/half.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "F32 is copied as it lies in the file");

static const struct {
    const char *name;
    uint8_t size;
    char kind;
} elements[LWI_ELEMENTS] = {
#define X(name, size, kind) {#name, size, kind},
    LWI_ELEMENT_MAP(X)
#undef X
};

lwi_element lwi_element_named(const char *name)
{
    int i = 0;
    while (i < LWI_ELEMENTS && strcmp(elements[i].name, name) != 0)
        i++;
    return (lwi_element)i;
}

lwi_element lwi_element_of_kind(char kind, size_t size)
{
    int i = 0;
    while (i < LWI_ELEMENTS && (kind == '\0' || elements[i].kind != kind || elements[i].size != size))
        i++;
    return (lwi_element)i;
}

size_t lwi_element_size(lwi_element element)
{
    return elements[element].size;
}

const char *lwi_element_name(lwi_element element)
{
    return elements[element].name;
}

/* `size` little-endian bytes as an unsigned number. */
static uint64_t read_bits(const uint8_t *data, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = size; i-- > 0;)
        bits = bits << 8 | data[i];
    return bits;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A double too large for float32 becomes infinity by IEEE rules. */
static float narrow(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

static float convert(lwi_element element, const uint8_t *data)
{
    uint64_t bits = read_bits(data, elements[element].size);
    switch (element) {
    case LWI_F64: return narrow(bits);
    case LWI_F32: return float_of_bits((uint32_t)bits);
    case LWI_F16: return lwi_float_of_half((uint16_t)bits);
    case LWI_F8_E4M3: return lwi_float_of_f8((uint8_t)bits);
    case LWI_BF16: return float_of_bits((uint32_t)bits << 16);
    case LWI_I64: return (float)(int64_t)bits;
    case LWI_I32: return (float)(int32_t)bits;
    case LWI_I16: return (float)(int16_t)bits;
    case LWI_I8: return (float)(int8_t)bits;
    case LWI_BOOL: return bits != 0 ? 1.0f : 0.0f;
    default: /* the unsigned ones */ return (float)bits;
    }
}

void lwi_element_to_float(lwi_element element, const uint8_t *data, size_t count, float *out)
{
    size_t size = elements[element].size;
    if (element == LWI_F32 && count > 0) { /* the usual case */
        memcpy(out, data, count * size);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = convert(element, data + i * size);
}
