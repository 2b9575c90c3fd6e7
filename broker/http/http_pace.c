/* Two reasons to wait, and one list for the second. */
#include "http/http_pace.h"

#include "base/list.h"

/* Connections that go on in one turn. */
#define TURN_MAX 4

static void keep_for_later(struct http_conn *c)
{
	REQUIRE(!c->later);
	c->later = true;
	DL_APPEND2(c->x.worker->http->later, c, later_prev, later_next);
}

/* So many bytes wait for the reader; none where they are few. */
static size_t unread_bytes(const struct http_conn *c)
{
	size_t backlog = stream_backlog(c->x.stream);

	/* mutant: http_unread_answers */
	return backlog > HTTP_PACE_BYTES ? backlog : 0;
}

static bool has_had_its_share(struct http_conn *c)
{
	const struct worker *w = c->x.worker;

	if (c->turn != w->turn)
		c->turn_requests = 0;
	c->turn = w->turn;
	/* mutant: http_requests_in_one_turn */
	return ++c->turn_requests >= HTTP_PACE_REQUESTS;
}

bool http_pace_holds(struct http_conn *c)
{
	bool share = has_had_its_share(c);

	REQUIRE_EXECUTOR(&c->x.worker->executor);
	c->unread = unread_bytes(c);
	if (c->unread == 0 && !share)
		return false;
	c->state = HTTP_STATE_PACED;
	if (c->unread == 0)
		keep_for_later(c);
	http_link_count(c);
	return true;
}

void http_pace_drained(struct http_conn *c)
{
	REQUIRE_EXECUTOR(&c->x.worker->executor);
	if (c->state != HTTP_STATE_PACED || c->later)
		return;
	c->unread = unread_bytes(c);
	http_link_count(c);
	if (c->unread == 0)
		keep_for_later(c);
}

void http_pace_forget(struct http_conn *c)
{
	REQUIRE_EXECUTOR(&c->x.worker->executor);
	if (c->later)
		DL_DELETE2(c->x.worker->http->later, c, later_prev, later_next);
	c->later = false;
}

bool http_pace_turn(struct worker *w)
{
	struct http_server *s = w->http;

	REQUIRE_EXECUTOR(&w->executor);
	for (unsigned n = 0; n < TURN_MAX && s->later != NULL; n++) {
		struct http_conn *c = s->later;

		if (c->turn == w->turn) /* so have those behind it */
			break;
		http_pace_forget(c);
		c->ops->next_request(c);
	}
	return s->later != NULL;
}
