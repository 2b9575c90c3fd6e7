/* A journal for tests that holds each group until the test releases it. */
#ifndef TESTS_SUPPORT_HELD_JOURNAL_H
#define TESTS_SUPPORT_HELD_JOURNAL_H

#include "journal/journal.h"

struct journal *journal_held_new(void);
size_t journal_held_count(const struct journal *j);
/* Sends the notifications of the index-th held group, and its completion. */
void journal_held_release(struct journal *j, size_t index, int status);

#endif
