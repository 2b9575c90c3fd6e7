/* How long a failed login takes, for whatever reason: as long as the slowest hash in the password
 * file takes on this machine now.  Hashes that cost the same are of one kind: same method, same
 * cost parameters.  Each kind is measured before it is needed, and each later hash corrects the
 * measurement.  No clock and no threads here: the caller's lock.  Inside auth/ only. */
#ifndef AUTH_PACE_H
#define AUTH_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_KINDS_MAX 32 /* more than a file has; others are learned in use */

struct pace_kind {
	char *hash;        /* one of this kind: it serves as the setting of a dummy */
	uint64_t least_ns; /* UINT64_MAX: not measured */
	bool in_use;       /* in the newest password file */
	bool being_measured;
};

struct pace {
	struct pace_kind kinds[PACE_KINDS_MAX];
	size_t count;
	uint64_t lately_ns; /* how long the slowest kind takes at times; falls slowly */
};

void pace_fini(struct pace *p);

/* A password file: pace_begin, then each of its hashes. */
void pace_begin(struct pace *p);
void pace_add(struct pace *p, const char *hash);

/* A hash whose kind must be measured, for pace_measured; NULL: there is none. The caller frees. */
char *pace_take(struct pace *p);
void pace_measured(struct pace *p, const char *hash, uint64_t took_ns);
/* Are all kinds known that are in use? */
bool pace_is_known(const struct pace *p);

/* A copy of a hash of the slowest kind, for dummies; NULL: the file has no hashes. The caller
 * frees. */
char *pace_slowest(const struct pace *p);
/* A login that hashed by `hash` took so long. */
void pace_learn(struct pace *p, const char *hash, uint64_t took_ns);
/* From the start of the hash to the answer of a failed login. Somewhat more than the slowest kind
 * takes at times, so that it is hardly ever late; at most five times its shortest time. */
uint64_t pace_failure_ns(const struct pace *p);

#endif
