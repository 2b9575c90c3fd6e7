/* Everything about one client: its sessions and connection, subscriptions, last ends, denials.
 * Thread: the worker's that owns the client id. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/control/control_denials.h"
#include "admin/control/control_recent.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/list.h"
#include "client/client_list.h"
#include "client/conn.h"
#include "client/last_ends.h"
#include "session/denials.h"
#include "session/disk_queue.h"
#include "session/inflight/input_limit.h"

#define SUBSCRIPTIONS_SHOWN 200

static bool is_meant(const struct control_query *q, const struct session *s)
{
	const struct json_member *user = json_find(&q->request, "user");

	return slice_equal(session_client_id(s), json_text_of(&q->request, "id")) &&
	       (user == NULL || slice_equal(session_user(s), user->text));
}

static void add_line(struct control_query *q, char section, struct slice key, struct buf *line)
{
	struct buf whole = {0};

	buf_put_u8(&whole, (uint8_t)section);
	buf_put_slice(&whole, key);
	control_window_add(q->state, buf_slice(&whole), buf_slice(line));
	buf_fini(&whole);
	buf_fini(line);
}

/* --- session and connection --- */

static void put_expiry(struct buf *out, const struct session *s)
{
	uint64_t now_ms = s->worker->executor.now_ms, due_ms = s->expiry_timer.due_ms;

	if (s->expiry_s == EXPIRY_NEVER)
		json_str(out, "expiry_s", NULL);
	else
		json_number(out, "expiry_s", s->expiry_s);
	if (s->link == NULL && timer_is_armed(&s->expiry_timer))
		json_number(out, "ends_in_s", due_ms > now_ms ? (due_ms - now_ms) / 1000 : 0);
	else
		json_str(out, "ends_in_s", NULL);
}

static void put_connection(struct buf *out, const struct session *s)
{
	const struct conn *c = conn_of(s->link);
	uint64_t now_ms = s->worker->executor.now_ms;
	char peer[STREAM_PEER_TEXT], since[CLOCK_TEXT_MAX];
	struct buf certificate = {0}, key = {0};

	stream_peer_text(c->link.stream, peer, sizeof(peer));
	stream_certificate_subject(c->link.stream, &certificate);
	stream_put_certificate_key(c->link.stream, &key);
	json_str(out, "peer", peer);
	json_str(out, "listener", conn_listener_name(c));
	json_str(out, "version", c->link.version == MQTT_5_0 ? "5.0" : "3.1.1");
	json_str(out, "tls", stream_tls_version(c->link.stream));
	json_str(out, "server_name", stream_server_name(c->link.stream));
	if (certificate.len > 0)
		json_text(out, "certificate", buf_slice(&certificate));
	if (key.len > 0)
		json_text(out, "certificate_key", buf_slice(&key));
	json_str(out, "since",
	         clock_text(clock_wall_ms() - (int64_t)(now_ms - c->since_ms), since));
	json_number(out, "keep_alive_s", c->keep_alive_s);
	json_number(out, "heard_s_ago",
	            now_ms > c->link.heard_ms ? (now_ms - c->link.heard_ms) / 1000 : 0);
	json_number(out, "unsent_bytes", stream_backlog(c->link.stream));
	json_number(out, "receive_maximum", c->link.receive_maximum);
	json_number(out, "owed", input_limit_owed(&c->link));
	buf_fini(&certificate);
	buf_fini(&key);
}

static void add_session(struct control_query *q, const struct session *s)
{
	struct buf line = {0};

	json_open(&line);
	json_str(&line, "about", "session");
	json_text(&line, "client_id", session_client_id(s));
	if (s->origin->anonymous)
		json_str(&line, "user", NULL);
	else
		json_text(&line, "user", session_user(s));
	json_bool(&line, "connected", s->link != NULL);
	json_bool(&line, "set_aside", s->set_aside);
	put_expiry(&line, s);
	json_number(&line, "subscriptions", s->subscriptions.count);
	json_number(&line, "queued", s->waiting.count + disk_queue_count(s));
	json_number(&line, "queued_bytes", s->waiting.bytes + s->sent.bytes + disk_queue_bytes(s));
	json_number(&line, "in_flight", s->sent.count);
	json_number(&line, "dropped", s->dropped);
	if (s->will != NULL)
		json_text(&line, "will", msg_topic(s->will->msg));
	json_number(&line, "takeovers",
	            takeovers_of(&s->worker->clients->takeovers,
	                         session_key_of(s->origin->user_key, s->origin->client_id).hash,
	                         s->worker->executor.now_ms));
	if (s->link != NULL)
		put_connection(&line, s);
	json_close(&line);
	add_line(q, '1', session_user(s), &line);
}

static void add_subscriptions(struct control_query *q, const struct session *s)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	const struct subscription *sub;

	for (size_t i = 0; i < SUBSCRIPTIONS_SHOWN && (sub = table_walk_next(&walk)) != NULL; i++) {
		struct buf line = {0};

		json_open(&line);
		json_str(&line, "about", "subscription");
		json_text(&line, "filter", slice_of(sub->filter, sub->filter_len));
		json_number(&line, "qos", sub->options.qos);
		json_bool(&line, "no_local", sub->options.no_local);
		json_bool(&line, "in_part", sub->permit == PERMIT_PART);
		if (sub->id != 0)
			json_number(&line, "identifier", sub->id);
		json_close(&line);
		add_line(q, '2', slice_of(sub->filter, sub->filter_len), &line);
	}
}

/* --- what is remembered --- */

static void add_remembered(struct control_query *q, char section, const char *about,
                           const struct recent_entry *e, struct buf *entry)
{
	struct buf line = {0};
	char key[RECENT_KEY_MAX];

	json_open(&line);
	json_str(&line, "about", about);
	json_members(&line, buf_slice(entry));
	json_close(&line);
	add_line(q, section, control_recent_key(e, 0, key), &line);
}

static void add_ends(struct control_query *q)
{
	uint64_t wanted = last_ends_key(json_text_of(&q->request, "id"));
	const struct recent_entry *e;

	DL_FOREACH (q->worker->clients->ends.entries, e) {
		struct buf text = {0}, entry = {0};

		if (e->key != wanted)
			continue;
		last_ends_put(&text, e);
		control_recent_open(&entry, e, buf_slice(&text));
		json_close(&entry);
		add_remembered(q, '3', "end", e, &entry);
		buf_fini(&text);
		buf_fini(&entry);
	}
}

static void add_denials(struct control_query *q)
{
	struct slice id = json_text_of(&q->request, "id");
	const struct recent_entry *e;

	DL_FOREACH (q->worker->sessions->denials.entries, e) {
		struct buf entry = {0};

		if (denials_is_of(e, id) && control_denials_put(q, &entry, e))
			add_remembered(q, '4', "denial", e, &entry);
		buf_fini(&entry);
	}
}

static void collect(struct control_query *q)
{
	const struct session *s;

	DL_FOREACH2(q->worker->sessions->all, s, list_next)
	{
		if (!is_meant(q, s))
			continue;
		add_session(q, s);
		add_subscriptions(q, s);
	}
	add_ends(q);
	add_denials(q);
}

bool control_client_report(struct control_query *q)
{
	REQUIRE_EXECUTOR(&q->worker->executor);
	if (control_window_of(q) == NULL)
		return false;
	if (q->id_at == 0) {
		q->id_at = 1; /* collected */
		collect(q);
		if (control_window_is_empty(q->state))
			q->error =
			    "nothing is known of a client with this id: it has no session, and "
			    "was not here since the broker started";
	}
	return q->error == NULL && control_window_write(q);
}
