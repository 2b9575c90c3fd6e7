/* Users whose ids are gone from the identity source while their names remain: what belongs to them
 * is set aside until the ids come back or an administrator gives it up (worker/user_ids.h says what
 * becomes of each id).  The store has what is known of each id, so that a crash at any point leaves
 * one state or the next.  Thread: main's, unless it says otherwise. */
#ifndef SERVER_SET_ASIDE_H
#define SERVER_SET_ASIDE_H

#include "worker/shared.h"

/* A row of the store. False: it is to be removed. */
bool set_aside_load(struct shared *shared, struct slice value);
/* A stored session of this user was loaded, or a value that it wrote: stores of older formats have
 * no rows of users. */
void set_aside_load_user(struct shared *shared, uint64_t id, struct slice name);

/* Decide what becomes of each id, write it down, and give it to the snapshot, which no worker has
 * yet (or none that runs). `executor`: the current one. */
void set_aside_begin(struct shared *shared, struct executor *executor,
                     struct config_snapshot *snapshot);
/* All workers have it. Ids of which nothing is left are forgotten. */
void set_aside_finish(struct shared *shared, struct executor *executor);
/* What is set aside is to be deleted, all of it or what has reached its limit. The caller lets a
 * snapshot follow. False: there is nothing. */
bool set_aside_delete(struct shared *shared, struct executor *executor, bool all);

/* Delete retained values of ids that are being deleted, in steps. True: there is more. */
struct set_aside_deletion {
	struct identity *user; /* whose values are looked for; NULL: the next one's */
	size_t at;
	uint64_t deleted;
};
bool set_aside_delete_values(struct shared *shared, struct executor *executor,
                             struct set_aside_deletion *d);
void set_aside_deletion_fini(struct set_aside_deletion *d);

/* In how many milliseconds the next limit is reached; UINT64_MAX: never. */
uint64_t set_aside_next_limit_ms(const struct shared *shared, const struct executor *executor);
/* A line of the log, if something is set aside. */
void set_aside_log(struct shared *shared);
/* Does this user's data still belong to somebody, or is it set aside? */
bool set_aside_has(const struct shared *shared, struct slice user_key);

#endif
