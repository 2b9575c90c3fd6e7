/* Back-pressure: bytes on their way from one worker to another.  Above the high mark those who
 * publish at the sender are not read, until the receiver says that there is space again.  Thread:
 * the sender's, unless it says otherwise. */
#ifndef ROUTING_FLOW_H
#define ROUTING_FLOW_H

#include "session/client_link.h"
#include "worker/worker.h"

#define FLOW_HIGH ((size_t)8 << 20)

enum flow_state {
	FLOW_OPEN,
	FLOW_STALLED, /* above the high mark; counted in flows->stalled */
	FLOW_WAKING,  /* `low` is on its way back, still counted */
};

/* To one worker. */
struct flow {
	struct task low; /* goes back: there is space again */
	struct flows *flows;
	_Atomic size_t bytes;
	_Atomic int state; /* enum flow_state */
} __attribute__((aligned(64)));

/* Of a worker: to each worker. */
struct flows {
	struct worker *from;
	struct flow *to;
	unsigned stalled; /* that are not open */
	/* None is stalled any more: those who publish may be read again. */
	void (*on_open)(struct worker *w);
};

void flow_init_all(struct flows *flows, struct worker *from, void (*on_open)(struct worker *w));
void flow_fini_all(struct flows *flows);

/* Bytes leave to another worker; bytes have arrived (thread: the receiver's). To oneself they are
 * only counted. */
void flow_add(struct flow *flow, size_t bytes, bool to_itself);
void flow_remove(struct flow *flow, size_t bytes);
/* Do not read from this client while some flow is above its mark. */
void flow_hold(const struct flows *flows, struct client_link *link);

#endif
