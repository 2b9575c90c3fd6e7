/* Records of sessions in the journal: the first byte chooses the kind.  What is decoded is encoded
 * again to the same bytes. */
#include <stdint.h>

#include "base/require.h"
#include "durability/record_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One that is not in the table below does not compile. */
#define VALUE(name, holds, members)                                                                \
	static bool name(struct slice bytes, struct buf *out)                                      \
	{                                                                                          \
		struct name##_record k;                                                            \
                                                                                                   \
		return record_read_##name(bytes, &k) && (record_put_##name(out, &k), true);        \
	}
#include "durability/record_values.def"

static bool subscription(struct slice bytes, struct buf *out)
{
	struct subscription_record k;

	return record_read_subscription(bytes, &k) && (record_put_subscription(out, &k), true);
}

static bool way(struct slice bytes, struct buf *out)
{
	struct delivery_record k;

	if (!record_read_delivery(bytes, &k))
		return false;
	REQUIRE(k.tried_count <= RECORD_TRIED_MAX &&
	        subscription_ids_count(&k.ids) <= bytes.len / 4);
	record_put_delivery(out, &k);
	subscription_ids_fini(&k.ids);
	return true;
}

static bool retained(struct slice bytes, struct buf *out)
{
	struct retained_record k;

	return record_read_retained(bytes, &k) && (record_put_retained(out, &k), true);
}

typedef bool again_fn(struct slice bytes, struct buf *out);

static again_fn *const kinds[] = {session,  subscription, way,    inflight,
                                  retained, will,         replay, user_id};

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
