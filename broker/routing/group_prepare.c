/* See group_prepare.h. */
#include "routing/group_prepare.h"

#include "durability/durability.h"
#include "durability/record_batch.h"
#include "journal/journal_group.h"

/* A publisher's message does not overtake an earlier one of its own that waits for the disk. D3 */
enum conf_durability group_durability(const struct worker *w, const struct publish_job *job)
{
	enum conf_durability durability;

	REQUIRE_EXECUTOR(&w->executor);
	if (!durability_is_on(w) || msg_is_of_broker(job->msg))
		return DURABILITY_NONE;
	if (job->ends_will)
		return DURABILITY_ACK;
	durability = durability_of_topic(w, msg_topic(job->msg));
	/* mutant: late_overtakes */
	if (durability == DURABILITY_INTERVAL && job->session != NULL &&
	    job->session->groups_pending > 0)
		return DURABILITY_ACK;
	return durability;
}

void group_prepare_forget(struct prepared_group *p)
{
	journal_group_free(p->group);
	*p = (struct prepared_group){0};
}

/* Waiting for the disk is never wrong, so what began with it ends with it. */
static bool still_fits(const struct prepared_group *p, enum conf_durability durability)
{
	return p->group != NULL &&
	       (p->durability == durability ||
	        (p->durability == DURABILITY_ACK && durability == DURABILITY_INTERVAL));
}

bool group_prepare(struct worker *w, const struct publish_job *job, struct prepared_group *p,
                   uint64_t until)
{
	enum conf_durability durability = group_durability(w, job);

	if (!still_fits(p, durability)) {
		journal_group_free(p->group);
		p->group = NULL;
		p->done = 0;
	}
	if (durability == DURABILITY_NONE || job->msg->qos == 0)
		return true;
	if (p->group == NULL) {
		p->group = journal_group_new(NULL, NULL);
		p->durability = durability;
	}
	for (; p->done < p->item_count; p->done++) {
		const struct target_item *item = &p->items[p->done];

		/* mutant: group_in_one_turn */
		if (w->work >= until)
			return false;
		w->work++;
		if (item->durable && item->qos > 0)
			record_batch_queue(w, p->group, item, job->msg,
			                   p->durability == DURABILITY_ACK);
	}
	return true;
}
