/* One hash of each kind, times the users who have it. */
#include "auth/login_cost.h"

#include <string.h>

#include "auth/pace.h"
#include "auth/password.h"
#include "auth/password_file.h"
#include "base/clock.h"

/* Fewer do not wait long for each other, whatever their hashes cost. */
#define USERS_MIN 16

struct hash_kind {
	const char *hash; /* one of them; borrowed */
	size_t users;
};

static struct hash_kind *find_kind(struct hash_kind *kinds, size_t count, const char *hash)
{
	size_t len = password_kind_len(hash);

	for (size_t i = 0; i < count; i++) {
		if (password_kind_len(kinds[i].hash) == len &&
		    strncmp(kinds[i].hash, hash, len) == 0)
			return &kinds[i];
	}
	return NULL;
}

static uint64_t time_of_hash_ns(const char *hash)
{
	uint64_t begin_ns = clock_monotonic_ns();

	(void)password_check(NULL, SLICE_EMPTY, hash);
	return clock_monotonic_ns() - begin_ns;
}

/* The shorter of two: other programs may have had the processor. */
static uint64_t measure_ns(const char *hash)
{
	uint64_t first_ns = time_of_hash_ns(hash), second_ns = time_of_hash_ns(hash);

	return first_ns < second_ns ? first_ns : second_ns;
}

/* Users of more kinds than a file has are not counted. */
static size_t count_kinds(const struct password_file *file, struct hash_kind *kinds, size_t *users)
{
	size_t count = 0;

	for (size_t i = 0; i < password_file_count(file); i++) {
		const struct password_entry *user = password_file_at(file, i);
		struct hash_kind *kind;

		if (user->hash == NULL || user->locked)
			continue;
		kind = find_kind(kinds, count, user->hash);
		if (kind == NULL && count < PACE_KINDS_MAX) {
			kind = &kinds[count++];
			*kind = (struct hash_kind){.hash = user->hash};
		}
		if (kind != NULL) {
			kind->users++;
			++*users;
		}
	}
	return count;
}

void login_cost_measure(const struct password_file *file, struct login_cost *out)
{
	struct hash_kind kinds[PACE_KINDS_MAX];
	uint64_t all_ns = 0, slowest_ns = 0;
	size_t users = 0, count = count_kinds(file, kinds, &users);

	*out = (struct login_cost){0};
	if (users < USERS_MIN)
		return;
	for (size_t i = 0; i < count; i++) {
		uint64_t took_ns = measure_ns(kinds[i].hash);

		all_ns += took_ns * kinds[i].users;
		if (took_ns > slowest_ns)
			slowest_ns = took_ns;
	}
	*out = (struct login_cost){
	    .users = users, .all_ms = all_ns / 1000000, .slowest_ms = slowest_ns / 1000000};
}
