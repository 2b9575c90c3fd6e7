/* Clients and sessions of a worker, some at a time; ending a connection, and a session.  Thread:
 * the worker's. */
#include <stdlib.h>

#include "admin/control/control_window.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/list.h"
#include "client/client_list.h"
#include "client/conn.h"
#include "net/stream.h"
#include "session/disk_queue.h"
#include "session/inflight/input_limit.h"
#include "session/session_lifecycle.h"

#define SLICE_SESSIONS 128

/* --- which: their ids, so that they may come and go meanwhile --- */

static void add_id(struct control_query *q, uint64_t id)
{
	array_reserve(q->ids, q->id_cap, q->id_count + 1);
	q->ids[q->id_count++] = id;
}

static bool is_accepted(const struct conn *c)
{
	return c->state == CONN_ACCEPTED && c->link.session != NULL;
}

/* --- what of each --- */

static void put_who(struct buf *out, const struct session *s)
{
	json_text(out, "client_id", session_client_id(s));
	if (s->origin->anonymous)
		json_str(out, "user", NULL);
	else
		json_text(out, "user", session_user(s));
}

static void put_load(struct buf *out, const struct session *s)
{
	json_number(out, "subscriptions", s->subscriptions.count);
	json_number(out, "queued", s->waiting.count + disk_queue_count(s));
	json_number(out, "queued_bytes", s->waiting.bytes + s->sent.bytes + disk_queue_bytes(s));
	json_number(out, "in_flight", s->sent.count);
	json_number(out, "dropped", s->dropped);
}

static void put_client(struct buf *out, const struct session *s)
{
	const struct conn *c = s->link == NULL ? NULL : conn_of(s->link);
	uint64_t now_ms = s->worker->executor.now_ms;
	char peer[STREAM_PEER_TEXT], since[CLOCK_TEXT_MAX];

	if (c == NULL || !is_accepted(c))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	clock_text(clock_wall_ms() - (int64_t)(now_ms - c->since_ms), since);
	json_open(out);
	put_who(out, s);
	json_str(out, "peer", peer);
	json_str(out, "version", c->link.version == MQTT_5_0 ? "5.0" : "3.1.1");
	json_str(out, "tls", stream_tls_version(c->link.stream));
	json_str(out, "since", since);
	json_number(out, "keep_alive_s", c->keep_alive_s);
	put_load(out, s);
	json_number(out, "owed", input_limit_owed(&c->link));
	json_number(out, "takeovers",
	            takeovers_of(&s->worker->clients->takeovers,
	                         session_key_of(s->origin->user_key, s->origin->client_id).hash,
	                         now_ms));
	json_close(out);
}

static void put_session(struct buf *out, const struct session *s)
{
	uint64_t now_ms = s->worker->executor.now_ms, due_ms = s->expiry_timer.due_ms;

	json_open(out);
	put_who(out, s);
	json_bool(out, "connected", s->link != NULL);
	json_bool(out, "set_aside", s->set_aside);
	if (s->expiry_s == EXPIRY_NEVER)
		json_str(out, "expiry_s", NULL);
	else
		json_number(out, "expiry_s", s->expiry_s);
	if (s->link != NULL || !timer_is_armed(&s->expiry_timer)) /* it is not certain when */
		json_str(out, "ends_in_s", NULL);
	else
		json_number(out, "ends_in_s", due_ms > now_ms ? (due_ms - now_ms) / 1000 : 0);
	put_load(out, s);
	json_close(out);
}

typedef void put_fn(struct buf *out, const struct session *s);

/* Is `match` of the request in its client id, user or address? */
static bool matches(const struct control_query *q, const struct session *s)
{
	char peer[STREAM_PEER_TEXT] = "";
	struct slice texts[] = {session_client_id(s), session_user(s), SLICE_EMPTY};

	if (s->link != NULL && json_find(&q->request, "match") != NULL)
		texts[2] = slice_of(peer, stream_peer_text(s->link->stream, peer, sizeof(peer)));
	return control_window_matches(q, texts, ARRAY_LEN(texts));
}

/* In the order of client ids, then of users. */
static void add_to_window(struct control_query *q, const struct session *s, put_fn *put)
{
	struct buf key = {0}, line = {0};

	buf_put_slice(&key, session_client_id(s));
	buf_put_u8(&key, '\x1f');
	buf_put_slice(&key, session_user(s));
	if (control_window_has_place(q->state, buf_slice(&key)))
		put(&line, s);
	if (line.len > 0)
		control_window_add(q->state, buf_slice(&key), buf_slice(&line));
	buf_fini(&key);
	buf_fini(&line);
}

