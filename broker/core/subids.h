/* The Subscription Identifiers that go with one message to one session: mostly none or one, all of
 * them where subscriptions overlap [MQTT5-3.3.4-3].  A value: copy with subids_ref, let go with
 * subids_fini.  Thread: any, one at a time per value. */
#ifndef CORE_SUBIDS_H
#define CORE_SUBIDS_H

#include <stddef.h>
#include <stdint.h>

struct subids_list {
	_Atomic uint32_t refs;
	uint32_t count, cap;
	uint32_t ids[];
};

/* Zero-initialised: none. */
struct subids {
	struct subids_list *list; /* where there are several */
	uint32_t one;             /* where there is one; 0: none */
};

/* Before it is shared. `id` 0 adds nothing. */
void subids_add(struct subids *s, uint32_t id);
struct subids subids_ref(const struct subids *s);
void subids_fini(struct subids *s);

static inline size_t subids_count(const struct subids *s)
{
	return s->list != NULL ? s->list->count : s->one != 0;
}

/* subids_count of them; borrowed from *s. */
static inline const uint32_t *subids_all(const struct subids *s)
{
	return s->list != NULL ? s->list->ids : &s->one;
}

#endif
