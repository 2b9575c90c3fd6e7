/* The control socket: what broker-ctl(1) talks to.  One request on a connection, a line of JSON
 * ({"command":"clients"}); the answer is a line of JSON for each thing, and a last one,
 * {"done":true} or {"error":"..."}.  Only the broker's own user and root may open it.  The commands
 * are rows of admin/commands.def.  Thread: main's. */
#ifndef ADMIN_CONTROL_SOCKET_H
#define ADMIN_CONTROL_SOCKET_H

#include <stdbool.h>

#include "conf/errors.h"

struct conf;
struct control;
struct loop;
struct config_snapshot;
struct shared;

struct control_hooks {
	void *arg;
	const struct config_snapshot *(*snapshot)(void *arg); /* the one in force, borrowed */
	bool (*reload)(void *arg); /* false: refused, told in the log. NULL: cannot be done */
};

/* Bind and listen at control.socket, before other threads run (it changes the umask). False: it
 * cannot be had, told in *errors. *out is NULL where none is configured. */
bool control_start(struct loop *loop, struct shared *shared, const struct control_hooks *hooks,
                   struct errors *errors, struct control **out);
/* What a start would find wrong with it, without binding. */
void control_check(const struct conf *conf, struct errors *errors);
/* No more requests; connections end as soon as their last answer is read, or a second later. NULL
 * is fine. */
void control_stop(struct control *c);
/* Once the loop has ended. */
void control_free(struct control *c);

#endif
