/* Password checks off the event loops: one to six hashing threads, a queue that serves source
 * addresses in turn, a delay where a user is guessed from an address, and caches of recent
 * successes and failures.  There is one for the process.  Thread: any executor submits; the answer
 * is a task to that executor. */
#ifndef AUTH_AUTHENTICATOR_H
#define AUTH_AUTHENTICATOR_H

#include <stdatomic.h>

#include "auth/hash_request.h"
#include "auth/login_delay.h"

struct authenticator;
struct password_file;

/* How many hash at a time: one with one worker, else two to six, half as many as workers. */
unsigned authenticator_threads(unsigned workers);
/* With so many threads. NULL: no thread could be started. */
struct authenticator *authenticator_new(unsigned workers);
/* Stop and join the threads. Requests without an answer are refused, and so is each one that is
 * submitted later. */
void authenticator_stop(struct authenticator *a);
void authenticator_free(struct authenticator *a);

/* The file whose users log in from now on, NULL: none. A failed login takes as long as its slowest
 * hash does, which is measured before the next request is answered. Any thread. */
void authenticator_use(struct authenticator *a, const struct password_file *file);

/* True: answered at once (accepted, refused or is_refused_busy), no task follows. False: a task
 * follows, always exactly one. A password over 256 bytes or with a NUL is refused after a dummy
 * hash. A success is sent when it is known. A failure is to be reported at refuse_at_ms: always the
 * same time after its hash began; and it occupies the thread until then, so that the time of the
 * answer, and of the answers after it, does not reveal what was hashed. A password that is known to
 * be wrong occupies nobody, and is reported after the same time. A proof (SCRAM) costs no hash, but
 * waits like a password where somebody guesses. */
bool authenticator_submit(struct authenticator *a, struct hash_request *q);
/* The client has gone. A hash that has not begun is skipped. The task still follows. */
void authenticator_cancel(struct authenticator *a, struct hash_request *q);

/* Under the lock of the authenticator. Any thread. */
void authenticator_visit_delays(struct authenticator *a, login_delay_fn *fn, void *arg);
/* Forget the wrong passwords of this user, from this address or, where it is empty, from all. How
 * many pairs were delayed. Any thread. */
size_t authenticator_forgive(struct authenticator *a, struct slice user, struct slice address);

/* Requests that have no answer yet. Any thread, without the lock. */
uint64_t authenticator_waiting(const struct authenticator *a);
/* How long hashes of passwords took, in milliseconds (base/latency.h). Any thread, the same. */
const _Atomic uint64_t *authenticator_hash_cells(const struct authenticator *a);

#endif
