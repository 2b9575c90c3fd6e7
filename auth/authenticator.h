/* Password checks off the event loops: one or two hashing threads, a queue that serves source
 * addresses in turn, a delay for addresses that guess, and a cache of recent successes.  There is
 * one for the process.  Thread: any executor submits; the answer is a task to that executor. */
#ifndef AUTH_AUTHENTICATOR_H
#define AUTH_AUTHENTICATOR_H

#include "auth/hash_request.h"

struct authenticator;
struct password_file;

/* With 1 or 2 threads. NULL: no thread could be started. */
struct authenticator *authenticator_new(unsigned threads);
/* Stop and join the threads. Requests without an answer are refused, and so is each one that is
 * submitted later. */
void authenticator_stop(struct authenticator *a);
void authenticator_free(struct authenticator *a);

/* The file whose users log in from now on, NULL: none. A failed login takes as long as its slowest
 * hash does, which is measured before the next request is answered. Any thread. */
void authenticator_use(struct authenticator *a, const struct password_file *file);

/* True: answered at once from the cache (accepted), no task follows. False: a task follows, always
 * exactly one. A password over 256 bytes or with a NUL is refused after a dummy hash. A success is
 * sent when it is known. Each failure is sent the same time after its hash began and occupies the
 * thread until then, so that the time of the answer, and of the answers after it, does not reveal
 * what was hashed. */
bool authenticator_submit(struct authenticator *a, struct hash_request *q);
/* The client has gone. A hash that has not begun is skipped. The task still follows. */
void authenticator_cancel(struct authenticator *a, struct hash_request *q);

/* For a check that is cheap enough for a loop (SCRAM), and whose outcome is known: may this address
 * get its answer now? False: it failed before, ask again in *wait_ms. Any thread. */
bool authenticator_pass(struct authenticator *a, struct slice address, bool accepted,
                        uint64_t *wait_ms);
/* The answer that it got. A failure delays the next answers to this address, also for passwords; a
 * success cancels the failures of the same user name there, and no others. */
void authenticator_note(struct authenticator *a, struct slice address, struct slice user,
                        bool accepted);

#endif
