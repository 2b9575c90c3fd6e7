/* The session that a CONNECT continues or begins.  It completes by callback, so that a session that
 * lives elsewhere can be waited for.  Thread: the owner of the client id. */
#ifndef SESSION_SESSION_ATTACH_H
#define SESSION_SESSION_ATTACH_H

#include "proto/fault.h"
#include "session/client_link.h"
#include "session/session.h"

struct session_attach;
typedef void session_attach_done_fn(struct session_attach *attach);

/* The caller's until `done` is called, and so is what it borrows. */
struct session_attach {
	struct session_attach *prev, *next; /* among those that wait */
	/* What is asked for. */
	struct worker *worker;
	struct client_link *link; /* of the connection; NULL: cancelled */
	struct identity *identity;
	struct session_key key;
	uint64_t arrival; /* order of the CONNECTs at this worker */
	uint32_t expiry_s;
	bool clean_start;
	bool has_will;
	bool ended_another; /* already, while it waited */
	session_attach_done_fn *done;
	/* The answer. NULL: refused with this fault, or cancelled. */
	struct session *session;
	struct fault fault;
	bool present;
};

/* End an older connection of the session, find or make the session, and give it to the link.
 * `done` is called exactly once: in this call, or in a later turn of this worker. */
void session_attach_begin(struct session_attach *attach);
/* The connection ends before it is done: `done` is called in a later turn, and nothing is attached.
 */
void session_attach_cancel(struct session_attach *attach);

/* How it is done where all sessions of a client id are on its owner: at once, but after the will of
 * its last connection, so that an old "offline" comes before a new "online" (D3). */
void session_attach_here(struct session_attach *attach);
/* Those that wait try again. */
void session_attach_turn(struct worker *w);
/* The worker goes: all are cancelled. */
void session_attach_fini(struct worker *w);

/* Who pays for the session of this connection: a reference. */
struct payer *session_attach_payer(const struct client_link *link, const struct identity *identity);

#endif
