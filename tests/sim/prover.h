/* The client's side of SCRAM-SHA-256, written from RFC 5802 and RFC 7677; and the verifier that
 * belongs to a password, as it stands in the password file. */
#ifndef SIM_PROVER_H
#define SIM_PROVER_H

#include "base/bytes.h"

/* One exchange. */
struct prover;

/* password NULL: the proof will be wrong. Borrowed are neither. */
struct prover *prover_new(const char *user, const char *password, uint64_t nonce);
void prover_free(struct prover *s);

/* Append the first message. */
void prover_first(const struct prover *s, struct buf *out);
/* Append the last one. False: this is no challenge of ours. */
bool prover_final(struct prover *s, struct slice challenge, struct buf *out);
/* Does the broker know the verifier? */
bool prover_is_proven(const struct prover *s, struct slice server_final);

/* Append what stands behind scram= in the file. */
void prover_verifier(const char *user, const char *password, struct buf *out);

#endif
