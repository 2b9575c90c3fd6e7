/* Allocated here, and sent. */
#include "admin/control/control_message.h"

#include <stdlib.h>

#include "admin/control/control_query.h"
#include "base/alloc.h"
#include "worker/worker.h"

struct control_message *control_message_new(struct control *c, struct worker *w, uint64_t request)
{
	struct control_message *m = xnew(m);

	REQUIRE(request != 0);
	m->control = c;
	m->worker = w;
	m->request = request;
	return m;
}

void control_message_free(struct control_message *m)
{
	REQUIRE(!m->task.in_flight);
	buf_fini(&m->bytes);
	buf_fini(&m->command);
	buf_fini(&m->user);
	buf_fini(&m->client_id);
	free(m);
}

void control_message_to_main(struct control_message *m, task_fn *run)
{
	REQUIRE_EXECUTOR(&m->worker->executor);
	m->task.run = run;
	executor_send(m->control->executor, &m->task);
}

void control_message_to_worker(struct control_message *m, task_fn *run)
{
	REQUIRE_EXECUTOR(m->control->executor);
	m->task.run = run;
	executor_send(&m->worker->executor, &m->task);
}
