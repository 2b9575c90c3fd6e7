/* The password file: whatever the bytes are, it is a table or errors, never both; and a table
 * written out again is the same table. */
#include <stdlib.h>

#include "auth/password_file.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(const struct password_file *users, struct buf *out)
{
	for (size_t i = 0; i < password_file_count(users); i++)
		password_file_format(password_file_at(users, i), out);
}

static void check_round_trip(const struct password_file *users)
{
	struct errors errors = {0};
	struct buf once = {0}, twice = {0};
	struct password_file *again;

	write_all(users, &once);
	again = password_file_parse("again", buf_slice(&once), &errors);
	REQUIRE(again != NULL && errors.count == 0);
	REQUIRE(password_file_count(again) == password_file_count(users));
	write_all(again, &twice);
	REQUIRE(slice_equal(buf_slice(&once), buf_slice(&twice)));
	for (size_t i = 0; i < password_file_count(users); i++) {
		const struct password_entry *u = password_file_at(users, i);
		const struct password_entry *found =
		    password_file_find(again, slice_of_str(u->name));
		const char *why;

		REQUIRE(found != NULL && found->entry_id == u->entry_id && u->entry_id != 0);
		REQUIRE(password_file_credential(found) == password_file_credential(u));
		REQUIRE(key_pins_equal(&found->pins, &u->pins));
		REQUIRE(identity_name_valid(slice_of_str(u->name), &why));
	}
	password_file_unref(&again);
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = {0};
	struct password_file *users = password_file_parse("fuzz", slice_of(data, size), &errors);

	REQUIRE((users == NULL) == (errors.error_count > 0));
	if (users != NULL)
		check_round_trip(users);
	else
		free(errors_text(&errors));
	password_file_unref(&users);
	errors_fini(&errors);
	return 0;
}
