/* Properties of a publication that must reach its subscribers unchanged: payload format, content
 * type, response topic, correlation data, User Properties in their order. [MQTT5-3.3.2-4, -15,
 * -16, -17, -18] */
#ifndef SIM_EXTRAS_H
#define SIM_EXTRAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct extras {
	struct buf users, others[4]; /* as text; each of the others occurs at most once */
};

/* A block of properties, in any order; empty if seed is 0. */
void extras_draw(struct buf *out, uint32_t seed);
/* Take the property `id` from r. False if it is none of these. */
bool extras_take(struct extras *e, uint32_t id, struct reader *r);
/* All of it as text, which the caller frees, and *e is empty again. */
char *extras_text(struct extras *e);
/* What a subscriber must see of the block of extras_draw. */
char *extras_expected(uint32_t seed);

#endif
