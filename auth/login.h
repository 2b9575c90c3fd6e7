/* Which identity a CONNECT has.  A pure decision, no hashing: the table of cases is in the test. */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

#include "auth/identity_source.h"
#include "conf/conf.h"

/* What a connection presents. Slices are borrowed for the call. */
struct login {
	const struct conf_authentication *conf;
	struct identity_source *source;
	bool has_user_name;
	bool has_password;
	bool scram; /* the user name is that of SCRAM, which proves it in place of a password */
	struct slice user_name;
	struct slice password;
	struct slice client_id;
	bool assigned_client_id; /* by the broker: never the user's, for bind_client_id */
	bool has_certificate;    /* verified by TLS */
	/* What the certificate names by certificate_user; empty where it names nobody or more than
	 * one. */
	struct slice certificate_name;
	/* The pin of its key; false: it is not known (a proxy ended TLS). */
	bool has_certificate_key;
	uint8_t certificate_key[KEY_PIN_BYTES];
	bool certificate_required; /* client_certificates: required */
	/* The listener has peer_users: others than these log in. */
	bool has_peer_users;
	/* A session of this user is kept for this client id. */
	bool has_session;
	/* Whom peer_users names for the process at the Unix socket; empty: nobody. */
	struct slice peer_name;
	/* The listener's assume_user; empty: none. */
	struct slice assumed_name;
};

enum login_verdict {
	LOGIN_ACCEPTED,        /* *identity is a new reference */
	LOGIN_NEEDS_PROOF,     /* the source checks the password, or SCRAM proves it; *identity is
	                          who it will be if that succeeds (a new reference), NULL for
	                          nobody: go through with it, for the time it takes */
	LOGIN_BAD_CREDENTIALS, /* 0x86, 3.1.1 code 4: wrong, unknown, locked: all the same */
	LOGIN_BUSY,           /* 0x89, 3.1.1 code 3: not checked, too many wait; *why may be sent */
	LOGIN_NOT_AUTHORIZED, /* 0x87, 3.1.1 code 5: anonymous not allowed, certificate missing */
	LOGIN_BAD_CLIENT_ID,  /* 0x85, 3.1.1 code 2: bind_client_id; *why may be sent */
};

/* How a client logs in: whatever login_decide looks at first. */
enum login_method {
#define METHOD(id, name) LOGIN_BY_##id,
#include "auth/login_methods.def"
#undef METHOD
	LOGIN_METHODS
};

/* What becomes of logins, for who counts them. */
enum login_result { LOGIN_RESULT_ACCEPTED, LOGIN_RESULT_REFUSED, LOGIN_RESULT_BUSY, LOGIN_RESULTS };

/* Whose password login_decide wants to be proved, where it does: the name that the client sent, or
 * that of its certificate. */
struct slice login_user(const struct login *l);

enum login_method login_method(const struct login *l);
enum login_result login_result(enum login_verdict verdict);

/* The same words for every name. */
#define LOGIN_BUSY_CAUSE                                                                           \
	"many wrong passwords came from this address, and too many logins wait: try again later"

/* `why` is for the log only, never for the client, except with LOGIN_BAD_CLIENT_ID
 * and LOGIN_BUSY. */
enum login_verdict login_decide(const struct login *l, struct identity **identity,
                                const char **why);

/* Could this identity log in now, after a reload, with what its connection presented? `now` is what
 * login_decide would get; its user name and password are not read. False: removed, locked, new
 * password, anonymous switched off, a certificate that names another user now, ... `why` as
 * above. */
bool login_still_valid(const struct identity *id, const struct login *now, const char **why);

#endif
