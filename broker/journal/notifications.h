/* Notifications of stored queue records: one task for each executor (journal_queued_fn). */
#ifndef JOURNAL_NOTIFICATIONS_H
#define JOURNAL_NOTIFICATIONS_H

#include "journal/journal_types.h"

struct notifications;
/* Add what became of the queue records of `g`. */
void notifications_add(struct notifications **list, struct journal *j, struct journal_group *g);
void notifications_send(struct notifications **list); /* all; the list is empty again */

/* --- on the executor that got them, until they are done (journal_on_notified) --- */

/* The next one. False: that was the last, and they are freed. */
bool notifications_next(struct notifications *n, void *executor_arg);
/* Those that are left are dropped. */
void notifications_free(struct notifications *n);

#endif
