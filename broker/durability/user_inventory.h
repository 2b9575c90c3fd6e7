/* What a store has for each user, read without a broker, and what a broker would set aside if it
 * took over this identity source.  Thread: any; blocks. */
#ifndef DURABILITY_USER_INVENTORY_H
#define DURABILITY_USER_INVENTORY_H

#include "store/store_verify.h"
#include "worker/user_ids.h"

struct user_inventory;

struct user_inventory_row {
	const struct user_id *user;
	uint64_t sessions, messages, retained;
};

/* NULL: *text says what is wrong. `directory`: of the store. */
struct user_inventory *user_inventory_read(const char *directory,
                                           const struct identity_source *source,
                                           char text[STORE_ERROR_TEXT]);
void user_inventory_free(struct user_inventory *inventory);
/* The ids for which something is set aside, or would be. */
size_t user_inventory_count(const struct user_inventory *inventory);
const struct user_inventory_row *user_inventory_at(const struct user_inventory *inventory,
                                                   size_t index);

#endif
