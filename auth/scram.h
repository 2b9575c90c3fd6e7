/* SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, without channel binding: the messages, and
 * the verifier that the password file has in place of the password.  A login costs four HMACs and a
 * hash here, whatever the iteration count: that work is done by the client, and by broker-passwd.
 * (Written by hand: libgsasl would take over the messages only, not verifiers and decoys, and would
 * bring a second implementation of the cryptography.)
 *
 * Of SASLprep only this is applied: names and passwords are UTF-8 without control characters.
 * Nothing is normalised, so a password beyond ASCII works if the client encodes it as broker-passwd
 * got it.
 *
 * Pure, except that decoys and nonces use base/random.  Thread: the caller's. */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/scram_text.h"

#define SCRAM_METHOD SLICE("SCRAM-SHA-256")

#define SCRAM_MESSAGE_MAX        2048 /* longer ones are refused */
#define SCRAM_ITERATIONS_DEFAULT 15000
#define SCRAM_SALT_MIN           8
#define SCRAM_SALT_MAX           32
#define SCRAM_SALT_DEFAULT       16
#define SCRAM_NONCE              24 /* characters of our half: 144 random bits */

struct scram_verifier {
	uint32_t iterations;
	uint8_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[32];
	uint8_t server_key[32];
};

/* "SHA-256$ITERATIONS$SALT$STORED-KEY$SERVER-KEY", the last three in base64: no ':' in it. Parse
 * takes only what format would write. */
bool scram_verifier_parse(struct slice text, struct scram_verifier *out);
void scram_verifier_format(const struct scram_verifier *v, struct buf *out);
/* Why no verifier can be made of this password. NULL: one can. */
const char *scram_password_refused(struct slice password);
/* From iterations, salt and salt_len, which are set. Slow on purpose: for tools, never on a loop.
 */
void scram_verifier_derive(struct scram_verifier *v, struct slice password);
/* The same, and the key that the client proves to have; the caller wipes it. */
void scram_keys_derive(struct scram_verifier *v, struct slice password, uint8_t client_key[32]);
/* What a user without a verifier is shown: the form of `like`, a salt that depends on name and key,
 * and keys that match no password. */
void scram_verifier_decoy(const struct scram_verifier *like, struct slice key, struct slice user,
                          struct scram_verifier *out);

/* One exchange; zero-initialised, then client_first, server_first, client_final in this order. */
struct scram {
	struct buf user;    /* the name, decoded */
	struct buf binding; /* what c= must say */
	struct buf nonce;   /* the client's, then both */
	struct buf text;    /* AuthMessage, as far as it goes */
	struct scram_verifier verifier;
};

void scram_fini(struct scram *s); /* wipes the verifier */

/* NULL, or what is wrong with the message. The text depends on the message alone, so it may be sent
 * to the client. */
const char *scram_client_first(struct scram *s, struct slice message);
void scram_nonce(char out[SCRAM_NONCE]);
/* Append the server's answer. Takes a copy of the verifier. */
void scram_server_first(struct scram *s, const struct scram_verifier *verifier, struct slice nonce,
                        struct buf *out);
/* As client_first. *right: the client knows the password; then the server's proof that it knows the
 * verifier is appended to `out`. */
const char *scram_client_final(struct scram *s, struct slice message, bool *right, struct buf *out);

#endif
