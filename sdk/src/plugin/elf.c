/* elf.c — finds the descriptor's prefix in a shared object by reading the file, running nothing.
 *
 * It looks where the dynamic loader will look: PT_DYNAMIC, the symbol and string tables it names, the hash
 * table for the symbol, PT_LOAD to turn addresses into file offsets. Every read is checked against the
 * file's size, so any bytes give an answer or an error. */
#include "plugin/prefix.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The class, byte order and machine of this library itself: what a plugin must have. */
#define HOST_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define HOST_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)
#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#elif defined(__i386__)
#define HOST_MACHINE EM_386
#elif defined(__arm__)
#define HOST_MACHINE EM_ARM
#elif defined(__riscv)
#define HOST_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define HOST_MACHINE EM_PPC64
#elif defined(__s390x__)
#define HOST_MACHINE EM_S390
#elif defined(__loongarch__)
#define HOST_MACHINE 258
#else
#error "name this machine's ELF e_machine here"
#endif

/* Of this machine's pointer width: files of the other are refused before more of them is read. */
typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Dyn) elf_dynamic;
typedef ElfW(Sym) elf_symbol;
typedef ElfW(Addr) elf_word;

#define MAX_SEGMENTS 256
#define MAX_DYNAMIC 4096
#define MAX_SYMBOLS (1u << 24)

typedef struct elf_file {
    int fd;
    uint64_t size;
    elf_segment segment[MAX_SEGMENTS];
    int segment_count;
} elf_file;

static lw_status damaged(const elf_file *file, const char *what)
{
    return lw_fail(LW_FORMAT,
                   "damaged or truncated ELF file (%llu bytes): %s; build or copy the plugin again",
                   (unsigned long long)file->size, what);
}

