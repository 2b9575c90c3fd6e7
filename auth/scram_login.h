/* SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, without channel binding: the server gets a
 * proof and not the password, and proves that it has the password's verifier.
 *
 * Of SASLprep as much as in scram.h.  Pure, except that the nonce comes from base/random.
 * Thread: the caller's. */
#ifndef AUTH_SCRAM_LOGIN_H
#define AUTH_SCRAM_LOGIN_H

#include "auth/scram.h"

enum scram_login_step {
	SCRAM_LOGIN_NEW,    /* nothing is sent */
	SCRAM_LOGIN_ASKED,  /* waits for server-first */
	SCRAM_LOGIN_PROVED, /* waits for server-final */
	SCRAM_LOGIN_DONE,   /* the server knows the verifier */
};

/* One exchange; zero-initialised, then first, final, check in this order. */
struct scram_login {
	struct buf nonce;      /* ours */
	struct buf text;       /* AuthMessage, as far as it goes */
	uint8_t signature[32]; /* what the server must show */
	enum scram_login_step step;
};

void scram_login_fini(struct scram_login *s);
/* Why nobody can log in with this user name. NULL: one can. */
const char *scram_login_user_refused(struct slice user);
/* Append client-first. `nonce`: SCRAM_NONCE characters of scram_nonce. */
void scram_login_first(struct scram_login *s, struct slice user, struct slice nonce,
                       struct buf *out);
/* The server's challenge. NULL, and client-final is appended to `out`; or what is wrong with it.
 * Slow on purpose: up to seconds where the server asks for SCRAM_ITERATIONS_MAX. */
const char *scram_login_final(struct scram_login *s, struct slice password,
                              struct slice server_first, struct buf *out);
/* The server's last message. NULL: it knows the verifier; or what is wrong. */
const char *scram_login_check(struct scram_login *s, struct slice server_final);

#endif
