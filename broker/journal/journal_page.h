/* Pages of a session's queue (struct journal_page). */
#ifndef JOURNAL_JOURNAL_PAGE_H
#define JOURNAL_JOURNAL_PAGE_H

#include "journal/journal_types.h"

void journal_page_fini(struct journal_page *page); /* items and their messages */

/* For the implementations: answer with nothing read. status 0: because there is nothing. */
void journal_page_answer_empty(struct journal_page *page, struct journal *j, int status);

#endif
