/* A few taps behind one lock, which is taken only while one of them is open. */
#include "base/log_tap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "base/thread.h"

struct log_tap {
	char *who; /* NULL: everybody */
	size_t who_len;
	char *match;
	size_t match_len;
	struct buf lines;
	uint64_t lost;
	int level;
	bool is_open;
	bool payloads;
};

_Atomic int log_tap_level = -1;

static struct mutex lock = MUTEX_INITIALIZER(LOCK_LOG_TAP);
static struct log_tap taps[LOG_TAPS_MAX]; /* under the lock */

static void set_level(void)
{
	int level = -1;

	mutex_require(&lock);
	for (size_t i = 0; i < LOG_TAPS_MAX; i++) {
		if (taps[i].is_open && taps[i].level > level)
			level = taps[i].level;
	}
	atomic_store_explicit(&log_tap_level, level, memory_order_relaxed);
}

struct log_tap *log_tap_open(const struct log_tap_wish *wish)
{
	struct log_tap *found = NULL;

	mutex_lock(&lock);
	for (size_t i = 0; i < LOG_TAPS_MAX && found == NULL; i++) {
		if (!taps[i].is_open)
			found = &taps[i];
	}
	if (found != NULL) {
		*found =
		    (struct log_tap){.is_open = true,
		                     .level = wish->level,
		                     .who = wish->who.data == NULL ? NULL : slice_dup(wish->who),
		                     .who_len = wish->who.len,
		                     .match = slice_dup(wish->match),
		                     .match_len = wish->match.len,
		                     .payloads = wish->payloads};
		set_level();
	}
	mutex_unlock(&lock);
	return found;
}

void log_tap_close(struct log_tap *tap)
{
	if (tap == NULL)
		return;
	REQUIRE(tap->is_open);
	mutex_lock(&lock);
	free(tap->who);
	free(tap->match);
	buf_fini(&tap->lines);
	*tap = (struct log_tap){.is_open = false};
	set_level();
	mutex_unlock(&lock);
}

void log_tap_take(struct log_tap *tap, struct buf *out, uint64_t *lost)
{
	REQUIRE(tap->is_open);
	mutex_lock(&lock);
	buf_put_slice(out, buf_slice(&tap->lines));
	buf_clear(&tap->lines);
	*lost = tap->lost;
	tap->lost = 0;
	mutex_unlock(&lock);
}

/* --- what comes --- */

static bool is_about(const struct log_tap *tap, struct slice client_id, struct slice user)
{
	struct slice who = slice_of(tap->who, tap->who_len);

	/* mutant: tap_of_one_client */
	if (tap->who == NULL)
		return true;
	return slice_equal(who, client_id) || (user.len > 0 && slice_equal(who, user));
}

bool log_tap_wants(int level, struct slice client_id, struct slice user, bool payloads)
{
	bool wants = false;

	mutex_lock(&lock);
	for (size_t i = 0; i < LOG_TAPS_MAX && !wants; i++)
		wants = taps[i].is_open && level <= taps[i].level &&
		        (!payloads || taps[i].payloads) && is_about(&taps[i], client_id, user);
	mutex_unlock(&lock);
	return wants;
}

static bool has_match(const struct log_tap *tap, struct slice text)
{
	return tap->match_len == 0 ||
	       memmem(text.data, text.len, tap->match, tap->match_len) != NULL;
}

void log_tap_put(const struct log_tap_line *line)
{
	mutex_lock(&lock);
	for (size_t i = 0; i < LOG_TAPS_MAX; i++) {
		struct log_tap *tap = &taps[i];

		if (!tap->is_open || line->level > tap->level ||
		    (line->is_payload && !tap->payloads) ||
		    !is_about(tap, line->client_id, line->user) || !has_match(tap, line->text))
			continue;
		if (tap->lines.len + line->text.len > LOG_TAP_BYTES_MAX)
			tap->lost++;
		else
			buf_put_slice(&tap->lines, line->text);
	}
	mutex_unlock(&lock);
}
