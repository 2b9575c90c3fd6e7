/* Reload: a new policy while the house runs, by SIGHUP, by broker-ctl, or because a file changed.
 * Everything is read and checked before anything is used; one error leaves everything as it was,
 * except that users and revocations never wait for other files. "Reload" in broker(8), S7.  Thread:
 * main's. */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/config_apply.h"

struct reloader;

enum reload_cause {
	RELOAD_ASKED,   /* SIGHUP, broker-ctl: files are taken at their word */
	RELOAD_NOTICED, /* a file changed: one that is missing, empty or half-written changes
	                   nothing */
};

/* `first`: the policy the server was made with. Begins to watch its files. */
struct reloader *reloader_new(struct shared *shared, struct executor *main_executor,
                              struct config_snapshot *first, struct tls_tickets *tickets);
void reloader_free(struct reloader *r);
/* No more reloads: the broker stops. */
void reloader_stop(struct reloader *r);

/* Bind and open the listeners of the first policy. False: one cannot be had; told in the log.
 * `done` when all workers listen. */
bool reloader_open(struct reloader *r, config_apply_done_fn *done, void *arg);
/* True: a new policy is on its way to all workers (or will be, when the one before has arrived).
 * False: told in the log why. */
bool reloader_reload(struct reloader *r, enum reload_cause cause);
/* The one in force, borrowed. */
struct config_snapshot *reloader_snapshot(struct reloader *r);

#endif
