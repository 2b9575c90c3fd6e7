/* How much waits for the disk, and the executors that wait for it to fall.  Thread: any. */
#ifndef JOURNAL_JOURNAL_SPACE_H
#define JOURNAL_JOURNAL_SPACE_H

#include <stddef.h>

struct journal;

/* Where more than JOURNAL_HIGH waits, for the disk or for executors to be notified, connections
 * that have a group pending are not read. */
#define JOURNAL_HIGH ((size_t)8 << 20)
#define JOURNAL_LOW  ((size_t)2 << 20)

/* So many bytes wait, or no longer wait. */
void journal_space_add(struct journal *j, size_t bytes);
void journal_space_remove(struct journal *j, size_t bytes);
/* Notify the executors that wait. */
void journal_space_report(struct journal *j);

#endif
