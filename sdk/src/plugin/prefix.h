/* prefix.h — what is learned from a plugin file without running any of it. Internal. */
#ifndef LWI_PREFIX_H
#define LWI_PREFIX_H

#include "latentwalk/plugin.h"

/* Copies the 512 bytes of `lw_plugin_descriptor` out of the ELF file. Nothing is mapped or executed, every
 * offset is checked against the file's size. `*symbol_size` (may be NULL) gets the symbol's own size. */
lw_status lwi_elf_prefix(const char *path, lw_plugin_prefix *prefix, uint64_t *symbol_size);

/* Whether a plugin with this prefix can be loaded by this library. The error names the field, what it is,
 * what would be right, and the remedy. */
lw_status lwi_prefix_check(const lw_plugin_prefix *prefix);

/* "generator"; NULL for a value that is no kind. */
const char *lwi_kind_name(uint32_t kind);

/* Both of the above plus symbol size against descriptor_size. */
lw_status lwi_prefix_read(const char *path, lw_plugin_prefix *prefix);

/* "generator/dcgan" of a checked prefix, into a buffer of LWI_ID_BYTES. */
#define LWI_ID_BYTES 72
const char *lwi_prefix_id(const lw_plugin_prefix *prefix, char *buffer);
#endif
