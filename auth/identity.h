/* Who a client is, after its login.  Immutable, shared by reference.  Thread: any. */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/key_pins.h"
#include "base/bytes.h"

enum identity_kind {
	IDENTITY_ANONYMOUS,
	IDENTITY_PASSWORD,    /* by an entry of the identity source */
	IDENTITY_CERTIFICATE, /* named by a client certificate */
	IDENTITY_PEER,        /* named by peer_users of a Unix socket */
	IDENTITY_ASSUMED,     /* came without login, and is the assume_user of its listener */
};

struct identity {
	_Atomic uint32_t refs;
	enum identity_kind kind;
	uint64_t entry_id; /* of the identity source; 0: it has none */
	struct slice name; /* empty for anonymous */
	/* Equal keys are the same user: entry and name where the identity source has an entry (a
	 * user of the same name who is made later differs), the name alone for a certificate or a
	 * peer without an entry, one key for all anonymous clients. Opaque bytes, stable over
	 * restarts. */
	struct slice key;
	/* A digest of the password that was used, to see at a reload whether it changed. */
	uint64_t credential;
};

/* What an identity source knows of one user.  Borrowed from the source. */
struct identity_entry {
	const char *name;
	/* Of this entry: a user of the same name who is made later has another. */
	uint64_t id;
	/* A digest that changes with the password. */
	uint64_t credential;
	bool has_password;
	bool has_scram;
	bool locked;
	/* It is only for assume_user: it never logs in. */
	bool assumed;
	/* Which keys of certificates count; borrowed. */
	struct key_pins pins;
	char *const *roles;
	size_t role_count;
	/* Of the source's file. 0: it has no lines. */
	unsigned line;
};

/* The same roles in the same order? */
bool identity_roles_equal(char *const *a, size_t a_count, char *const *b, size_t b_count);

struct identity *identity_new(enum identity_kind kind, struct slice name, uint64_t entry_id,
                              uint64_t credential);
struct identity *identity_ref(struct identity *id);
void identity_unref(struct identity **id); /* NULL is fine; *id becomes NULL */

/* Did it come without any login? What anonymous clients may not, it may not either. */
static inline bool identity_has_no_login(const struct identity *id)
{
	return id->kind == IDENTITY_ANONYMOUS || id->kind == IDENTITY_ASSUMED;
}

/* The name inside a key; empty: anonymous. */
struct slice identity_key_name(struct slice key);
/* The id of the entry inside a key; 0: there is none. */
uint64_t identity_key_entry_id(struct slice key);

/* What a user may be called: 1..256 bytes, UTF-8, none of / + # and no control characters, no
 * leading '$'; and no leading '#' (a comment of the password file). False: *why says what is
 * wrong. */
bool identity_name_valid(struct slice name, const char **why);

#endif
