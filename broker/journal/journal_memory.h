/* The journal without persistence: it stores nothing, and groups complete at once. */
#ifndef JOURNAL_JOURNAL_MEMORY_H
#define JOURNAL_JOURNAL_MEMORY_H

#include "journal/journal.h"

struct journal *journal_memory_new(void);

#endif
