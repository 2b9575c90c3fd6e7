/* One session that a message goes to.  Thread: any. */
#ifndef DURABILITY_DELIVERY_TARGET_H
#define DURABILITY_DELIVERY_TARGET_H

#include "durability/record_codec.h"
#include "tree/subscription_ids.h"

/* One session a message goes to, with what its subscriptions asked for, merged. */
struct target_item {
	uint64_t session_id;
	uint64_t group_id; /* ITEM_SHARE */
	uint64_t position; /* in the session's queue on disk, 0: not there */
	uint16_t executor;
	uint8_t qos;
	bool retain_as_published;
	bool durable;
	bool stored;                 /* it is in that queue already */
	struct subscription_ids ids; /* owned by the holder of the item: subscription_ids_ref where
	                                it is copied to stay */
	uint32_t tried_count;
	uint64_t tried[RECORD_TRIED_MAX]; /* members of the group that did not take it */
};

#endif
