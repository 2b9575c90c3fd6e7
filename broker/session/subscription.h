/* A session's subscriptions, and how they stand in the shared tree.  Thread: the session's worker.
 */
#ifndef SESSION_SUBSCRIPTION_H
#define SESSION_SUBSCRIPTION_H

#include "session/session.h"

/* Where somebody who goes through the live subscribers of a filter has stopped for a while: it
 * moves on when that one leaves. Those who join meanwhile come before the others, and are not met.
 */
struct subscriber_cursor {
	struct subscriber_cursor *prev, *next; /* among those of the worker */
	const struct subscription *at;         /* NULL: the end was reached */
};

/* The first of the live subscribers of this filter at this worker; NULL: the last one has left. */
const struct subscription *subscription_first(const struct worker *w, uint64_t filter_id);
void subscription_rest(struct worker *w, struct subscriber_cursor *cursor,
                       const struct subscription *at);
/* Where it is to go on. */
const struct subscription *subscription_resume(struct worker *w, struct subscriber_cursor *cursor);
/* Does a live subscription of this session match the topic? */
bool subscription_matches(const struct session *s, struct slice topic);

struct subscription *subscription_find(struct session *s, struct slice filter);
/* What a filter takes: itself, and its levels in the shared tree. */
size_t subscription_cost(struct slice filter);
/* What a subscription takes of memory, where nobody else has the same filter. */
size_t subscription_memory(struct slice filter);
/* Subscribe, or replace. *is_new says which. The filter is valid and permitted. */
struct subscription *subscription_put(struct session *s, struct slice filter,
                                      const struct subscription_options *options, uint32_t id,
                                      bool *is_new);
/* One that was kept. */
void subscription_restore(struct session *s, uint64_t number, struct slice filter,
                          const struct subscription_options *options, uint32_t id);
void subscription_remove(struct subscription *sub);
void subscriptions_online(struct session *s, bool online); /* its $share groups learn it */
/* It gets no messages while it is not in the tree. It is away. */
void subscriptions_leave_tree(struct session *s);
void subscriptions_enter_tree(struct session *s);
/* All of them, as far as *steps go. False: there are more. */
bool subscriptions_free(struct session *s, size_t *steps);

#endif
