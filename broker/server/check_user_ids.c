/* Adds up what user_inventory.h finds. */
#include "server/check_user_ids.h"

#include <inttypes.h>

#include "durability/user_inventory.h"

void check_user_ids(const struct config_snapshot *snapshot, struct errors *errors)
{
	const char *directory = snapshot->conf->persistence_directory;
	struct user_inventory_row sum = {.sessions = 0};
	char text[STORE_ERROR_TEXT] = "";
	struct user_inventory *v = user_inventory_read(directory, snapshot->identities, text);

	if (v == NULL) {
		errors_add(errors, directory, 0, 0, "persistence.directory: %s", text);
		return;
	}
	for (size_t i = 0; i < user_inventory_count(v); i++) {
		const struct user_inventory_row *row = user_inventory_at(v, i);

		sum.sessions += row->sessions;
		sum.messages += row->messages;
		sum.retained += row->retained;
	}
	/* mutant: check_counts_set_aside */
	if (user_inventory_count(v) > 0)
		errors_warn(errors, identity_source_path(snapshot->identities), 0, 0,
		            "%zu ids that the store knows are gone, and their users have other "
		            "ids now: %" PRIu64 " sessions with %" PRIu64 " messages and %" PRIu64
		            " retained messages are set aside, and nobody gets them; %s",
		            user_inventory_count(v), sum.sessions, sum.messages, sum.retained,
		            SET_ASIDE_REMEDY);
	user_inventory_free(v);
}
