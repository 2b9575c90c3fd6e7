/* Password checks off the loops: one or two hashing threads, a queue that serves source addresses
 * in turn, a delay for addresses that guess, and a cache of recent successes. One
 * authenticator for the process. Thread: any executor submits; the answer is a task to that
 * executor. */
#ifndef AUTH_AUTHENTICATOR_H
#define AUTH_AUTHENTICATOR_H

#include "auth/password_file.h"
#include "base/executor.h"

struct authenticator;

/* One question. Lives in an object of the asker's that stays until the answer; may be cancelled. */
struct auth_question {
	struct task task; /* the answer: set post.run; runs on `home` with its argument */
	struct executor *executor;
	struct slice address; /* opaque bytes that name the source (IP address without port); copied
	                         at submit */
	/* set by auth_question_fill, freed by auth_question_fini */
	char *user; /* copied */
	char *hash; /* copied; NULL: nobody (unknown, locked, no hash): a dummy of the slowest kind
	               is hashed, the answer is no */
	uint8_t *password; /* copied, wiped after use */
	size_t password_len;
	bool accepted; /* the answer */
	/* When a failure is told; one that the asker finds, too, where accepted. 0: at once. */
	uint64_t refuse_at_ms;
	/* the authenticator's own */
	struct auth_question *next;
	struct auth_source *source;
	uint64_t user_key;
	uint8_t digest[32]; /* for the cache */
};

/* threads: 1 or 2. NULL where no thread could be started. */
struct authenticator *authenticator_new(unsigned threads);
/* Stop and join the threads; questions not answered by then are sent back as not accepted, and so
 * is every one submitted later. */
void authenticator_stop(struct authenticator *a);
void authenticator_free(struct authenticator *a);

/* The users of whom is asked from now on. A failed login takes as long as their slowest hash does,
 * which is measured before the next question is answered. Any thread. */
void authenticator_use(struct authenticator *a, const struct users *users);

/* `entry` NULL for nobody; of a locked one, or one without a hash, nothing is taken. An empty
 * password never logs in. */
void auth_question_fill(struct auth_question *q, struct slice user, const struct user *entry,
                        struct slice password);
void auth_question_fini(struct auth_question *q); /* wipes and frees the copies */

/* True: answered at once from the cache (q->accepted is true), no post follows. False: a task
 * follows, always exactly one. A password over 256 bytes or with a NUL is hashed as the dummy and
 * refused. A success is sent when it is known; all failures equally long after their hash began,
 * and until then they keep the thread, so that neither the answer nor those of others behind it
 * tell what was hashed. */
bool authenticator_submit(struct authenticator *a, struct auth_question *q);
/* The peer has gone: where the hash has not begun, it is left out and the answer (no) is sent
 * soon. The task still comes. */
void authenticator_cancel(struct authenticator *a, struct auth_question *q);

/* For a check that is cheap enough for a loop (SCRAM), and whose outcome is known already: may this
 * address be told now? False: ask again in *wait_ms, for it has guessed wrong before. Any thread.
 */
bool authenticator_pass(struct authenticator *a, struct slice address, bool accepted,
                        uint64_t *wait_ms);
/* What it was told. A failure delays what this address asks next, by password too; a success
 * forgives the failures of the same user name there, and no others. */
void authenticator_note(struct authenticator *a, struct slice address, struct slice user,
                        bool accepted);

/* Blocking; for tools: a new hash of the method ("yescrypt", "sha512crypt", "bcrypt"), NULL where
 * it is unknown, and for a password that could never log in (empty, over 256 bytes, over 72 with
 * bcrypt, with a NUL). The caller frees. */
char *password_hash(const char *method, struct slice password);
/* Blocking. False for a wrong password, and for every hash whose method is not accepted; then, as
 * for NULL, a dummy of the usual cost was hashed. */
bool password_verify(const char *hash, struct slice password);
/* Is this a crypt(5) string of an accepted method ($y$ $gy$ $7$ $2b$ $6$) that crypt_checksalt()
 * does not call bad? */
bool password_hash_acceptable(const char *hash);

#endif
