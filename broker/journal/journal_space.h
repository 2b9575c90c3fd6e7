/* How much waits for the disk, and who is told when it is less.  Thread: any. */
#ifndef JOURNAL_JOURNAL_SPACE_H
#define JOURNAL_JOURNAL_SPACE_H

#include <stddef.h>

struct journal;

/* More than this waits for the disk, or for an executor that has to be told: whoever has a group
 * pending should not be read. */
#define JOURNAL_HIGH ((size_t)8 << 20)
#define JOURNAL_LOW  ((size_t)2 << 20)

/* So many bytes wait, or wait no more. */
void journal_space_add(struct journal *j, size_t bytes);
void journal_space_remove(struct journal *j, size_t bytes);
/* Executors may go on. */
void journal_space_report(struct journal *j);

#endif
