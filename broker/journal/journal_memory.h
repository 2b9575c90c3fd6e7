/* The journal without persistence: it stores nothing, and groups complete at once. */
#ifndef JOURNAL_JOURNAL_MEMORY_H
#define JOURNAL_JOURNAL_MEMORY_H

#include "journal/journal.h"

struct journal *journal_memory_new(void);

/* --- for the tests' journal that holds its groups --- */

/* All of the group counts as stored: notify the owners of its queue records, and complete it. */
void journal_memory_settle(struct journal *j, struct journal_group *g, int status);
void journal_memory_read(struct journal *j, struct journal_page *page); /* there is nothing */

#endif
