/* The lists of a worker's connections. */
#include "client/client_list.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "client/last_ends.h"

void client_list_init(struct worker *w)
{
	w->clients = xnew(w->clients);
	w->clients->listeners = xcalloc(LISTENER_IDS_MAX, sizeof(struct listener *));
	last_ends_init(&w->clients->ends);
}

void client_list_check_empty(struct worker *w)
{
	struct client_list *list = w->clients;

	REQUIRE_EXECUTOR(&w->executor);
	if (w->stopping && list->conns == NULL && list->others == 0 && list->on_empty != NULL)
		list->on_empty(list->on_empty_arg);
}

void client_list_fini(struct worker *w)
{
	REQUIRE(w->clients->conns == NULL && w->clients->others == 0 &&
	        w->clients->half_open.count == 0 && w->clients->leaving == NULL &&
	        w->clients->yielding == NULL && w->clients->going_on == NULL);
	executor_timer_disarm(&w->executor, &w->clients->shared_timer);
	executor_timer_disarm(&w->executor, &w->clients->certificate_ends.timer);
	recent_fini(&w->clients->ends);
	free(w->clients->listeners);
	free(w->clients);
}
