/* What a publication has besides topic and payload, and what must reach its subscribers unaltered:
 * payload format, content type, response topic, correlation data, User Properties in their order.
 * [MQTT5-3.3.2-4, -15, -16, -17, -18] */
#ifndef SIM_EXTRAS_H
#define SIM_EXTRAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct extras {
	struct buf users, others[4]; /* as text; of the others each comes once at the most */
};

/* A block of properties, in any order; nothing where seed is 0. */
void extras_draw(struct buf *out, uint32_t seed);
/* Take the property `id` from r; false: it is none of these. */
bool extras_take(struct extras *e, uint32_t id, struct reader *r);
/* All of it as text, which is the caller's to free, and *e is empty again. */
char *extras_text(struct extras *e);
/* What a subscriber has to see of extras_draw's block. */
char *extras_expected(uint32_t seed);

#endif
