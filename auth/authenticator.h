/* Password checks off the loops: one or two hashing threads, a queue that serves source addresses
 * in turn, a delay for addresses that guess, and a cache of recent successes. One
 * authenticator for the process. Thread: any executor submits; the answer is a task to that
 * executor. */
#ifndef AUTH_AUTHENTICATOR_H
#define AUTH_AUTHENTICATOR_H

#include "auth/hash_request.h"

struct authenticator;
struct password_file;

/* threads: 1 or 2. NULL where no thread could be started. */
struct authenticator *authenticator_new(unsigned threads);
/* Stop and join the threads; questions not answered by then are sent back as not accepted, and so
 * is every one submitted later. */
void authenticator_stop(struct authenticator *a);
void authenticator_free(struct authenticator *a);

/* The file whose users log in from now on, NULL: none. A failed login takes as long as its slowest
 * hash does, which is measured before the next request is answered. Any thread. */
void authenticator_use(struct authenticator *a, const struct password_file *file);

/* True: answered at once from the cache (q->accepted is true), no post follows. False: a task
 * follows, always exactly one. A password over 256 bytes or with a NUL is hashed as the dummy and
 * refused. A success is sent when it is known; all failures equally long after their hash began,
 * and until then they keep the thread, so that neither the answer nor those of others behind it
 * tell what was hashed. */
bool authenticator_submit(struct authenticator *a, struct hash_request *q);
/* The peer has gone: where the hash has not begun, it is left out and the answer (no) is sent
 * soon. The task still comes. */
void authenticator_cancel(struct authenticator *a, struct hash_request *q);

/* For a check that is cheap enough for a loop (SCRAM), and whose outcome is known already: may this
 * address be told now? False: ask again in *wait_ms, for it has guessed wrong before. Any thread.
 */
bool authenticator_pass(struct authenticator *a, struct slice address, bool accepted,
                        uint64_t *wait_ms);
/* What it was told. A failure delays what this address asks next, by password too; a success
 * forgives the failures of the same user name there, and no others. */
void authenticator_note(struct authenticator *a, struct slice address, struct slice user,
                        bool accepted);

#endif
