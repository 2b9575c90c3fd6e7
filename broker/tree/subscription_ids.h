/* The Subscription Identifiers that go with one message to one session: mostly none or one, all of
 * them where subscriptions overlap [MQTT5-3.3.4-3].  A value: copy with subscription_ids_ref,
 * release with subscription_ids_fini.  Thread: any, one at a time per value. */
#ifndef TREE_SUBSCRIPTION_IDS_H
#define TREE_SUBSCRIPTION_IDS_H

#include <stddef.h>
#include <stdint.h>

struct subscription_ids_list {
	_Atomic uint32_t refs;
	uint32_t count, cap;
	uint32_t ids[];
};

/* Zero-initialised: none. */
struct subscription_ids {
	struct subscription_ids_list *list; /* where there are several */
	uint32_t one;                       /* where there is one; 0: none */
};

/* Before it is shared. `id` 0 adds nothing. */
void subscription_ids_add(struct subscription_ids *s, uint32_t id);
struct subscription_ids subscription_ids_ref(const struct subscription_ids *s);
void subscription_ids_fini(struct subscription_ids *s);

static inline size_t subscription_ids_count(const struct subscription_ids *s)
{
	return s->list != NULL ? s->list->count : s->one != 0;
}

/* subscription_ids_count of them; borrowed from *s. */
static inline const uint32_t *subscription_ids_all(const struct subscription_ids *s)
{
	return s->list != NULL ? s->list->ids : &s->one;
}

#endif
