/* The list of connections, and what a worker does for all of them. */
#include "http/http_server.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "http/http_chunked.h"
#include "http/http_conn.h"
#include "http/http_login.h"
#include "http/http_pace.h"

#define CHECKS_PER_TURN 10

static void check_some(struct http_server *s)
{
	for (unsigned i = 0; i < CHECKS_PER_TURN && s->next_to_check != NULL; i++) {
		struct http_conn *c = s->next_to_check;

		s->next_to_check = c->next;
		if (stream_is_established(c->x.stream) && !http_login_is_admitted(&c->x))
			http_conn_close(c);
	}
}

void http_server_reload(struct worker *w)
{
	REQUIRE_EXECUTOR(&w->executor);
	w->http->next_to_check = w->http->conns;
}

bool http_server_turn(struct worker *w)
{
	struct http_server *s = w->http;
	bool more;

	REQUIRE_EXECUTOR(&w->executor);
	check_some(s);
	more = http_pace_turn(w);
	while (s->dirty != NULL) {
		struct http_conn *c = s->dirty;

		s->dirty = c->next_dirty;
		c->dirty = false;
		http_chunked_flush(&c->x);
	}
	return more || s->next_to_check != NULL;
}

void http_server_stop_reading(struct worker *w)
{
	struct http_conn *c, *next;

	REQUIRE_EXECUTOR(&w->executor);
	DL_FOREACH_SAFE (w->http->conns, c, next) {
		if (c->state != HTTP_STATE_HANDLED)
			http_conn_close(c);
	}
}

void http_server_close(struct worker *w)
{
	struct http_conn *c, *next;

	REQUIRE_EXECUTOR(&w->executor);
	DL_FOREACH_SAFE (w->http->conns, c, next) {
		http_conn_close(c);
	}
}

void http_server_init(struct worker *w, const struct http_route *const *routes, size_t count)
{
	REQUIRE(w->http == NULL);
	w->http = xnew(w->http);
	w->http->routes = routes;
	w->http->route_count = count;
}

void http_server_fini(struct worker *w)
{
	REQUIRE(w->http->conns == NULL && w->http->dirty == NULL);
	free(w->http);
}
