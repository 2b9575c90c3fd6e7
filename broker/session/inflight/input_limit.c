/* Counters of what a connection owes. */
#include "session/inflight/input_limit.h"

#include "worker/shared.h"

#define OTHERS_MAX 64

static uint32_t *counter_of(struct client_link *link, enum packet_type type)
{
	bool publish = type == PACKET_PUBACK || type == PACKET_PUBREC || type == PACKET_PUBCOMP;

	return publish ? &link->limit.publishes : &link->limit.others;
}

void input_limit_add(struct client_link *link, enum packet_type type)
{
	(*counter_of(link, type))++;
}

void input_limit_remove(struct client_link *link, enum packet_type type)
{
	uint32_t *counter = counter_of(link, type);

	REQUIRE(*counter > 0);
	(*counter)--;
}

void input_limit_note_journal(struct client_link *link)
{
	REQUIRE_OWNER(link);
	if (journal_is_full(link->worker->shared->journal))
		link->limit.journal_full = true;
}

uint32_t input_limit_owed(const struct client_link *link)
{
	const struct input_limit *l = &link->limit;

	return l->publishes + l->others + l->pings + l->deferred;
}

/* A 5.0 client that stays within the Receive Maximum never exceeds it; for 3.1.1 there is no such
 * property.
 */
bool input_limit_publishes_reached(const struct client_link *link, uint32_t more)
{
	uint32_t owed = link->limit.publishes + link->limit.deferred;
	uint32_t max = client_link_limits(link)->receive_maximum;

	if (link->version != MQTT_5_0)
		more = 1;
	/* mutant: input_limit_publishes */
	return owed + more > max || link->limit.many_deferred;
}

bool input_limit_others_reached(const struct client_link *link)
{
	/* mutant: input_limit_others, input_limit_pings */
	return link->limit.others + link->limit.pings >= OTHERS_MAX || link->limit.journal_full;
}

bool input_limit_is_reached(const struct client_link *link)
{
	return input_limit_others_reached(link) || input_limit_publishes_reached(link, 0);
}
