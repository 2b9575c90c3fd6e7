/* limits.message_rate of those who publish over many short connections, as scripts do: a bucket for
 * each user, whatever connection and worker a request is on.  Few keys at a time, one lock.
 * Thread: any. */
#ifndef WORKER_MESSAGE_RATES_H
#define WORKER_MESSAGE_RATES_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/thread.h"

struct message_rate;

struct message_rates {
	struct mutex lock;
	struct message_rate *by_key; /* of those who sent something lately */
	struct message_rate *looked; /* the same, as a list: looked at in turn, utlist DL */
};

void message_rates_init(struct message_rates *t);
void message_rates_fini(struct message_rates *t);

/* One more message of this key. Returns for how long it has to wait; where that is more than
 * max_wait_ms, the message does not count. per_second: 1 to 1,000,000. */
uint64_t message_rates_spend(struct message_rates *t, struct slice key, uint32_t per_second,
                             uint64_t now_ms, uint64_t max_wait_ms);
/* Keys that are remembered. */
unsigned message_rates_count(struct message_rates *t);

#endif
