/* One password to be checked: what the hashing threads get, and their answer.  Lives in an object
 * of whoever asks, which stays until the answer.  Thread: the asker's, except between submit and
 * answer. */
#ifndef AUTH_HASH_REQUEST_H
#define AUTH_HASH_REQUEST_H

#include "base/bytes.h"
#include "base/executor.h"

struct auth_source;

struct hash_request {
	/* The answer arrives by this task: set task.run; it runs on `executor`. */
	struct task task;
	struct executor *executor;
	/* Opaque bytes that name the source address (IP address without port); copied at submit. */
	struct slice address;

	/* Copies, set by hash_request_fill. */
	char *user;
	/* NULL where nobody can log in (unknown, locked, no hash): a dummy of the slowest kind is
	 * hashed, and the answer is no. */
	char *hash;
	uint8_t *password; /* wiped after use */
	size_t password_len;

	/* The answer. */
	bool accepted;
	/* When a failure is reported, also one that the asker finds where accepted. 0: at once. */
	uint64_t refuse_at_ms;

	/* The authenticator's own. */
	struct hash_request *prev, *next;
	struct auth_source *source;
	uint64_t user_key;
	uint8_t digest[32]; /* for the cache */
};

/* `hash` NULL: nobody, as above. An empty password never logs in. */
void hash_request_fill(struct hash_request *r, struct slice user, const char *hash,
                       struct slice password);
void hash_request_wipe_password(struct hash_request *r);
void hash_request_fini(struct hash_request *r); /* wipes and frees the copies */

#endif
