/* Who sends, who is sent to, who queues, who is slow: the connected clients of a worker, the
 * busiest first, with what they sent and got since they connected.  Thread: the worker's. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/control/control_window.h"
#include "base/array.h"
#include "base/list.h"
#include "client/client_list.h"
#include "client/conn.h"
#include "session/disk_queue.h"
#include "session/session.h"

#define SLICE_SESSIONS 128

static void put_load(struct buf *out, const struct session *s, const struct conn *c)
{
	uint64_t unsent = stream_backlog(c->link.stream);

	json_number(out, "messages_in", c->link.messages_in);
	json_number(out, "messages_out", c->link.messages_out);
	json_number(out, "bytes_in", c->link.bytes_in);
	json_number(out, "bytes_out", c->link.bytes_out);
	json_number(out, "connected_s", (s->worker->executor.now_ms - c->since_ms) / 1000);
	json_number(out, "queued", s->waiting.count + disk_queue_count(s));
	json_number(out, "in_flight", s->sent.count);
	json_number(out, "unsent_bytes", unsent);
	json_number(out, "dropped", s->dropped);
	/* It does not read what it is sent, or does not acknowledge it. */
	json_bool(out, "slow", unsent > STREAM_BACKLOG_LOW || s->waiting.count > 0);
}

static void add_client(struct control_query *q, const struct session *s)
{
	const struct conn *c = conn_of(s->link);
	uint64_t load = c->link.messages_in + c->link.messages_out;
	char peer[STREAM_PEER_TEXT];
	struct slice texts[] = {
	    session_client_id(s), session_user(s),
	    slice_of(peer, stream_peer_text(c->link.stream, peer, sizeof(peer)))};
	struct buf key = {0}, line = {0};

	buf_printf(&key, "%016" PRIx64 " ", UINT64_MAX - load);
	buf_put_slice(&key, texts[0]);
	buf_put_u8(&key, '\x1f');
	buf_put_slice(&key, texts[1]);
	if (control_window_matches(q, texts, ARRAY_LEN(texts)) &&
	    control_window_has_place(q->state, buf_slice(&key))) {
		json_open(&line);
		json_text(&line, "client_id", texts[0]);
		if (s->origin->anonymous)
			json_str(&line, "user", NULL);
		else
			json_text(&line, "user", texts[1]);
		json_text(&line, "peer", texts[2]);
		put_load(&line, s, c);
		json_close(&line);
		control_window_add(q->state, buf_slice(&key), buf_slice(&line));
	}
	buf_fini(&key);
	buf_fini(&line);
}

static void collect_sessions(struct control_query *q)
{
	const struct conn *c;

	DL_FOREACH (q->worker->clients->conns, c) {
		if (c->state != CONN_ACCEPTED || c->link.session == NULL)
			continue;
		array_reserve(q->ids, q->id_cap, q->id_count + 1);
		q->ids[q->id_count++] = c->link.session->id;
	}
}

bool control_top_report(struct control_query *q)
{
	REQUIRE_EXECUTOR(&q->worker->executor);
	if (control_window_of(q) == NULL)
		return false;
	if (q->id_count == 0)
		collect_sessions(q);
	for (size_t i = 0; i < SLICE_SESSIONS && q->id_at < q->id_count; i++) {
		const struct session *s = session_find_by_id(q->worker, q->ids[q->id_at++]);

		if (s != NULL && s->link != NULL)
			add_client(q, s);
	}
	if (q->id_at < q->id_count)
		return true;
	return control_window_is_last(q) && control_window_write(q);
}
