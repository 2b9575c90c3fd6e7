/* A small table: the session whose last takeover is oldest makes place for a new one. */
#include "client/takeovers.h"

#include "base/require.h"

static bool goes_on(const struct takeovers_session *s, uint64_t now_ms)
{
	return s->count > 0 && now_ms - s->newest_ms <= TAKEOVERS_GAP_MS;
}

static struct takeovers_session *find_or_replace(struct takeovers *t, uint64_t hash)
{
	struct takeovers_session *oldest = &t->sessions[0];

	for (size_t i = 0; i < TAKEOVERS_WATCHED; i++) {
		struct takeovers_session *s = &t->sessions[i];

		if (s->count > 0 && s->hash == hash)
			return s;
		if (oldest->count > 0 && (s->count == 0 || s->newest_ms < oldest->newest_ms))
			oldest = s;
	}
	*oldest = (struct takeovers_session){.hash = hash};
	return oldest;
}

enum takeovers_finding takeovers_note(struct takeovers *t, uint64_t hash, bool moves,
                                      uint64_t now_ms)
{
	struct takeovers_session *s = find_or_replace(t, hash);

	/* mutant: takeovers_in_a_row */
	if (!goes_on(s, now_ms))
		s->count = s->moves = 0;
	REQUIRE(now_ms >= s->newest_ms);
	s->newest_ms = now_ms;
	s->count++;
	s->moves += moves;
	if (s->count < TAKEOVERS_MANY)
		return TAKEOVERS_FEW;
	/* mutant: takeovers_said_once */
	if (s->said && now_ms - s->said_ms < TAKEOVERS_SILENT_MS)
		return TAKEOVERS_GO_ON;
	s->said = true;
	s->said_ms = now_ms;
	return s->moves > s->count / 2 ? TAKEOVERS_TWO_CLIENTS : TAKEOVERS_ONE_ADDRESS;
}

static bool is_many(const struct takeovers_session *s, uint64_t now_ms)
{
	return s->count >= TAKEOVERS_MANY && goes_on(s, now_ms);
}

uint32_t takeovers_of(const struct takeovers *t, uint64_t hash, uint64_t now_ms)
{
	for (size_t i = 0; i < TAKEOVERS_WATCHED; i++) {
		const struct takeovers_session *s = &t->sessions[i];

		if (s->hash == hash && is_many(s, now_ms))
			return s->count;
	}
	return 0;
}

size_t takeovers_sessions(const struct takeovers *t, uint64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < TAKEOVERS_WATCHED; i++)
		count += is_many(&t->sessions[i], now_ms);
	return count;
}
