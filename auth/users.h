/* The password file: one line a user, NAME:key=value:key=value...  (hash=, roles=a,b, id=, locked).
 * Every line has an id; empty lines and lines that begin with '#' are passed over.
 * A malformed line, a duplicate or a hash of a method that is not accepted is an error with its
 * line.  A loaded table is immutable and shared by reference. */
#ifndef AUTH_USERS_H
#define AUTH_USERS_H

#include "auth/identity.h"
#include "conf/errors.h"

#define USERS_FILE_MAX (16U << 20)

struct user {
	char *name;
	char *hash; /* crypt(5) string; NULL: never logs in by password */
	uint64_t entry_id;
	bool locked;
	char **roles;
	size_t role_count;
	unsigned line;
};

struct users;

/* What a user of the password file may be called: identity_name_valid, and no ':', which divides
 * the fields. */
bool users_name_valid(struct slice name, const char **why);

/* `path` NULL gives an empty table. NULL when there are errors. Checks the mode
 * (conf_check_private). */
struct users *users_load(const char *path, struct errors *errors);
struct users *users_parse(const char *name, struct slice bytes, struct errors *errors);
struct users *users_ref(struct users *users);
void users_unref(struct users **users);
size_t users_count(const struct users *users);
const struct user *users_find(const struct users *users,
                              struct slice name);                     /* NULL: no such user */
const struct user *users_at(const struct users *users, size_t index); /* in file order */
uint64_t
user_credential(const struct user *user); /* digest of the hash: changes with the password */

/* For broker-passwd. Append the entry's line, newline and all. */
void user_format(const struct user *user, struct buf *out);
/* What a role may be called: 1..256 bytes, UTF-8, no blank, ',' ':' or control character. */
bool users_role_valid(struct slice role);

#endif
