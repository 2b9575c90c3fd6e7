/* Reload: puts a new configuration into force, by SIGHUP, by broker-ctl, or because a file changed.
 * Everything is read and checked before anything is used; an error leaves everything as it was,
 * except that users and revocation lists never wait for other files (S7).  Thread: main's. */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/config_apply.h"
#include "server/config_diff.h"

struct reloader;

enum reload_cause {
	/* SIGHUP, broker-ctl: a missing or empty file counts as it is. */
	RELOAD_ASKED,
	/* A file changed: nothing is reloaded while one is missing, empty or half-written. */
	RELOAD_NOTICED,
};

/* `first`: the snapshot that the workers were made with. Begins to watch its files. */
struct reloader *reload_new(struct shared *shared, struct executor *main_executor,
                            struct config_snapshot *first, struct tls_tickets *tickets);
void reload_free(struct reloader *r);
/* No more reloads: the broker stops. */
void reload_stop(struct reloader *r);

/* Bind and open the listeners of the first snapshot. False: one cannot be opened; the log says why.
 * `done` runs when all workers listen. */
bool reload_open(struct reloader *r, config_apply_done_fn *done, void *arg);
/* True: a new snapshot is sent to all workers (or will be, when the one before is in force). False:
 * the log says why not. */
bool reload_run(struct reloader *r, enum reload_cause cause);
/* What a reload would change now. The files are read and checked, nothing is bound, changed or
 * logged. What is wrong, and what only a restart applies, is added to *errors. False: there are
 * errors, and a reload would change nothing but users and revocation lists. */
bool reload_preview(const struct reloader *r, config_diff_fn *fn, void *arg, struct errors *errors);
/* Delete what is set aside (set_aside.h). False: there is nothing. */
bool reload_accept_new_ids(struct reloader *r);
/* The one in force, borrowed. */
struct config_snapshot *reload_snapshot(struct reloader *r);

#endif
