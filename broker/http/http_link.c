/* What all that answer do to a connection. */
#include "http/http_link.h"

#include "worker/shared.h"

void http_link_count(struct http_conn *c)
{
	REQUIRE_EXECUTOR(&c->x.worker->executor);
	charge_set(c->x.worker, &c->charge,
	           c->in.cap + c->head.cap + c->body.cap + c->out.cap + c->unread);
}

/* Among the connections of its payer. */
void http_link_count_payer(struct http_conn *c, uint64_t connections)
{
	const struct worker *w = c->x.worker;

	REQUIRE_EXECUTOR(&w->executor);
	count_by(&c->charge.payer->parts[w->executor.index].connections, connections);
}

void http_link_pay(struct http_conn *c)
{
	struct worker *w = c->x.worker;
	struct payers *payers = &w->shared->payers;
	const struct identity *id = c->x.identity;
	char address[STREAM_PEER_TEXT];
	struct slice key =
	    slice_of(address, stream_peer_key_text(c->x.stream, address, sizeof(address)));
	struct payer *payer;

	/* As client/conn_memory.c:conn_memory_login. */
	/* mutant: http_user_pays */
	if (id != NULL && id->kind != IDENTITY_ANONYMOUS)
		payer = payers_find(payers, PAYER_USER, id->key);
	else
		payer =
		    payers_find(payers, id == NULL ? PAYER_UNAUTHENTICATED : PAYER_ADDRESS, key);
	http_link_count_payer(c, UINT64_MAX);
	charge_move(w, &c->charge, payer);
	http_link_count_payer(c, 1);
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
