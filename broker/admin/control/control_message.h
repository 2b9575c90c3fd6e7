/* What goes between the worker of an MQTT client that asks and main, which has the answer made
 * (admin/control/control_topic.h, admin/control/control_remote.h).  Each is allocated by who sends
 * it, and freed by who gets it.  Thread: of who has it. */
#ifndef ADMIN_CONTROL_MESSAGE_H
#define ADMIN_CONTROL_MESSAGE_H

#include "base/bytes.h"
#include "base/mailbox.h"
#include "net/stream.h"

struct control;
struct worker;

struct control_message {
	struct task task;
	struct control *control;
	struct worker *worker; /* the asker's */
	uint64_t request;      /* its number there */
	/* The JSON of a request, or lines of an answer. */
	struct buf bytes;
	bool ended; /* of an answer: nothing follows */
	/* Of a request: who asks what, and who gets the pages, at the worker. */
	task_fn *on_page;
	struct buf command, user, client_id;
	char peer[STREAM_PEER_TEXT];
};

/* About a request of this worker. */
struct control_message *control_message_new(struct control *c, struct worker *w, uint64_t request);
void control_message_free(struct control_message *m);
/* Give it away. */
void control_message_to_main(struct control_message *m, task_fn *run);
void control_message_to_worker(struct control_message *m, task_fn *run);

#endif
