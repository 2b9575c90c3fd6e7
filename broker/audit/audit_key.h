/* The key of the audit's chain: a file of 64 hexadecimal digits that nobody else may read.
 * Thread: main. */
#ifndef AUDIT_AUDIT_KEY_H
#define AUDIT_AUDIT_KEY_H

#include <stdint.h>

#include "audit/audit_chain.h"

/* 0 or -errno with the cause and the cure in *why; -ENOENT: there is none. The caller wipes the
 * key. */
int audit_key_read(const char *path, uint8_t key[AUDIT_KEY_BYTES], struct buf *why);
/* A new one, in a file that must not exist, on disk when this returns. 0 or -errno, as above. */
int audit_key_create(const char *path, struct buf *why);

#endif
