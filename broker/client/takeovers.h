/* Which client ids two devices use: each of them connects again and takes the session from the
 * other, without end.  A device that comes back after its connection was lost takes its own session
 * over too, once. So the rule is: TAKEOVERS_MANY takeovers of one session, each within
 * TAKEOVERS_GAP_MS of the one before. Where most of them change the address, these are two devices;
 * behind one address it may also be one that restarts again and again. Said once in
 * TAKEOVERS_SILENT_MS.  Pure; a fixed size, the oldest is forgotten first. */
#ifndef CLIENT_TAKEOVERS_H
#define CLIENT_TAKEOVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAKEOVERS_WATCHED   64
#define TAKEOVERS_MANY      5
#define TAKEOVERS_GAP_MS    60000
#define TAKEOVERS_SILENT_MS 3600000

/* Zero-initialised. */
struct takeovers {
	struct takeovers_session {
		uint64_t hash; /* of user and client id */
		uint64_t newest_ms;
		uint64_t said_ms;
		uint32_t count; /* in a row; 0: nothing is known */
		uint32_t moves; /* among them: to another address */
		bool said;
	} sessions[TAKEOVERS_WATCHED];
};

enum takeovers_finding {
	TAKEOVERS_FEW,
	TAKEOVERS_GO_ON,       /* many, and that was said */
	TAKEOVERS_TWO_CLIENTS, /* say it: two devices */
	TAKEOVERS_ONE_ADDRESS, /* say it: two devices behind one address, or one that restarts */
};

/* The session was taken over; `moves`: by a connection from another address. */
enum takeovers_finding takeovers_note(struct takeovers *t, uint64_t hash, bool moves,
                                      uint64_t now_ms);
/* Takeovers in a row of a session that is taken over again and again; 0: it is not, or not any
 * more. */
uint32_t takeovers_of(const struct takeovers *t, uint64_t hash, uint64_t now_ms);
/* How many such sessions there are. */
size_t takeovers_sessions(const struct takeovers *t, uint64_t now_ms);

#endif
