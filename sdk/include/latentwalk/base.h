/* base.h — status codes, errors with causes, memory. Every other header includes this one.
 *
 * Errors. A function that can fail returns lw_status (or NULL / a null handle) and leaves one
 * message with its chain of causes in thread-local storage of the library: read it with
 * lw_error_message() before the next failing call on the same thread. Nothing is printed, nothing
 * exits, errno is never part of the contract.
 *
 * Ownership, said once: whatever a lw_*_create/_open/_load function returns belongs to the caller
 * and is released with the matching lw_*_destroy; every other returned pointer is borrowed and
 * lives as long as the object it was asked of. Passing NULL to a destroy function is allowed.
 *
 * Threads. What is in this header may be called from any thread, several at a time. Every other header says
 * what holds for its functions. */
#ifndef LATENTWALK_BASE_H
#define LATENTWALK_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LW_API __attribute__((visibility("default")))
#define LW_PRINTF(fmt_index, first) __attribute__((format(printf, fmt_index, first)))
#else
#define LW_API
#define LW_PRINTF(fmt_index, first)
#endif

#define LW_VERSION "0.1.0"

/* name, value, what it means to a person. Values are ABI: never renumber, add at the end. */
#define LW_STATUS_MAP(X)                                                                           \
    X(OK, 0, "success")                                                                            \
    X(INVALID, 1, "invalid argument or value")                                                     \
    X(NOT_FOUND, 2, "not found")                                                                   \
    X(UNSUPPORTED, 3, "not supported by this plugin, model or device")                             \
    X(SHAPE, 4, "shapes do not fit")                                                               \
    X(IO, 5, "reading or writing failed")                                                          \
    X(FORMAT, 6, "malformed file or text")                                                         \
    X(MEMORY, 7, "out of memory")                                                                  \
    X(DEVICE, 8, "the compute device failed")                                                      \
    X(CANCELLED, 9, "cancelled")                                                                   \
    X(NUMERIC, 10, "not a finite number")                                                          \
    X(INTERNAL, 11, "internal error")

typedef enum lw_status {
#define X(name, value, text) LW_##name = value,
    LW_STATUS_MAP(X)
#undef X
} lw_status;

/* One word for a status ("invalid"), and its sentence. Never NULL. Any thread. */
LW_API const char *lw_status_name(lw_status status);
LW_API const char *lw_status_text(lw_status status);

/* Starts a new error on this thread: forgets the last one, stores the formatted message (cut at 1023 bytes),
 * returns `status` so that `return lw_fail(LW_IO, "cannot open %s", path);` reads well. LW_OK is no error and
 * becomes LW_INTERNAL. The arguments may be parts of the error that stands. Needs no memory. */
LW_API lw_status lw_fail(lw_status status, const char *format, ...) LW_PRINTF(2, 3);

/* Adds an outer context to this thread's error ("while loading model 'faces'"): the new text becomes
 * the message, what was there becomes its cause. Returns the status of the error. At most 8 messages are kept, the
 * innermost and the outer ones. */
LW_API lw_status lw_wrap(const char *format, ...) LW_PRINTF(1, 2);

/* This thread's error: depth 0 is the outermost message, 1 its cause, …; NULL past the last one.
 * lw_error_status() is LW_OK where there is none. lw_error_text() joins all with ": ", "" where there is none. Texts
 * are borrowed until the next error, or the next call of lw_error_text(). */
LW_API lw_status lw_error_status(void);
LW_API const char *lw_error_message(int depth);
LW_API const char *lw_error_text(void);
LW_API void lw_error_clear(void);

/* if (expr fails) return its status — for functions that return lw_status themselves. */
#define LW_TRY(expr)                                                                               \
    do {                                                                                           \
        lw_status lw_try_status_ = (expr);                                                         \
        if (lw_try_status_ != LW_OK)                                                               \
            return lw_try_status_;                                                                 \
    } while (0)

/* Zeroed memory of count * size bytes, never NULL for 0 of them; NULL with LW_MEMORY when there is none (the product is
 * checked for overflow). Released with lw_free. */
LW_API void *lw_alloc(size_t count, size_t size);
/* The same memory with another size, perhaps elsewhere; what is added is not zeroed. `memory` may be NULL. Where NULL comes
 * back, with LW_MEMORY, `memory` is as it was. */
LW_API void *lw_resize(void *memory, size_t count, size_t size);
LW_API void lw_free(void *memory); /* NULL is allowed */
/* Text to be released with lw_free; NULL with an error. */
LW_API char *lw_strdup(const char *text);
LW_API char *lw_format(const char *format, ...) LW_PRINTF(1, 2);

/* Makes the n-th allocation of the process from now on fail, that one only (0: the next one; negative: none). For tests. */
LW_API void lw_alloc_fail_after(int64_t n);

/* The candidate closest to `text` (Damerau–Levenshtein distance at most a third of its length, at
 * least 1, at most 3), or NULL: for "did you mean". `candidates` ends with NULL; the result is one of them. */
LW_API const char *lw_closest(const char *text, const char *const *candidates);

#ifdef __cplusplus
}
#endif
#endif
