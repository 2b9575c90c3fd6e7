/* What sessions and routing ask of those above them: one constant table for all workers, which the
 * server sets.  Thread: the worker's. */
#ifndef SESSION_SESSION_UPCALLS_H
#define SESSION_SESSION_UPCALLS_H

#include <stdbool.h>

#include "proto/fault.h"

struct client_link;
struct publish;
struct msg;
struct session;
struct target_item;

struct session_upcalls {
	/* Does the configuration in force admit this connection? Nothing is closed here. */
	bool (*check_admission)(struct client_link *link);
	/* What was to be acknowledged could not be stored: the connection closes. */
	void (*on_ack_failed)(struct client_link *link);
	/* What deliveries had to wait for is there: no SUBACK or CONNACK is owed, a page of the
	 * queue was read, there may be memory again. */
	void (*on_unblocked)(struct client_link *link);
	/* `link` takes the session over: the connection that has it closes. */
	void (*on_taken_over)(struct client_link *old, struct client_link *link);
	/* The connection ends, and has its session still. */
	void (*on_link_ends)(struct client_link *link);
	/* Reading is paused because the client does not take what waits for it. */
	void (*on_output_paused)(struct client_link *link);
	/* Everything is delivered that this client has published: it is read again. */
	void (*on_fan_out_done)(struct client_link *link);
	/* A PUBLISH to a control topic, which the rules permit: without fault it is taken, and
	 * will be acknowledged. */
	struct fault (*on_control_request)(struct client_link *link, const struct publish *pub);
	/* The will, if there is one, is to be published now. */
	void (*on_will_due)(struct session *s);
	/* A member of a $share group leaves: its message is for another one. */
	void (*on_share_returned)(struct session *s, struct msg *msg,
	                          const struct target_item *item);
};

#endif
