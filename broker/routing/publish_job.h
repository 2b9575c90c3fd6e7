/* A message on its way from its publisher to its receivers.  Thread: the publisher's
 * worker. */
#ifndef ROUTING_PUBLISH_JOB_H
#define ROUTING_PUBLISH_JOB_H

#include "session/session.h"
#include "tree/msg.h"

struct client_link;
struct publish_match;
struct resting_publish;
struct retain_change;
struct route_match;

enum publish_outcome {
	PUBLISH_ROUTED,
	PUBLISH_FULL,      /* to be retained, and a limit is reached; logged already */
	PUBLISH_NO_MEMORY, /* it would have to wait, and a limit is reached */
	PUBLISH_LATER,     /* the store has no space for it now: nothing was done */
	/* To whom it goes is not known yet: nothing was done (publish_match.h). */
	PUBLISH_GOES_ON,
	PUBLISH_DENIED, /* another user owns the topic, and no other rule allows it */
};

struct publish_job {
	struct session *session;    /* whose rules decide about ownership */
	struct msg *msg;            /* borrowed */
	enum acl_action action;     /* ACL_PUBLISH or ACL_WILL */
	struct acl_verdict verdict; /* by which it was admitted so far; the deciding one when it
	                               comes back denied */
	struct client_link *link;   /* the connection that gets the acknowledgement; NULL: nobody */
	uint16_t packet_id;
	const char *full;        /* with PUBLISH_FULL and _NO_MEMORY: which limit */
	struct inbound *inbound; /* the QoS 2 identifier to keep with it; NULL: none */
	bool ends_will;          /* the session's will is kept: with this message it is no more */
	/* Of one without link: it is routed again when it goes on, before any other of this kind.
	 */
	struct resting_publish *rests; /* NULL: it is done in one piece */
	/* Who wants it, inside publish_route. */
	struct publish_match *to;
	struct route_match *match;    /* of *to */
	struct retain_change *change; /* of a retained one, made, its shard still held; else NULL */
};

#endif
