/* One sum, one charge: what a connection has is added up anew whenever some of it changed, so that
 * nothing can be forgotten. */
#include "client/conn_memory.h"

#include "client/auth_exchange.h"
#include "session/subscribe_request.h"
#include "worker/shared.h"

static void count_connections(struct conn *c, uint64_t n)
{
	count_by(&c->charge.payer->parts[c->worker->executor.index].connections, n);
}

void conn_memory_begin(struct conn *c)
{
	struct payers *payers = &c->worker->server->payers;
	char address[STREAM_PEER_TEXT];
	size_t len = stream_peer_key_text(c->stream, address, sizeof(address));

	charge_init(&c->charge, payers_find(payers, PAYER_UNAUTHENTICATED, slice_of(address, len)));
	conn_memory_resume(c);
}

void conn_memory_suspend(struct conn *c)
{
	charge_set(c->worker, &c->charge, 0);
	count_connections(c, (uint64_t)0 - 1);
}

void conn_memory_resume(struct conn *c)
{
	count_connections(c, 1);
	conn_memory_count(c);
}

void conn_memory_login(struct conn *c)
{
	struct payers *payers = &c->worker->server->payers;
	bool anonymous = c->identity->kind == IDENTITY_ANONYMOUS;

	count_connections(c, (uint64_t)0 - 1);
	charge_move(c->worker, &c->charge,
	            anonymous ? payers_find(payers, PAYER_ADDRESS, payer_key(c->charge.payer))
	                      : payers_find(payers, PAYER_USER, c->identity->key));
	count_connections(c, 1);
}

void conn_memory_end(struct conn *c)
{
	count_connections(c, (uint64_t)0 - 1);
	charge_fini(c->worker, &c->charge);
}

void conn_memory_count(struct conn *c)
{
	size_t waiting = c->deferred == NULL ? 0 : c->deferred->cap;

	c->output_counted = c->out.len + stream_backlog(c->stream);
	charge_set(c->worker, &c->charge,
	           c->in.cap + waiting + c->output_counted + c->aliases.bytes +
	               c->aliases_out.bytes + auth_exchange_memory(c) + request_memory(c));
}

/* Acknowledgements give memory back. (A CONNECT is short, unless it has a large will.) */
static bool drains(uint8_t first)
{
	const unsigned types = 1u << PACKET_PUBACK | 1u << PACKET_PUBREC | 1u << PACKET_PUBREL |
	                       1u << PACKET_PUBCOMP | 1u << PACKET_DISCONNECT;

	return (types >> (first >> 4) & 1) != 0;
}

bool conn_memory_keep_input(struct conn *c, struct slice bytes)
{
	size_t more = buf_growth(&c->in, bytes.len);
	const uint8_t first = c->in.len > 0 ? c->in.data[0] : bytes.data[0];
	const char *exceeds = NULL;

	if (more > 0 && c->in.len + bytes.len > CONN_INPUT_FREE)
		exceeds = drains(first) ? quota_memory_drain(c->worker, c->charge.payer, more)
		                        : quota_memory(c->worker, c->charge.payer, more);
	/* mutant: memory_unfinished_packet */
	if (exceeds == NULL) {
		if (c->state == CONN_ACCEPTED)
			buf_put_slice(&c->in, bytes);
		else
			buf_put_secret(&c->in, bytes); /* there may be a password in it */
		conn_memory_count(c);
		return true;
	}
	quota_report_memory(c, "an unfinished packet", exceeds);
	buf_fini_secret(&c->in);
	conn_fail(c, REASON_QUOTA_EXCEEDED, exceeds);
	return false;
}

bool conn_memory_admits_alias(void *arg, size_t bytes)
{
	struct conn *c = arg;

	/* mutant: memory_alias */
	return quota_memory(c->worker, c->charge.payer, bytes) == NULL;
}

const char *conn_memory_judge_output(struct conn *c, size_t bytes, bool drains_queue)
{
	size_t disk_queue = conn_backlog(c);
	const char *exceeds;

	if (disk_queue >= CONN_BACKLOG_MAX)
		return CONN_READS_SLOWLY;
	/* mutant: memory_slow_reader */
	if (disk_queue + bytes <= CONN_OUTPUT_FREE)
		return NULL;
	exceeds = drains_queue ? quota_memory_drain(c->worker, c->charge.payer, bytes)
	                       : quota_memory(c->worker, c->charge.payer, bytes);
	/* What a client that reads is given is gone in a moment. */
	if (exceeds != NULL && stream_backlog(c->stream) == 0 && bytes <= CONN_OUTPUT_READER) {
		conn_write_now(c);
		if (stream_backlog(c->stream) == 0)
			return NULL;
	}
	return exceeds;
}
