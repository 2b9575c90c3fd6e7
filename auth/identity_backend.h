/* What a kind of identity source provides.  To add one: a file with such a table, and its
 * row in conf/identity_sources.def.  Only auth/ and tests include this.  Thread: any; done runs on
 * the executor of the check. */
#ifndef AUTH_IDENTITY_BACKEND_H
#define AUTH_IDENTITY_BACKEND_H

#include "auth/authenticator.h"
#include "auth/identity.h"
#include "auth/login_cost.h"
#include "auth/scram.h"
#include "conf/conf.h"
#include "conf/errors.h"

/* One password to be checked. */
struct identity_check {
	struct executor *executor;
	void (*done)(struct identity_check *check);
	/* The three are borrowed until `check` returns. The address is text. */
	struct slice address;
	struct slice user;
	struct slice password;
	/* Refused in any case: it only has to take as long as that of a user. */
	bool is_nobody;
	/* A session is kept for this client and user. */
	bool has_session;

	/* The answer. */
	bool accepted;
	bool is_refused_busy; /* it was not checked; see struct hash_request */
	/* When a failure is to be reported, also one that the caller finds where accepted. 0: at
	 * once. */
	uint64_t refuse_at_ms;

	/* The source's own, while the check is under way. */
	void *state;
};

struct identity_backend {
	/* What users log in with, for the list of listeners. */
	const char *means;
	/* Why no user can have a URI as name; NULL: one can. */
	const char *uri_name_refused;

	/* NULL when there are errors. What is loaded is immutable. */
	void *(*load)(const char *path, struct errors *errors);
	void (*free)(void *data);
	/* What is known of users now. A source that asks elsewhere answers from what it knows. */
	size_t (*count)(const void *data);
	void (*at)(const void *data, size_t index, struct identity_entry *out);
	bool (*find)(const void *data, struct slice name, struct identity_entry *out);
	/* True: answered at once. False: `done` follows, always exactly once. */
	bool (*check)(const void *data, struct authenticator *a, struct identity_check *check);
	/* The client has gone. `done` still follows. */
	void (*cancel)(struct authenticator *a, struct identity_check *check);

	/* What SCRAM shows to a user of this name, be there one or not. False: nobody has a
	 * verifier. NULL: no SCRAM. */
	bool (*scram)(const void *data, struct slice name, struct scram_verifier *out);
	bool (*has_scram)(const void *data);
	/* The source is in force from now on. NULL: nothing to do. */
	void (*use)(const void *data, struct authenticator *a);
	/* How long it takes to log in everybody once. NULL: no time of ours. */
	void (*login_cost)(const void *data, struct login_cost *out);
	/* Append the command that adds this user, or unlocks it. NULL: there is none. */
	void (*put_advice)(const char *path, const char *name, bool unlock, struct buf *out);
};

/* Each is defined in its own file. */
#define IDENTITY_SOURCE(key, backend, help) extern const struct identity_backend backend;
#include "conf/identity_sources.def"
#undef IDENTITY_SOURCE

struct identity_source {
	_Atomic uint32_t refs;
	/* NULL: no source is configured. */
	const struct identity_backend *backend;
	void *data;
	char *path;
};

#endif
