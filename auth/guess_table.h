/* Who guesses: pairs of a user and the address that logs in as this user.  All names that no user
 * has are one pair of each address.  A pair is known while it has requests, and afterwards as long
 * as there is something to remember: wrong passwords.  An address is known while it has pairs, and
 * when somebody has logged in from it.  Both are bounded; what has been quiet longest is forgotten
 * first, delayed pairs later than others.  No threads and no clock here: the caller has the lock
 * and passes the time.  Inside auth/ only. */
#ifndef AUTH_GUESS_TABLE_H
#define AUTH_GUESS_TABLE_H

#include "auth/guess_count.h"
#include "auth/hash_request.h"
#include "auth/wrong_passwords.h"
#include "base/hash.h"
#include "base/log.h"

/* Remembered without a request. */
#define GUESS_PAIRS_MAX            16384
#define GUESS_PAIRS_OF_ADDRESS_MAX 256
#define GUESS_SOURCES_KNOWN_MAX    4096
/* Of quiet; all wrong passwords are given back long before. */
#define GUESS_FORGOTTEN_MS UINT64_C(7200000)

struct guess_pair;

struct guess_source {
	char *address;
	size_t address_len;
	bool is_known;            /* somebody has logged in from it */
	size_t pair_count, busy;  /* its pairs, and those of them with requests */
	struct guess_pair *quiet; /* its other ones; the longest quiet first */
	/* The queue's: pairs with waiting requests, and when the next hash of a delayed one may
	 * begin. */
	struct guess_pair *turns;
	uint64_t shared_from_ms;
	struct log_limit report_limit;    /* lines of the log about its wrong passwords */
	struct guess_source *prev, *next; /* in turns */
	struct guess_source *known_prev, *known_next; /* without pairs */
	UT_hash_handle hh;
};

struct guess_pair_key {
	struct guess_source *source;
	uint64_t user; /* 0: nobody */
};

struct guess_pair {
	struct guess_pair_key key;
	char *user; /* NULL: all names that no user has */
	struct guess_count count;
	struct wrong_passwords tried;
	uint64_t touched_ms;
	bool is_quiet;
	/* The queue's. */
	bool is_known; /* it has logged in before; while it waits */
	uint64_t not_before_ms;
	struct hash_request *waiting;               /* oldest first */
	uint32_t waiting_count, looked_up, hashing; /* looked_up: of those who wait */
	uint32_t open;                  /* requests whose password is counted and has no answer */
	bool has_learnt;                /* one of those who wait may be known to be wrong by now */
	struct guess_pair *prev, *next; /* in the turns of the source */
	struct guess_pair *quiet_prev, *quiet_next; /* of all */
	struct guess_pair *own_prev, *own_next;     /* of the source */
	UT_hash_handle hh;
};

/* Zero-initialised. */
struct guess_table {
	struct guess_source *sources; /* by address */
	struct guess_pair *pairs;     /* by key */
	struct guess_pair *quiet;     /* without requests; the longest quiet first */
	size_t quiet_count;
	struct guess_source *known; /* without pairs; the longest quiet first */
	size_t known_count;
};

void guess_table_fini(struct guess_table *t); /* no requests may be left */
/* The pair of this request; NULL: there is nothing to know. What is due is given back. */
struct guess_pair *guess_table_find(struct guess_table *t, const struct hash_request *q,
                                    uint64_t now_ms);
/* The same, or a new one. It is not quiet any more: guess_table_settle. */
struct guess_pair *guess_table_use(struct guess_table *t, const struct hash_request *q,
                                   uint64_t now_ms);
/* Its last request may have gone. It may be freed. */
void guess_table_settle(struct guess_table *t, struct guess_pair *p, uint64_t now_ms);
bool guess_table_is_known(struct guess_table *t, struct slice address);
/* Somebody has logged in from there. */
void guess_table_know(struct guess_table *t, struct slice address);

#endif
