/* The walk over the retained values that a new subscription gets.  Thread: any; a cursor belongs to
 * its maker. */
#ifndef TREE_RETAIN_CURSOR_H
#define TREE_RETAIN_CURSOR_H

#include "tree/msg.h"

struct retain;

/* Replay: the values that a filter matches and whose number is not above `until`, in slices.  A
 * cursor survives changes of the tree between slices: every value that was there, unchanged, from
 * the start to the end of the replay is given exactly once. */
struct retain_cursor;
struct retain_cursor *retain_cursor_new(struct retain *r, struct slice filter, uint64_t until);
void retain_cursor_free(struct retain_cursor **c);
/* What it takes of memory. */
size_t retain_cursor_bytes(const struct retain_cursor *c);

/* `generation` of the configuration for which the writer was found (still) permitted, kept per
 * value by the caller: 0 at first. */
typedef bool retain_cursor_visit_fn(void *arg, struct msg *msg,
                                    _Atomic uint32_t *writer_generation);
/* Visit at most `budget` values (expired ones are skipped and counted as visited); `visit` runs
 * under the reader's lock: collect only. It returns false to stop after this value. True: there is
 * more; come again. */
bool retain_cursor_visit(struct retain_cursor *c, unsigned slot, uint64_t now_ms, size_t budget,
                         retain_cursor_visit_fn *visit, void *arg);

#endif
