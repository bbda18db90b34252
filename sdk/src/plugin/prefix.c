/* prefix.c — can a plugin with this frozen prefix be used? Field by field, with the remedy. */
#include "plugin/prefix.h"

#include <stdio.h>
#include <string.h>

#define REBUILD "rebuild the plugin against this SDK"
/* The descriptor of ABI 1.0: no compatible plugin has a smaller one. */
#define SMALLEST_DESCRIPTOR (sizeof(lw_plugin_prefix) + 9 * sizeof(void *) + 6 * sizeof(uint32_t))

_Static_assert(sizeof(lw_plugin_prefix) == 512, "the prefix is frozen");
_Static_assert(offsetof(lw_plugin_prefix, byte_order) == 24 && offsetof(lw_plugin_prefix, name) == 32 &&
                   offsetof(lw_plugin_prefix, summary) == 136 && offsetof(lw_plugin_prefix, reserved) == 296,
               "the prefix is frozen");
_Static_assert(LW_ABI_MINOR > 0 || sizeof(lw_plugin) == SMALLEST_DESCRIPTOR, "ABI 1.0 is frozen");

const char *lwi_kind_name(uint32_t kind)
{
    switch (kind) {
#define X(name, value, text) \
    case value: return text;
        LW_KIND_MAP(X)
#undef X
    default: return NULL;
    }
}

const char *lwi_prefix_id(const lw_plugin_prefix *prefix, char *buffer)
{
    snprintf(buffer, LWI_ID_BYTES, "%s/%s", lwi_kind_name(prefix->kind), prefix->name);
    return buffer;
}

/* A text field ends with a zero byte and holds no control characters, which a terminal would obey. */
static lw_status check_text(const char *field, const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length == size)
        return lw_fail(LW_FORMAT, "%s does not end within its %zu bytes; shorten it and " REBUILD, field,
                       size);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return lw_fail(LW_FORMAT, "%s holds the control character 0x%02x; remove it and " REBUILD, field,
                           (unsigned char)text[i]);
    return LW_OK;
}

static lw_status check_name(const lw_plugin_prefix *prefix)
{
    LW_TRY(check_text("name", prefix->name, sizeof prefix->name));
    size_t legal = strspn(prefix->name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (legal == 0 || prefix->name[legal])
        return lw_fail(LW_FORMAT, "name is '%s'; names are made of a-z, 0-9 and '-': rename and " REBUILD,
                       prefix->name);
    LW_TRY(check_text("version", prefix->version, sizeof prefix->version));
    LW_TRY(check_text("licence", prefix->licence, sizeof prefix->licence));
    return check_text("summary", prefix->summary, sizeof prefix->summary);
}

/* What must be right before any other field means anything. */
static lw_status check_layout(const lw_plugin_prefix *prefix)
{
    if (memcmp(prefix->magic, LW_PLUGIN_MAGIC, sizeof prefix->magic) != 0)
        return lw_fail(LW_FORMAT,
                       "magic is %02x %02x %02x %02x …, expected \"LATENTW\\n\": not a Latentwalk "
                       "descriptor; define it with LW_PLUGIN(…) and " REBUILD,
                       (unsigned char)prefix->magic[0], (unsigned char)prefix->magic[1],
                       (unsigned char)prefix->magic[2], (unsigned char)prefix->magic[3]);
    if (prefix->byte_order != 0x01020304)
        return lw_fail(LW_UNSUPPORTED,
                       "byte_order is 0x%08x, expected 0x01020304: built for a machine of another "
                       "byte order; " REBUILD " on this machine",
                       (unsigned)prefix->byte_order);
    if (prefix->pointer_bytes != sizeof(void *))
        return lw_fail(LW_UNSUPPORTED,
                       "pointer_bytes is %u, expected %zu: built for another pointer width; " REBUILD
                       " on this machine",
                       prefix->pointer_bytes, sizeof(void *));
    if (prefix->prefix_size != sizeof *prefix)
        return lw_fail(LW_FORMAT, "prefix_size is %u, expected %zu; " REBUILD, (unsigned)prefix->prefix_size,
                       sizeof *prefix);
    return LW_OK;
}

lw_status lwi_prefix_check(const lw_plugin_prefix *prefix)
{
    LW_TRY(check_layout(prefix));
    if (prefix->abi_major != LW_ABI_MAJOR)
        return lw_fail(LW_UNSUPPORTED, "abi_major is %u, this Latentwalk " LW_VERSION " has %d; %s",
                       prefix->abi_major, LW_ABI_MAJOR,
                       prefix->abi_major > LW_ABI_MAJOR ? "update latentwalk" : REBUILD);
    if (prefix->abi_minor > LW_ABI_MINOR)
        return lw_fail(LW_UNSUPPORTED,
                       "abi_minor is %u, this Latentwalk " LW_VERSION " has %d and can use no newer "
                       "plugin; update latentwalk, or " REBUILD,
                       prefix->abi_minor, LW_ABI_MINOR);
    if (!lwi_kind_name(prefix->kind))
        return lw_fail(LW_UNSUPPORTED, "kind is %u, known are 1 to %d; update latentwalk, or " REBUILD,
                       (unsigned)prefix->kind, LW_KIND_SINK);
    if (prefix->descriptor_size < SMALLEST_DESCRIPTOR || prefix->descriptor_size > sizeof(lw_plugin))
        return lw_fail(
            LW_FORMAT,
            "descriptor_size is %u, descriptors of ABI %d.0 to %d.%d have %zu to %zu bytes; " REBUILD,
            (unsigned)prefix->descriptor_size, LW_ABI_MAJOR, LW_ABI_MAJOR, LW_ABI_MINOR, SMALLEST_DESCRIPTOR,
            sizeof(lw_plugin));
    return check_name(prefix);
}

lw_status lwi_prefix_read(const char *path, lw_plugin_prefix *prefix)
{
    uint64_t symbol_size;
    LW_TRY(lwi_elf_prefix(path, prefix, &symbol_size));
    LW_TRY(lwi_prefix_check(prefix));
    if (symbol_size < prefix->descriptor_size)
        return lw_fail(LW_FORMAT, "descriptor_size is %u, but symbol '%s' has only %llu bytes; " REBUILD,
                       (unsigned)prefix->descriptor_size, LW_PLUGIN_SYMBOL, (unsigned long long)symbol_size);
    return LW_OK;
}
