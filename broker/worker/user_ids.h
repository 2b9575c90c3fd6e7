/* The ids that users of the identity source have or had, and what becomes of what belongs to them.
 *
 * Where an id is gone and its name has another one, somebody has written the source anew: what
 * belongs to the old id is set aside, for nobody, until an administrator decides. If the source
 * has the old id again it is restored, and the ids that came after it are merged into it. Where the
 * name is gone, too, the user was removed, and nothing is known of it any more.
 *
 * Immutable once it is shared; by reference.  Thread: any; made on main. */
#ifndef WORKER_USER_IDS_H
#define WORKER_USER_IDS_H

#include "auth/identity_source.h"

/* After so long what was set aside is deleted, unless it is the first of its name. */
#define USER_IDS_SET_ASIDE_MS ((uint64_t)24 * 3600 * 1000)

/* For the log and for broker-ctl. */
#define SET_ASIDE_REMEDY                                                                           \
	"give the users their former ids again with 'broker-passwd FILE restore-ids --socket "     \
	"PATH', or delete what was set aside with 'broker-ctl accept-new-ids'"

/* The numbers are in the store. */
enum user_id_state {
	USER_ID_PRESENT = 0,   /* the identity source has it */
	USER_ID_SET_ASIDE = 1, /* its name has another id */
	USER_ID_MERGED = 2,    /* the same; what it has belongs to another id */
	USER_ID_DELETED = 3,   /* what it has is being deleted */
	USER_ID_STATES,
};

struct user_id {
	uint64_t id;
	enum user_id_state state;
	bool has_limit;       /* set aside, and not the first of its name */
	uint64_t since_ms;    /* store time, of being set aside */
	uint64_t merged_into; /* an id of the same name */
	struct slice name;    /* owned by the user_ids that it is in */
};

struct user_ids;

struct user_ids *user_ids_new(void); /* none */
struct user_ids *user_ids_ref(struct user_ids *ids);
void user_ids_unref(struct user_ids **ids); /* NULL is fine */
/* Only while it is not shared: a row that is there is replaced. */
void user_ids_put(struct user_ids *ids, const struct user_id *row);

size_t user_ids_count(const struct user_ids *ids);
const struct user_id *user_ids_at(const struct user_ids *ids, size_t index); /* by id and name */
/* NULL: nothing is known of it; `ids` may be NULL. */
const struct user_id *user_ids_find(const struct user_ids *ids, uint64_t id, struct slice name);
const struct user_id *user_ids_find_key(const struct user_ids *ids, struct slice user_key);
/* The key of this row; for the row that it is merged into: of that. */
struct identity *user_ids_identity(const struct user_id *row);
struct identity *user_ids_merged_into(const struct user_id *row);

/* What is known after `source` was taken over, at that store time. */
struct user_ids *user_ids_next(const struct user_ids *before, const struct identity_source *source,
                               uint64_t now_ms);
/* What is set aside is to be deleted: all of it, or only what has reached its limit. */
struct user_ids *user_ids_delete(const struct user_ids *before, bool all, uint64_t now_ms);
/* Without the rows of which `drops` says so. */
typedef bool user_ids_drop_fn(void *arg, const struct user_id *row);
struct user_ids *user_ids_without(const struct user_ids *before, user_ids_drop_fn *drops,
                                  void *arg);

/* When the next limit is reached: store time; UINT64_MAX: never. */
uint64_t user_ids_next_limit(const struct user_ids *ids);
size_t user_ids_count_state(const struct user_ids *ids, enum user_id_state state);

/* Each row that is new or different in `after`, and each that is not there any more. */
typedef void user_ids_diff_fn(void *arg, const struct user_id *row, bool is_gone);
void user_ids_diff(const struct user_ids *before, const struct user_ids *after,
                   user_ids_diff_fn *fn, void *arg);

/* May the user with this key write now?  What was written by an id that is merged into another
 * counts as written by that one. */
bool user_ids_may_write(const struct user_ids *ids, const struct identity_source *source,
                        struct slice name, struct slice user_key);

#endif
