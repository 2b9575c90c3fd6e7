/* A hash takes its CPU time, always the same, and the time it waits for a CPU.  The shortest time
 * seen says which kind is slowest; the longest of late, how long to wait.  A machine that was
 * suspended must not make failures take that long: the wait has a bound. */
#include "auth/pace.h"

#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/require.h"

#define MOST_FACTOR 4
#define FALL        32 /* a part of the difference, with each hash that takes less */

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct pace_kind *find_kind(struct pace *p, const char *hash)
{
	size_t len = password_kind_len(hash);

	for (size_t i = 0; i < p->count; i++) {
		struct pace_kind *k = &p->kinds[i];

		if (password_kind_len(k->hash) == len && strncmp(k->hash, hash, len) == 0)
			return k;
	}
	return NULL;
}

static void kind_free(struct pace_kind *k)
{
	free(k->hash);
	*k = (struct pace_kind){0};
}

void pace_fini(struct pace *p)
{
	for (size_t i = 0; i < p->count; i++)
		kind_free(&p->kinds[i]);
	p->count = 0;
}

void pace_begin(struct pace *p)
{
	for (size_t i = 0; i < p->count; i++)
		p->kinds[i].in_use = false;
}

/* A slot for a new kind. NULL: all are in use. */
static struct pace_kind *take_slot(struct pace *p)
{
	REQUIRE(p->count <= PACE_KINDS_MAX);
	if (p->count < PACE_KINDS_MAX)
		return &p->kinds[p->count++];
	for (size_t i = 0; i < p->count; i++) {
		struct pace_kind *k = &p->kinds[i];

		if (!k->in_use && !k->being_measured) {
			kind_free(k);
			return k;
		}
	}
	return NULL;
}

void pace_add(struct pace *p, const char *hash)
{
	struct pace_kind *k = find_kind(p, hash);

	if (k == NULL && (k = take_slot(p)) != NULL)
		*k = (struct pace_kind){.hash = xstrdup(hash), .least_ns = UINT64_MAX};
	if (k != NULL)
		k->in_use = true;
}

static bool is_missing(const struct pace_kind *k)
{
	return k->in_use && k->least_ns == UINT64_MAX;
}

char *pace_take(struct pace *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct pace_kind *k = &p->kinds[i];

		if (is_missing(k) && !k->being_measured) {
			k->being_measured = true;
			return xstrdup(k->hash);
		}
	}
	return NULL;
}

bool pace_is_known(const struct pace *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (is_missing(&p->kinds[i]))
			return false;
	}
	return true;
}

static const struct pace_kind *slowest(const struct pace *p)
{
	const struct pace_kind *found = NULL;

	for (size_t i = 0; i < p->count; i++) {
		const struct pace_kind *k = &p->kinds[i];

		if (k->in_use && k->least_ns != UINT64_MAX &&
		    (found == NULL || k->least_ns > found->least_ns))
			found = k;
	}
	return found;
}

char *pace_slowest(const struct pace *p)
{
	const struct pace_kind *k = slowest(p);

	return k == NULL ? NULL : xstrdup(k->hash);
}

void pace_learn(struct pace *p, const char *hash, uint64_t took_ns)
{
	struct pace_kind *k = hash == NULL ? NULL : find_kind(p, hash);

	if (k != NULL)
		k->least_ns = min_of(k->least_ns, took_ns);
	if (took_ns >= p->lately_ns)
		p->lately_ns = took_ns;
	else if (k != NULL && k == slowest(p))
		p->lately_ns -= (p->lately_ns - took_ns) / FALL;
}

void pace_measured(struct pace *p, const char *hash, uint64_t took_ns)
{
	struct pace_kind *k = find_kind(p, hash);

	if (k != NULL) /* the password file may have changed meanwhile */
		k->being_measured = false;
	pace_learn(p, hash, took_ns);
}

uint64_t pace_failure_ns(const struct pace *p)
{
	const struct pace_kind *k = slowest(p);
	uint64_t most;

	if (k == NULL)
		return 0;
	most = p->lately_ns < k->least_ns ? k->least_ns
	                                  : min_of(p->lately_ns, k->least_ns * MOST_FACTOR);
	return most + most / 4;
}
