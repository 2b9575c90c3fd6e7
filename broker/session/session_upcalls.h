/* What sessions and routing ask of the folders above them: one constant table for all workers,
 * which the server sets.  Thread: the worker's. */
#ifndef SESSION_SESSION_UPCALLS_H
#define SESSION_SESSION_UPCALLS_H

#include <stdbool.h>

struct client_link;

struct session_upcalls {
	/* Does the configuration in force admit this connection? Nothing is closed here. */
	bool (*check_admission)(struct client_link *link);
	/* What was to be acknowledged could not be stored: the connection closes. */
	void (*on_ack_failed)(struct client_link *link);
};

#endif
