/* Requests of MQTT clients as main sees them: each is a sink that sends pages to the client's
 * worker (admin/control/control_topic.h), one at a time: the next when that one was written.
 * Thread: main's. */
#ifndef ADMIN_CONTROL_REMOTE_H
#define ADMIN_CONTROL_REMOTE_H

#include "base/mailbox.h"

struct control;

/* Messages of a worker (admin/control/control_message.h), which these take over: a request; its
 * last page was written; nobody waits for the rest. */
task_fn control_remote_on_request;
task_fn control_remote_on_taken;
task_fn control_remote_on_leave;

/* The broker stops: nobody is answered any more, and what is asked is not begun. */
void control_remote_stop(struct control *c);

#endif
