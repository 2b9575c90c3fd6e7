/* What the journal keeps of sessions: the first byte says what it is.  What is read is written
 * again as the same bytes. */
#include <stdint.h>

#include "base/check.h"
#include "core/kept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool session(struct slice bytes, struct buf *out)
{
	struct kept_session k;

	return kept_session_read(bytes, &k) && (kept_session_put(out, &k), true);
}

static bool subscription(struct slice bytes, struct buf *out)
{
	struct kept_subscription k;

	return kept_subscription_read(bytes, &k) && (kept_subscription_put(out, &k), true);
}

static bool way(struct slice bytes, struct buf *out)
{
	struct kept_way k;

	if (!kept_way_read(bytes, &k))
		return false;
	REQUIRE(k.tried_count <= KEPT_TRIED_MAX && subids_count(&k.ids) <= bytes.len / 4);
	kept_way_put(out, &k);
	subids_fini(&k.ids);
	return true;
}

static bool sent(struct slice bytes, struct buf *out)
{
	struct kept_sent k;

	return kept_sent_read(bytes, &k) && (kept_sent_put(out, &k), true);
}

static bool retained(struct slice bytes, struct buf *out)
{
	struct kept_retained k;

	return kept_retained_read(bytes, &k) && (kept_retained_put(out, &k), true);
}

static bool will(struct slice bytes, struct buf *out)
{
	struct kept_will k;

	return kept_will_read(bytes, &k) && (kept_will_put(out, &k), true);
}

static bool replay(struct slice bytes, struct buf *out)
{
	struct kept_replay k;

	return kept_replay_read(bytes, &k) && (kept_replay_put(out, &k), true);
}

typedef bool again_fn(struct slice bytes, struct buf *out);

static again_fn *const kinds[] = {session, subscription, way, sent, retained, will, replay};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size);
	struct buf out = {0};

	if (size == 0)
		return 0;
	bytes = slice_skip(bytes, 1);
	if (kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))](bytes, &out))
		REQUIRE(slice_equal(buf_slice(&out), bytes));
	buf_fini(&out);
	return 0;
}
