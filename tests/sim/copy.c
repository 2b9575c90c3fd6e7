/* See copy.h. */
#include "copy.h"

#include "base/alloc.h"

struct copy *copy_of(struct actor *p, struct pub *pub)
{
	struct copy *copy;

	for (copy = pub->copies; copy != NULL; copy = copy->next) {
		if (copy->actor == p && copy->incarnation == p->incarnation)
			return copy;
	}
	copy = xnew(copy);
	copy->pub = pub;
	copy->settled_at = copy->settled_ms = NEVER;
	copy->actor = p;
	copy->incarnation = p->incarnation;
	copy->next = pub->copies;
	pub->copies = copy;
	return copy;
}

void copy_append(struct copy ***list, size_t *count, size_t *cap, struct copy *copy)
{
	if (*count == *cap) {
		*cap = *cap == 0 ? 16 : *cap * 2;
		*list = xrealloc_array(*list, *cap, sizeof(struct copy *));
	}
	(*list)[(*count)++] = copy;
}

unsigned copy_shared_times(const struct copy *copy)
{
	unsigned times = 0;

	for (unsigned i = 0; i < SHARE_NAMES; i++)
		times += copy->shared[i];
	return times;
}

unsigned copy_first_times(const struct copy *copy)
{
	return copy->live + copy->replays + copy->either + copy_shared_times(copy);
}

unsigned copy_routings(const struct pub *pub)
{
	return pub->qos == 2 && pub->durability == DURABILITY_ACK ? 1 : pub->transmissions;
}
