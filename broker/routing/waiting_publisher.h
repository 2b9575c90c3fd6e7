/* Whose message waits to be delivered here: its user pays for the memory meanwhile (all anonymous
 * clients are one), and it is not read.  Thread: the receivers' worker, unless it says otherwise.
 */
#ifndef ROUTING_WAITING_PUBLISHER_H
#define ROUTING_WAITING_PUBLISHER_H

#include "session/client_link.h"
#include "session/session.h"
#include "tree/msg.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* A member of what waits; zeros: none. */
struct waiting_publisher {
	uint64_t session_id;
	struct worker *worker; /* which does not read it meanwhile; NULL: none was asked to */
	struct charge charge;  /* payer NULL: the broker itself */
};

void waiting_publisher_begin(struct worker *w, struct waiting_publisher *p,
                             const struct origin *origin);
/* `worker` has it, and does not read it from now on; NULL: not known. Once is enough. */
void waiting_publisher_hold(struct worker *w, struct waiting_publisher *p, struct worker *worker);
/* What waits takes so much memory now. */
void waiting_publisher_count(struct worker *w, struct waiting_publisher *p, uint64_t bytes);
/* Nothing waits any more. */
void waiting_publisher_end(struct worker *w, struct waiting_publisher *p);

/* Does anything wait anywhere, or will what comes now? Thread: the publisher's. */
static inline bool waiting_publisher_is_likely(const struct worker *w)
{
	return worker_turn_is_used(w) || shared_waits(w->shared);
}
/* May a message of this session, which perhaps has to wait, take so many bytes? NULL: it may; else
 * which limit they exceed. Thread: the publisher's. */
const char *waiting_publisher_exceeds(const struct session *s, size_t bytes);

/* Do not read from this client while what it has published waits somewhere. Thread: its own. */
static inline void waiting_publisher_hold_link(struct client_link *link)
{
	/* mutant: fan_out_reads_on */
	if (link->session->fan_outs > 0)
		client_link_pause(link, PAUSE_FAN_OUT);
}

#endif
