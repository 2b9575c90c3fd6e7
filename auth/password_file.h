/* The password file: one line a user, NAME:key=value:key=value...  (hash=, scram=, roles=a,b, id=,
 * locked). Every line has an id; empty lines and lines that begin with '#' are passed over.
 * A malformed line, a duplicate or a hash of a method that is not accepted is an error with its
 * line.  A loaded table is immutable and shared by reference. */
#ifndef AUTH_PASSWORD_FILE_H
#define AUTH_PASSWORD_FILE_H

#include "auth/identity.h"
#include "auth/scram.h"
#include "conf/errors.h"

#define USERS_FILE_MAX (16U << 20)

struct user {
	char *name;
	char *hash;                   /* crypt(5) string; NULL: never logs in by password */
	struct scram_verifier *scram; /* NULL: never logs in by SCRAM */
	uint64_t entry_id;
	uint64_t credential; /* of a loaded table; 0: user_credential makes it */
	bool locked;
	char **roles;
	size_t role_count;
	unsigned line;
};

struct users;

/* What a user of the password file may be called: identity_name_valid, and no ':', which divides
 * the fields. */
bool users_name_valid(struct slice name, const char **why);

/* `path` NULL gives an empty table. NULL when there are errors. One that others may read, or that
 * is not to be believed (base/trust.h), is an error. */
struct users *users_load(const char *path, struct errors *errors);
struct users *users_parse(const char *name, struct slice bytes, struct errors *errors);
struct users *users_ref(struct users *users);
void users_unref(struct users **users);
size_t users_count(const struct users *users);
const struct user *users_find(const struct users *users,
                              struct slice name);                     /* NULL: no such user */
const struct user *users_at(const struct users *users, size_t index); /* in file order */
/* A digest of hash and verifier: changes with the password. 0 where there is neither. */
uint64_t user_credential(const struct user *user);

/* What SCRAM shows to somebody of that name: the user's own verifier, or, where there is no such
 * user or none with a verifier, one that fits no password: with iterations and the length of the
 * salt of some verifier in the file, and a salt, that depend on the name and on the id of the first
 * user in the file. It is so the same over restarts and reloads (where verifiers of another form
 * come or go, for nearly all names), and only who may read the file can tell it from a true one.
 * False where the file has no verifier at all: then SCRAM is not offered. */
bool users_scram(const struct users *users, struct slice name, struct scram_verifier *out);
bool users_have_scram(const struct users *users);

/* For broker-passwd. Append the entry's line, newline and all. */
void user_format(const struct user *user, struct buf *out);
/* What a role may be called: 1..256 bytes, UTF-8, no blank, ',' ':' or control character. */
bool users_role_valid(struct slice role);

#endif
