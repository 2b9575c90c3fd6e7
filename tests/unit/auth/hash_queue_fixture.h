/* Logins that are asked for, and what becomes of them.  Time is a number that the tests set. */
#ifndef AUTH_HASH_QUEUE_FIXTURE_H
#define AUTH_HASH_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/hash_queue.h"

#define A SLICE("192.0.2.1")
#define B SLICE("192.0.2.2")
#define C SLICE("192.0.2.3")

#define MINUTE UINT64_C(60000)

/* A login that is asked for. The number of its password is its digest. */
struct asked {
	struct hash_request q;
	char user[24];
};

void fill(struct asked *a, struct slice address, const char *user, unsigned password);
bool finish(struct hash_queue *queue, struct hash_request *q, enum hash_queue_outcome outcome,
            uint64_t now_ms);
/* It is in no cache. */
enum hash_queue_place ask(struct hash_queue *queue, struct asked *a, uint64_t now_ms);
enum hash_queue_place ask_for(struct hash_queue *queue, struct asked *a, struct slice address,
                              const char *user, unsigned password, uint64_t now_ms);
struct hash_request *take(struct hash_queue *queue, uint64_t now_ms);
uint64_t wait_of_next(struct hash_queue *queue, uint64_t now_ms);
/* One login from its question to its answer, which must be possible now. True: it began the delay.
 */
bool try(struct hash_queue *queue, struct slice address, const char *user, unsigned password,
         enum hash_queue_outcome outcome, uint64_t now_ms);
void fail_often(struct hash_queue *queue, struct slice address, const char *user, unsigned times,
                uint64_t now_ms);
/* Ten wrong passwords. */
void make_delayed(struct hash_queue *queue, struct slice address, const char *user,
                  uint64_t now_ms);
/* How long the next login of this pair waits. */
uint64_t delay_now(struct hash_queue *queue, struct slice address, const char *user,
                   uint64_t now_ms);
void assert_empty(struct hash_queue *queue);

#endif
