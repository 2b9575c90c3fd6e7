/* The simulation's authenticator in place of the real one: no thread and no hash. Questions wait
 * until the world answers one of them, in any order. A password is correct if it equals the salt
 * of the stored hash: $6$SALT$... */
#include "authenticator.h"

#include <stdlib.h>

#include <utlist.h>

#include "base/alloc.h"
#include "base/latency.h"

struct authenticator {
	struct hash_request *waiting; /* utlist LL */
	unsigned failure_ms;
	bool stopping;
};

unsigned authenticator_threads(unsigned workers)
{
	return workers;
}

struct authenticator *authenticator_new(unsigned workers)
{
	struct authenticator *a = xnew(a);

	(void)workers;
	return a;
}

void authenticator_set_failure_ms(struct authenticator *a, unsigned ms)
{
	a->failure_ms = ms;
}

static bool is_right(const struct hash_request *q)
{
	const char *salt = q->hash == NULL ? NULL : q->hash + sizeof("$6$") - 1;
	size_t len = salt == NULL ? 0 : strcspn(salt, "$");

	return salt != NULL &&
	       slice_equal(slice_of(q->password, q->password_len), slice_of(salt, len));
}

static void answer(struct hash_request *q, bool accepted)
{
	q->accepted = accepted;
	executor_send(q->executor, &q->task);
}

size_t authenticator_waiting(const struct authenticator *a)
{
	const struct hash_request *q;
	size_t count;

	LL_COUNT(a->waiting, q, count);
	return count;
}

/* Its hashes take no time. */
const _Atomic uint64_t *authenticator_hash_cells(const struct authenticator *a)
{
	static const _Atomic uint64_t none[LATENCY_CELLS];

	(void)a;
	return none;
}

void authenticator_answer(struct authenticator *a, size_t index)
{
	struct hash_request *q = a->waiting;

	while (index-- > 0)
		q = q->next;
	LL_DELETE(a->waiting, q);
	q->refuse_at_ms = q->executor->now_ms + a->failure_ms;
	answer(q, is_right(q));
}

void authenticator_stop(struct authenticator *a)
{
	struct hash_request *q, *next;

	a->stopping = true;
	LL_FOREACH_SAFE (a->waiting, q, next) {
		LL_DELETE(a->waiting, q);
		answer(q, false);
	}
}

void authenticator_free(struct authenticator *a)
{
	free(a);
}

bool authenticator_submit(struct authenticator *a, struct hash_request *q)
{
	if (a->stopping) {
		answer(q, false);
	} else if (q->proof != HASH_PROOF_NONE) {
		q->accepted = q->proof == HASH_PROOF_RIGHT;
		return true;
	} else {
		LL_APPEND(a->waiting, q);
	}
	return false;
}

/* A question whose hash has begun is answered all the same. */
void authenticator_cancel(struct authenticator *a, struct hash_request *q)
{
	(void)a;
	(void)q;
}

void authenticator_use(struct authenticator *a, const struct password_file *users)
{
	(void)a;
	(void)users;
}

void authenticator_visit_delays(struct authenticator *a, login_delay_fn *fn, void *arg)
{
	(void)a;
	(void)fn;
	(void)arg;
}

size_t authenticator_forgive(struct authenticator *a, struct slice user, struct slice address)
{
	(void)a;
	(void)user;
	(void)address;
	return 0;
}
