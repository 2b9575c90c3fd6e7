/* The password file: one line a user, NAME:key=value:key=value...  (hash=, scram=, pins=,
 * roles=a,b, id=, locked, assumed). Every line has an id; empty lines and lines that begin with '#'
 * are ignored. A malformed line, a duplicate or a hash of a method that is not accepted is an error
 * with its line.  A loaded table is immutable and shared by reference.  Thread: any. */
#ifndef AUTH_PASSWORD_FILE_H
#define AUTH_PASSWORD_FILE_H

#include "auth/identity.h"
#include "auth/key_pins.h"
#include "auth/scram.h"
#include "conf/errors.h"

#define PASSWORD_FILE_MAX (16U << 20)

struct password_entry {
	char *name;
	char *hash;                   /* crypt(5) string; NULL: never logs in by password */
	struct scram_verifier *scram; /* NULL: never logs in by SCRAM */
	struct key_pins pins;
	uint64_t entry_id;
	uint64_t credential; /* of a loaded table; 0: password_file_credential makes it */
	bool locked;
	bool assumed; /* only for assume_user: neither hash nor verifier nor pins */
	char **roles;
	size_t role_count;
	unsigned line;
};

struct password_file;

/* What a user of the password file may be called: identity_name_valid, and no ':', which separates
 * the fields. */
bool password_file_name_valid(struct slice name, const char **why);

/* NULL when there are errors. A file that others may read, or that is not to be trusted
 * (program/trust.h), is an error. */
struct password_file *password_file_load(const char *path, struct errors *errors);
struct password_file *password_file_parse(const char *name, struct slice bytes,
                                          struct errors *errors);
struct password_file *password_file_ref(struct password_file *users);
void password_file_unref(struct password_file **users);
size_t password_file_count(const struct password_file *users);
const struct password_entry *password_file_find(const struct password_file *users,
                                                struct slice name); /* NULL: no such user */
const struct password_entry *password_file_at(const struct password_file *users,
                                              size_t index); /* in file order */
/* A digest of hash and verifier: changes with the password. 0: there is neither. */
uint64_t password_file_credential(const struct password_entry *user);

/* What SCRAM shows to a user of that name: the user's own verifier. Where there is no such user, or
 * none with a verifier, a decoy that matches no password: iterations and salt length of some
 * verifier in the file, and a salt, chosen by the name and by the id of the first user in the file.
 * So it is the same after restarts and reloads (when verifiers of another form come or go: for
 * nearly all names), and only a reader of the file can tell it from a real one. False: the file has
 * no verifier, SCRAM is not offered. */
bool password_file_scram(const struct password_file *users, struct slice name,
                         struct scram_verifier *out);
bool password_file_has_scram(const struct password_file *users);

/* For broker-passwd. Append the entry's line, newline and all. */
void password_file_format(const struct password_entry *user, struct buf *out);
/* What a role may be called: 1..256 bytes, UTF-8, no blank, ',' ':' or control character. */
bool password_file_role_valid(struct slice role);

#endif
