/* The password file: whatever the bytes are, it is a table or errors, never both; and a table
 * written out again is the same table. */
#include <stdlib.h>

#include "auth/password_file.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(const struct users *users, struct buf *out)
{
	for (size_t i = 0; i < users_count(users); i++)
		user_format(users_at(users, i), out);
}

static void check_round_trip(const struct users *users)
{
	struct errors errors = {0};
	struct buf once = {0}, twice = {0};
	struct users *again;

	write_all(users, &once);
	again = users_parse("again", buf_slice(&once), &errors);
	REQUIRE(again != NULL && errors.count == 0);
	REQUIRE(users_count(again) == users_count(users));
	write_all(again, &twice);
	REQUIRE(slice_equal(buf_slice(&once), buf_slice(&twice)));
	for (size_t i = 0; i < users_count(users); i++) {
		const struct user *u = users_at(users, i);
		const struct user *found = users_find(again, slice_of_str(u->name));
		const char *why;

		REQUIRE(found != NULL && found->entry_id == u->entry_id && u->entry_id != 0);
		REQUIRE(user_credential(found) == user_credential(u));
		REQUIRE(identity_name_valid(slice_of_str(u->name), &why));
	}
	users_unref(&again);
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = {0};
	struct users *users = users_parse("fuzz", slice_of(data, size), &errors);

	REQUIRE((users == NULL) == (errors.error_count > 0));
	if (users != NULL)
		check_round_trip(users);
	else
		free(errors_text(&errors));
	users_unref(&users);
	errors_fini(&errors);
	return 0;
}