static bool report(struct control_query *q, put_fn *put)
{
	bool windowed = control_window_is_wanted(q);

	if (windowed && control_window_of(q) == NULL)
		return false;
	for (size_t i = 0; i < SLICE_SESSIONS && q->id_at < q->id_count; i++) {
		const struct session *s = session_find_by_id(q->worker, q->ids[q->id_at++]);

		if (s == NULL || !matches(q, s))
			continue;
		if (windowed)
			add_to_window(q, s, put);
		else
			put(&q->out, s);
		if (q->out.len >= QUERY_SLICE_BYTES)
			break;
	}
	if (q->id_at < q->id_count)
		return true;
	return windowed && control_window_is_last(q) && control_window_write(q);
}

bool control_sessions_report_clients(struct control_query *q)
{
	const struct conn *c;

	if (q->id_count == 0) {
		DL_FOREACH (q->worker->clients->conns, c) {
			if (is_accepted(c))
				add_id(q, c->link.session->id);
		}
	}
	return report(q, put_client);
}

bool control_sessions_report_sessions(struct control_query *q)
{
	if (q->id_count == 0) {
		struct table_walk walk = table_walk_of(&q->worker->sessions->by_id);
		const struct session *s;

		while ((s = table_walk_next(&walk)) != NULL)
			add_id(q, s->id);
	}
	return report(q, put_session);
}

/* --- kick and delete --- */

static bool is_meant(const struct control_query *q, const struct session *s)
{
	const struct json_member *user = json_find(&q->request, "user");

	/* What is set aside is nobody's: accept-new-ids deletes it. */
	return !s->set_aside &&
	       slice_equal(session_client_id(s), json_text_of(&q->request, "id")) &&
	       (user == NULL || slice_equal(session_user(s), user->text));
}

/* The only one that is meant; NULL and an error where there is none, or several. */
static struct conn *find_client(struct control_query *q)
{
	struct conn *c, *found = NULL;

	DL_FOREACH (q->worker->clients->conns, c) {
		if (!is_accepted(c) || !is_meant(q, c->link.session))
			continue;
		if (found != NULL) {
			q->error = "clients of several users have this id: select one with --user";
			return NULL;
		}
		found = c;
	}
	if (found == NULL)
		q->error = "no client with this id is connected; 'clients' lists them";
	return found;
}

bool control_sessions_kick(struct control_query *q)
{
	struct conn *c = find_client(q);

	if (c == NULL)
		return false;
	json_open(&q->out);
	put_who(&q->out, c->link.session);
	json_bool(&q->out, "disconnected", true);
	json_close(&q->out);
	conn_close(c, CLOSE_KICKED);
	return false;
}

/* The same, of clients that are away, too. */
static struct session *find_session(struct control_query *q)
{
	struct session *s, *found = NULL;

	DL_FOREACH2(q->worker->sessions->all, s, list_next)
	{
		if (!is_meant(q, s))
			continue;
		if (found != NULL) {
			q->error = "sessions of several users have this id: select one with --user";
			return NULL;
		}
		found = s;
	}
	if (found == NULL)
		q->error = "there is no session with this id; 'sessions' lists them";
	return found;
}

static bool wait_for_end(struct control_query *q)
{
	q->commits = q->worker->sessions->leaving.count == 0;
	return !q->commits;
}

/* One that ends with its connection has ended when that is closed. */
bool control_sessions_delete(struct control_query *q)
{
	struct session *s;
	uint64_t id;

	if (q->id_at >
	    0) /* it has ended: that is recorded when its shared messages are given away */
		return wait_for_end(q);
	s = find_session(q);
	if (s == NULL)
		return false;
	REQUIRE_OWNER(s);
	id = s->id;
	LOG(SESSION_DELETED, .client_id = session_client_id(s), .user = session_user(s),
	    .subscriptions = s->subscriptions.count,
	    .queued = s->waiting.count + s->sent.count + disk_queue_count(s));
	json_open(&q->out);
	put_who(&q->out, s);
	json_bool(&q->out, "was_connected", s->link != NULL);
	json_bool(&q->out, "deleted", true);
	json_close(&q->out);
	if (s->link != NULL)
		conn_close(conn_of(s->link), CLOSE_SESSION_DELETED);
	s = session_find_by_id(q->worker, id);
	if (s != NULL)
		session_lifecycle_end(s);
	q->id_at = 1;
	return wait_for_end(q);
}
