/* The control socket: what broker-ctl(1) talks to.  One request on a connection, a line of JSON
 * ({"command":"clients"}); the answer is a line of JSON for each thing, and a last one,
 * {"done":true} or {"error":"..."}.  Only the broker's own user and root may open it.  The commands
 * are rows of admin/control/commands.def; admin/control/control_query.h answers.  Thread: main's.
 */
#ifndef ADMIN_CONTROL_SOCKET_H
#define ADMIN_CONTROL_SOCKET_H

#include <stdbool.h>

#include "conf/errors.h"

struct conf;
struct control;
struct control_socket;
struct loop;

/* Bind and listen at control.socket, before other threads run (it changes the umask). False: it
 * cannot be opened, *errors says why. *out is NULL where none is configured. */
bool control_socket_start(struct loop *loop, struct control *control, struct errors *errors,
                          struct control_socket **out);
/* The errors that a start would find, without binding; a reload leaves the socket as it is, and
 * looks whether others can replace it. */
void control_socket_check(const struct conf *conf, bool starts, struct errors *errors);
/* No more requests; connections end as soon as their last answer is read, or a second later. NULL
 * is fine. */
void control_socket_stop(struct control_socket *socket);
/* Once the loop has ended. */
void control_socket_free(struct control_socket *socket);

#endif
