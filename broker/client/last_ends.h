/* How connections ended lately: of clients that had a session, and of those whose CONNECT was
 * refused, with what the log says about it and who it is.  For the
 * question why a client is offline.  Thread: the list's worker. */
#ifndef CLIENT_LAST_ENDS_H
#define CLIENT_LAST_ENDS_H

#include "base/json.h"
#include "base/recent.h"
#include "proto/reason.h"
#include "worker/worker.h"

struct last_end {
	/* "lost", "keep-alive": a word for those who sort. */
	const char *what;
	struct slice client_id, user; /* user empty: anonymous */
	/* Without the port. */
	const char *address, *listener;
	const char *cause;
	enum reason reason;
	/* It had a session, for so long. */
	bool was_connected;
	uint64_t connected_s;
	/* The address of who took the session over; NULL: nobody did. */
	const char *taken_by;
};

/* What names a client there. */
uint64_t last_ends_key(struct slice client_id);
void last_ends_init(struct recent *ends);
/* Refusals that are alike are counted, each end of a session is listed. */
/* Append it as a JSON object, a line. */
void last_ends_put(struct buf *out, const struct recent_entry *entry);
void last_ends_add(struct worker *w, struct recent *ends, const struct last_end *end);

#endif
