/* opened.h — checkpoints made in memory (bytes.h), opened. */
#ifndef TEST_OPENED_H
#define TEST_OPENED_H

#include "bytes.h"
#include "latentwalk/tensor.h"

/* The store of a checkpoint, which must be such a container. The caller's. */
lw_store *opened_store(const bytes *b, const char *container);
/* Opening it must fail, with this text in the error. */
void opened_not(const bytes *b, const char *message);

#endif
