/* The client's side of SCRAM-SHA-256, written from RFC 5802 and RFC 7677; and the verifier of a
 * password, as the password file has it. */
#ifndef SIM_SCRAM_PEER_H
#define SIM_SCRAM_PEER_H

#include "base/bytes.h"

/* One exchange. */
struct scram_peer;

/* password NULL: the proof is wrong. Nothing is borrowed. */
struct scram_peer *scram_peer_new(const char *user, const char *password, uint64_t nonce);
void scram_peer_free(struct scram_peer *s);

/* Append the first message. */
void scram_peer_first(const struct scram_peer *s, struct buf *out);
/* Append the last message. False if this is no challenge for ours. */
bool scram_peer_final(struct scram_peer *s, struct slice challenge, struct buf *out);
/* Does the broker know the verifier? */
bool scram_peer_is_proven(const struct scram_peer *s, struct slice server_final);

/* Append the value of scram= in the password file. */
void scram_peer_verifier(const char *user, const char *password, struct buf *out);

#endif
