/* One sum, one charge: everything is added up again whenever a part may have changed, so that
 * nothing is forgotten. */
#include "client/conn_memory.h"

#include "client/connect/connect_refuse.h"
#include "session/link_output.h"
#include "session/session_report.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

static void count_connections(struct conn *c, uint64_t n)
{
	count_by(&c->link.charge.payer->parts[c->link.worker->executor.index].connections, n);
}

void conn_memory_begin(struct conn *c)
{
	struct payers *payers = &c->link.worker->shared->payers;
	char address[STREAM_PEER_TEXT];
	size_t len = stream_peer_key_text(c->link.stream, address, sizeof(address));

	REQUIRE_OWNER(&c->link);
	charge_init(&c->link.charge,
	            payers_find(payers, PAYER_UNAUTHENTICATED, slice_of(address, len)));
	conn_memory_resume(c);
}

void conn_memory_suspend(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	charge_set(c->link.worker, &c->link.charge, 0);
	count_connections(c, (uint64_t)0 - 1);
}

void conn_memory_resume(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	count_connections(c, 1);
	conn_memory_count(c);
}

void conn_memory_login(struct conn *c)
{
	struct payers *payers = &c->link.worker->shared->payers;
	bool anonymous = c->identity->kind == IDENTITY_ANONYMOUS;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->link.session == NULL);
	count_connections(c, (uint64_t)0 - 1);
	charge_move(c->link.worker, &c->link.charge,
	            anonymous ? payers_find(payers, PAYER_ADDRESS, payer_key(c->link.charge.payer))
	                      : payers_find(payers, PAYER_USER, c->identity->key));
	count_connections(c, 1);
}

void conn_memory_end(struct conn *c)
{
	REQUIRE_OWNER(&c->link);
	count_connections(c, (uint64_t)0 - 1);
	charge_fini(c->link.worker, &c->link.charge);
}

void conn_memory_count(struct conn *c)
{
	size_t waiting = c->deferred == NULL ? 0 : c->deferred->cap;
	size_t attempt =
	    c->attempt == NULL || c->attempt->memory == NULL ? 0 : c->attempt->memory(c);

	REQUIRE_OWNER(&c->link);
	c->link.input_bytes = c->in.cap + waiting + attempt;
	link_output_count(&c->link);
}

static void report_refusal(struct conn *c, const char *cause)
{
	const struct session *s = c->link.session;
	char peer[STREAM_PEER_TEXT];
	struct quota_refusal refusal = {.client_id = s == NULL ? SLICE_EMPTY : session_client_id(s),
	                                .user = s == NULL ? SLICE_EMPTY : session_user(s),
	                                .peer = peer,
	                                .what = "an unfinished packet",
	                                .cause = cause};

	stream_peer_text(c->link.stream, peer, sizeof(peer));
	quota_report_memory(c->link.worker, &refusal);
}

/* Packets that wait because of us, or can be handled: then the memory is free again. */
static bool has_whole_packets(const struct conn *c, struct slice bytes)
{
	struct slice in = buf_slice(&c->in);
	size_t needed = 0;
	struct frame f;

	if (c->state != CONN_ACCEPTED)
		return false;
	/* mutant: memory_packets_of_a_long_turn */
	if (c->link.pauses != 0)
		return true;
	/* mutant: memory_packets_that_are_complete */
	return in.len > 0 &&
	       frame_next(&in, client_link_limits(&c->link)->max_packet_size, &f, &needed) ==
	           FRAME_INCOMPLETE &&
	       needed <= c->in.len + bytes.len;
}

bool conn_memory_add_input(struct conn *c, struct slice bytes)
{
	/* Acknowledgements free memory. (A CONNECT is short, unless it has a large will.) */
	const unsigned draining = 1u << PACKET_PUBACK | 1u << PACKET_PUBREC | 1u << PACKET_PUBREL |
	                          1u << PACKET_PUBCOMP | 1u << PACKET_DISCONNECT;
	size_t more = buf_growth(&c->in, bytes.len);
	const uint8_t first = c->in.len > 0 ? c->in.data[0] : bytes.data[0];
	bool drains = (draining >> (first >> 4) & 1) != 0 || has_whole_packets(c, bytes);
	const char *exceeds = NULL;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->state != CONN_CLOSING);
	if (more > 0 && c->in.len + bytes.len > CONN_INPUT_FREE)
		exceeds = drains ? quota_memory_drain(c->link.worker, c->link.charge.payer, more)
		                 : quota_memory(c->link.worker, c->link.charge.payer, more);
	/* mutant: memory_unfinished_packet */
	if (exceeds == NULL) {
		if (c->state == CONN_ACCEPTED)
			buf_put_slice(&c->in, bytes);
		else
			buf_put_secret(&c->in, bytes); /* there may be a password in it */
		conn_memory_count(c);
		return true;
	}
	report_refusal(c, exceeds);
	if (c->state == CONN_NEW) /* the version may be known, and with it the form of a CONNACK */
		connect_refuse_input(c, fault_of(REASON_QUOTA_EXCEEDED, exceeds));
	else
		conn_fail(c, fault_of(REASON_QUOTA_EXCEEDED, exceeds));
	buf_fini_secret(&c->in);
	return false;
}
