/* One password to be checked: what the hashing threads get, and their answer.  Lives in an object
 * of whoever asks, which stays until the answer.  Thread: the asker's, except between submit and
 * answer. */
#ifndef AUTH_HASH_REQUEST_H
#define AUTH_HASH_REQUEST_H

#include "base/bytes.h"
#include "base/executor.h"

struct guess_pair;

/* What is to be checked. */
enum hash_proof {
	HASH_PROOF_NONE, /* the password, by its hash */
	/* Nothing: the asker has compared by itself (SCRAM), and waits where somebody guesses. */
	HASH_PROOF_RIGHT,
	HASH_PROOF_WRONG,
};

struct hash_request {
	/* The answer arrives by this task: set task.run; it runs on `executor`. */
	struct task task;
	struct executor *executor;
	/* What names the source address (stream_peer_key_text), also in the log and for the
	 * administrator. Borrowed until it is submitted; then the queue's, while it has the
	 * request. */
	struct slice address;
	enum hash_proof proof;
	/* There is a user of this name, even if it cannot log in. */
	bool exists;
	/* The user has a session that is kept for this client: it is hardly somebody who guesses.
	 */
	bool has_session;

	/* Copies, set by hash_request_fill. */
	char *user;
	/* NULL where nobody can log in (unknown, locked, no hash): a dummy of the slowest kind is
	 * hashed, and the answer is no. */
	char *hash;
	uint8_t *password; /* wiped after use */
	size_t password_len;

	/* The answer. */
	bool accepted;
	/* It was not checked: too many logins of this user wait at this address, where somebody
	 * guesses. */
	bool is_refused_busy;
	/* When a failure is to be reported, also one that the asker finds where accepted. 0: at
	 * once. */
	uint64_t refuse_at_ms;

	/* The authenticator's own. */
	struct hash_request *prev, *next;
	struct guess_pair *pair; /* while it waits or is hashed */
	bool is_waiting;
	bool is_looked_up;  /* in the cache of successes, before it had to wait */
	bool is_counted;    /* as a wrong password, until its answer */
	uint8_t digest[32]; /* for the caches */
};

/* The copies. `hash` NULL: nobody, as above. An empty password never logs in. */
void hash_request_fill(struct hash_request *r, struct slice user, const char *hash,
                       struct slice password);
void hash_request_wipe_password(struct hash_request *r);
void hash_request_fini(struct hash_request *r); /* wipes and frees the copies */

#endif
