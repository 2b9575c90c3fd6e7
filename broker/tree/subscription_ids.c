/* One identifier in place, several in a shared list. */
#include "tree/subscription_ids.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

static struct subscription_ids_list *list_resize(struct subscription_ids_list *list, uint32_t cap)
{
	list = xrealloc(list, sizeof(*list) + cap * sizeof(list->ids[0]));
	list->cap = cap;
	return list;
}

static struct subscription_ids_list *list_of(uint32_t first)
{
	struct subscription_ids_list *list = list_resize(NULL, 4);

	atomic_init(&list->refs, 1);
	list->count = 1;
	list->ids[0] = first;
	return list;
}

/* [MQTT5-3.3.4-4] */
void subscription_ids_add(struct subscription_ids *s, uint32_t id)
{
	if (id == 0)
		return;
	if (s->list == NULL && s->one == 0) {
		s->one = id;
		return;
	}
	if (s->list == NULL)
		s->list = list_of(s->one);
	REQUIRE(s->list->refs == 1); /* one that is shared does not grow */
	if (s->list->count == s->list->cap)
		s->list = list_resize(s->list, s->list->cap * 2);
	s->list->ids[s->list->count++] = id;
}

struct subscription_ids subscription_ids_ref(const struct subscription_ids *s)
{
	if (s->list != NULL)
		atomic_fetch_add_explicit(&s->list->refs, 1, memory_order_relaxed);
	return *s;
}

void subscription_ids_fini(struct subscription_ids *s)
{
	if (s->list != NULL &&
	    atomic_fetch_sub_explicit(&s->list->refs, 1, memory_order_acq_rel) == 1)
		free(s->list);
	*s = (struct subscription_ids){0};
}
