/* What sessions' executors are told of stored queue records: one task for each executor. */
#ifndef JOURNAL_NOTIFICATIONS_H
#define JOURNAL_NOTIFICATIONS_H

#include "journal/journal_types.h"

struct notifications;
/* Put down what the queue records of `g` became. */
void notifications_add(struct notifications **list, struct journal *j, struct journal_group *g);
void notifications_send(struct notifications **list); /* all; the list is empty again */

#endif
