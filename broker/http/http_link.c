/* What all that answer do to a connection. */
#include "http/http_link.h"

void http_link_count(struct http_conn *c)
{
	REQUIRE_EXECUTOR(&c->x.worker->executor);
	charge_set(c->x.worker, &c->charge, c->in.cap + c->head.cap + c->body.cap + c->out.cap);
}

struct http_answer_head http_link_answer_head(const struct http_conn *c,
                                              const struct http_answer *answer)
{
	const struct conf_listener *l =
	    config_snapshot_listener(c->x.worker->snapshot, stream_listener(c->x.stream));

	return (struct http_answer_head){
	    .answer = answer,
	    .hsts_s = l == NULL ? CONF_HSTS_OFF : l->hsts_s,
	    .close = c->close_after || c->x.worker->stopping,
	};
}