static lw_status read_at(const elf_file *file, uint64_t offset, void *out, uint64_t count, const char *what)
{
    if (offset > file->size || count > file->size - offset)
        return damaged(file, what);
    for (uint64_t done = 0; done < count;) {
        ssize_t got = pread(file->fd, (char *)out + done, (size_t)(count - done), (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lw_fail(LW_IO, "cannot read: %s", strerror(errno));
        if (got == 0)
            return damaged(file, what);
        done += (uint64_t)got;
    }
    return LW_OK;
}

/* Where the file holds the bytes that will be at this address. */
static lw_status offset_of(const elf_file *file, uint64_t address, uint64_t count, uint64_t *offset,
                           const char *what)
{
    for (int i = 0; i < file->segment_count; i++) {
        const elf_segment *s = &file->segment[i];
        if (s->p_type != PT_LOAD || address < s->p_vaddr)
            continue;
        uint64_t inside = address - s->p_vaddr;
        if (inside > s->p_filesz || count > s->p_filesz - inside || inside > UINT64_MAX - s->p_offset)
            continue;
        *offset = s->p_offset + inside;
        return LW_OK;
    }
    return damaged(file, what);
}

static lw_status read_address(const elf_file *file, uint64_t address, void *out, uint64_t count,
                              const char *what)
{
    uint64_t offset = 0;
    LW_TRY(offset_of(file, address, count, &offset, what));
    return read_at(file, offset, out, count, what);
}

static lw_status check_header(const elf_file *file, elf_header *header)
{
    unsigned char ident[EI_NIDENT] = {0};
    if (file->size < SELFMAG)
        return lw_fail(LW_FORMAT, "not an ELF shared object: the file has only %llu bytes",
                       (unsigned long long)file->size);
    LW_TRY(read_at(file, 0, ident, file->size < EI_NIDENT ? file->size : EI_NIDENT, "its first bytes"));
    if (memcmp(ident, ELFMAG, SELFMAG) != 0)
        return lw_fail(LW_FORMAT,
                       "not an ELF shared object: it starts with %02x %02x %02x %02x, ELF files with "
                       "7f 45 4c 46",
                       ident[0], ident[1], ident[2], ident[3]);
    if (file->size < sizeof *header)
        return damaged(file, "the ELF header is incomplete");
    if (ident[EI_CLASS] != HOST_CLASS)
        return lw_fail(LW_UNSUPPORTED,
                       "ELF class (pointer width) is %d, this machine's is %d (1 is 32 bit, 2 is "
                       "64 bit); rebuild the plugin for this machine",
                       ident[EI_CLASS], HOST_CLASS);
    if (ident[EI_DATA] != HOST_DATA)
        return lw_fail(LW_UNSUPPORTED,
                       "ELF data encoding (byte order) is %d, this machine's is %d (1 is little, 2 "
                       "is big endian); rebuild the plugin for this machine",
                       ident[EI_DATA], HOST_DATA);
    LW_TRY(read_at(file, 0, header, sizeof *header, "the ELF header"));
    if (header->e_machine != HOST_MACHINE)
        return lw_fail(LW_UNSUPPORTED,
                       "ELF machine (e_machine) is %u, this machine's is %u: built for another "
                       "architecture; rebuild the plugin for this machine",
                       header->e_machine, HOST_MACHINE);
    if (header->e_type != ET_DYN)
        return lw_fail(LW_FORMAT,
                       "ELF type (e_type) is %u, a shared object has %u; link the plugin with -shared",
                       header->e_type, ET_DYN);
    return LW_OK;
}

static lw_status read_segments(elf_file *file, const elf_header *header)
{
    if (header->e_phentsize != sizeof(elf_segment) || header->e_phnum == 0 || header->e_phnum > MAX_SEGMENTS)
        return damaged(file, "its program header table has an impossible size");
    LW_TRY(read_at(file, header->e_phoff, file->segment, (uint64_t)header->e_phnum * sizeof(elf_segment),
                   "the program headers lie outside the file"));
    file->segment_count = header->e_phnum;
    for (int i = 0; i < file->segment_count; i++) { /* the loader would map what is not there */
        const elf_segment *s = &file->segment[i];
        if (s->p_type == PT_LOAD && (s->p_offset > file->size || s->p_filesz > file->size - s->p_offset))
            return damaged(file, "a segment reaches beyond the file's end");
    }
    return LW_OK;
}

/* The addresses that PT_DYNAMIC names; 0 where it does not. */
typedef struct dynamic {
    uint64_t symbols, strings, strings_size, hash, gnu_hash;
} dynamic;

static lw_status read_dynamic(const elf_file *file, dynamic *out)
{
    memset(out, 0, sizeof *out);
    const elf_segment *segment = NULL;
    for (int i = 0; i < file->segment_count && !segment; i++)
        if (file->segment[i].p_type == PT_DYNAMIC)
            segment = &file->segment[i];
    if (!segment)
        return damaged(file, "it has no dynamic segment");
    uint64_t count = segment->p_filesz / sizeof(elf_dynamic);
    for (uint64_t i = 0; i < count && i < MAX_DYNAMIC; i++) {
        elf_dynamic entry;
        if (segment->p_offset > UINT64_MAX - i * sizeof entry)
            return damaged(file, "the dynamic segment lies outside the file");
        LW_TRY(read_at(file, segment->p_offset + i * sizeof entry, &entry, sizeof entry,
                       "the dynamic segment lies outside the file"));
        switch (entry.d_tag) {
        case DT_NULL: i = count; break;
        case DT_SYMTAB: out->symbols = entry.d_un.d_ptr; break;
        case DT_STRTAB: out->strings = entry.d_un.d_ptr; break;
        case DT_STRSZ: out->strings_size = entry.d_un.d_val; break;
        case DT_HASH: out->hash = entry.d_un.d_ptr; break;
        case DT_GNU_HASH: out->gnu_hash = entry.d_un.d_ptr; break;
        case DT_SYMENT:
            if (entry.d_un.d_val != sizeof(elf_symbol))
                return damaged(file, "its symbols have an impossible size");
            break;
        default: break;
        }
    }
    if (!out->symbols || !out->strings || (!out->hash && !out->gnu_hash))
        return damaged(file, "its dynamic symbol table is not named");
    return LW_OK;
}

/* Whether symbol `index` is the defined data symbol we want. */
static lw_status is_descriptor(const elf_file *file, const dynamic *d, uint32_t index, elf_symbol *symbol,
                               bool *found)
{
    char name[sizeof LW_PLUGIN_SYMBOL];
    *found = false;
    LW_TRY(read_address(file, d->symbols + (uint64_t)index * sizeof *symbol, symbol, sizeof *symbol,
                        "its symbol table lies outside the file"));
    if (symbol->st_name > d->strings_size || d->strings_size - symbol->st_name < sizeof name)
        return LW_OK;
    LW_TRY(read_address(file, d->strings + symbol->st_name, name, sizeof name,
                        "its symbol names lie outside the file"));
    *found = memcmp(name, LW_PLUGIN_SYMBOL, sizeof name) == 0 && symbol->st_shndx != SHN_UNDEF;
    return LW_OK;
}

static lw_status not_exported(void)
{
    return lw_fail(LW_NOT_FOUND,
                   "symbol '%s' is missing: not a Latentwalk plugin; define it with LW_PLUGIN(…) and "
                   "export it",
                   LW_PLUGIN_SYMBOL);
}

/* The DT_GNU_HASH table: header {buckets, first symbol, bloom words, shift}, bloom filter, buckets,
 * chains. */
static lw_status find_gnu(const elf_file *file, const dynamic *d, elf_symbol *symbol)
{
    static const char broken[] = "its GNU hash table lies outside the file";
    uint32_t head[4], hash = 5381, index, chain;
    for (const char *c = LW_PLUGIN_SYMBOL; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    LW_TRY(read_address(file, d->gnu_hash, head, sizeof head, broken));
    if (head[0] == 0)
        return not_exported();
    uint64_t buckets = d->gnu_hash + sizeof head + (uint64_t)head[2] * sizeof(elf_word);
    uint64_t chains = buckets + (uint64_t)head[0] * 4;
    LW_TRY(read_address(file, buckets + (uint64_t)(hash % head[0]) * 4, &index, sizeof index, broken));
    if (index == 0)
        return not_exported();
    if (index < head[1])
        return damaged(file, "its GNU hash table is inconsistent");
    for (uint32_t steps = 0; steps < MAX_SYMBOLS; steps++, index++) {
        bool found = false;
        LW_TRY(read_address(file, chains + (uint64_t)(index - head[1]) * 4, &chain, sizeof chain, broken));
        if ((chain | 1) == (hash | 1))
            LW_TRY(is_descriptor(file, d, index, symbol, &found));
        if (found)
            return LW_OK;
        if (chain & 1)
            return not_exported();
    }
    return damaged(file, "its GNU hash table has no end");
}

/* The DT_HASH table: {buckets, symbols}, buckets, chains. */
static lw_status find_sysv(const elf_file *file, const dynamic *d, elf_symbol *symbol)
{
    uint32_t head[2];
    LW_TRY(read_address(file, d->hash, head, sizeof head, "its hash table lies outside the file"));
    for (uint32_t i = 1; i < head[1] && i < MAX_SYMBOLS; i++) {
        bool found;
        LW_TRY(is_descriptor(file, d, i, symbol, &found));
        if (found)
            return LW_OK;
    }
    return not_exported();
}

static lw_status read_prefix(elf_file *file, lw_plugin_prefix *prefix, uint64_t *symbol_size)
{
    elf_header header;
    elf_symbol symbol;
    dynamic d;
    LW_TRY(check_header(file, &header));
    LW_TRY(read_segments(file, &header));
    LW_TRY(read_dynamic(file, &d));
    LW_TRY(d.gnu_hash ? find_gnu(file, &d, &symbol) : find_sysv(file, &d, &symbol));
    if (symbol.st_size < sizeof *prefix)
        return lw_fail(LW_FORMAT,
                       "symbol '%s' has %llu bytes, at least %zu are needed; define it with LW_PLUGIN(…)",
                       LW_PLUGIN_SYMBOL, (unsigned long long)symbol.st_size, sizeof *prefix);
    LW_TRY(read_address(file, symbol.st_value, prefix, sizeof *prefix,
                        "the descriptor's bytes are not in the file"));
    if (symbol_size)
        *symbol_size = symbol.st_size;
    return LW_OK;
}

lw_status lwi_elf_prefix(const char *path, lw_plugin_prefix *prefix, uint64_t *symbol_size)
{
    struct stat info;
    /* O_NONBLOCK: a FIFO named *.so must not stop the listing. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return lw_fail(LW_IO, "cannot open: %s", strerror(errno));
    elf_file *file = lw_alloc(1, sizeof *file);
    lw_status status = file ? LW_OK : LW_MEMORY;
    if (status == LW_OK && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)))
        status = lw_fail(LW_IO, "not a regular file");
    if (status == LW_OK) {
        file->fd = fd;
        file->size = (uint64_t)info.st_size;
        status = read_prefix(file, prefix, symbol_size);
    }
    lw_free(file);
    close(fd);
    return status;
}
