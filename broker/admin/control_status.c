/* What main tells by itself: the broker as a whole, retained values; and a reload.  Thread: main's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/control_query.h"
#include "admin/stats.h"
#include "admin/sys_topics.h"
#include "auth/identity.h"
#include "base/clock.h"
#include "proto/topic.h"
#include "tree/retain_cursor.h"

#define SLICE_VALUES 128

/* --- retained --- */

struct values {
	struct msg *messages[SLICE_VALUES];
	size_t count;
	size_t topic_bytes;
};

/* Under the tree's lock: collect only. */
static bool on_value(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct values *values = arg;

	(void)writer_generation;
	values->messages[values->count++] = msg_ref(msg);
	values->topic_bytes += msg_topic(msg).len;
	return values->count < SLICE_VALUES && values->topic_bytes < QUERY_SLICE_BYTES;
}

static void put_user(struct buf *out, const char *name, struct slice user)
{
	if (user.len == 0)
		json_str(out, name, NULL);
	else
		json_text(out, name, user);
}

static void put_writer(struct buf *out, const struct msg *msg)
{
	if (sys_wrote(msg)) {
		json_str(out, "writer", "$SYS"); /* no user may be called so */
		json_str(out, "client_id", NULL);
		return;
	}
	put_user(out, "writer", msg->origin->user_name);
	json_text(out, "client_id", msg->origin->client_id);
}

static void put_owner(struct query *q, const struct msg *msg)
{
	const struct executor *executor = q->control->executor;
	struct buf key = {0};

	retain_owner(q->control->server->retain, executor->index, msg_topic(msg), executor->now_ms,
	             &key);
	put_user(&q->out, "owner", identity_key_name(buf_slice(&key)));
	buf_fini(&key);
}

static void put_value(struct query *q, const struct msg *msg)
{
	struct buf *out = &q->out;

	json_open(out);
	json_text(out, "topic", msg_topic(msg));
	json_number(out, "size", msg_payload(msg).len);
	json_number(out, "qos", msg->qos);
	put_writer(out, msg);
	put_owner(q, msg);
	if (msg->expires_ms == MSG_NEVER)
		json_str(out, "expires_in_s", NULL);
	else
		json_number(out, "expires_in_s",
		            msg_expiry_left_s(msg, q->control->executor->now_ms));
	json_close(out);
}

static bool begin_retained(struct query *q)
{
	struct retain *retain = q->control->server->retain;
	struct slice filter = json_text_of(&q->request, "filter");

	if (!topic_filter_valid(filter)) {
		q->error = "this is not a topic filter";
		return false;
	}
	q->cursor = retain_cursor_new(retain, filter, atomic_load(retain_clock(retain)));
	return true;
}

bool control_report_retained(struct query *q)
{
	const struct executor *executor = q->control->executor;
	struct values values = {.count = 0};
	bool more;

	if (q->cursor == NULL && !begin_retained(q))
		return false;
	more = retain_cursor_visit(q->cursor, executor->index, executor->now_ms, SLICE_VALUES,
	                           on_value, &values);
	for (size_t i = 0; i < values.count; i++) {
		put_value(q, values.messages[i]);
		msg_unref(&values.messages[i]);
	}
	return more;
}

/* --- status --- */

/* Of the whole process, as the kernel counts it. 0: not known. */
static uint64_t memory_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
		pages = 0;
	(void)fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_stats(struct buf *out, const struct stats *t)
{
	json_number(out, "clients", t->clients_connected);
	json_number(out, "clients_most", t->clients_maximum);
	json_number(out, "sessions", t->clients_total);
	json_number(out, "subscriptions", t->subscriptions);
	json_number(out, "retained", t->retained);
	json_number(out, "retained_bytes", t->retained_bytes);
	json_number(out, "queued", t->stored - t->retained);
	json_number(out, "queued_bytes", t->stored_bytes - t->retained_bytes);
	json_number(out, "messages_received", t->messages_received);
	json_number(out, "messages_sent", t->messages_sent);
	json_number(out, "messages_dropped", t->messages_dropped);
	json_number(out, "denials", t->denials);
	json_number(out, "retained_refused", t->retained_refused);
	json_number(out, "memory_counted_bytes", t->memory);
	json_number(out, "memory_refused", t->memory_refused);
}

static void put_store(struct buf *out, const struct server *server, const struct stats *t)
{
	const struct journal_health *h = &t->store;

	json_str(out, "store", stats_store_state(server, t));
	if (!journal_is_durable(server->journal))
		return;
	json_str(out, "store_error", stats_store_error(t));
	json_number(out, "store_commits", h->commits);
	json_number(out, "store_commit_mean_us", t->commit_us_mean);
	json_number(out, "store_commit_p99_us", h->commit_us_p99);
	json_number(out, "store_commit_max_us", h->commit_us_max);
	json_number(out, "store_messages", h->messages);
	json_number(out, "store_pending", h->pending_groups);
	json_number(out, "store_pending_bytes", h->pending_bytes);
	json_number(out, "store_used_bytes", h->used_bytes);
	json_number(out, "store_map_bytes", h->map_bytes);
	json_number(out, "store_max_bytes", h->max_bytes);
}

static void put_listener(struct buf *out, const struct conf_listener *l)
{
	json_open(out);
	json_str(out, "listener", l->bind);
	json_str(out, "tls", l->is_unix ? "none" : l->tls.min_version == 13 ? "1.3" : "1.2 and up");
	json_close(out);
}

bool control_report_status(struct query *q)
{
	struct control *c = q->control;
	const struct config_snapshot *snapshot = c->hooks.snapshot(c->hooks.arg);
	uint64_t up_ms = clock_monotonic_ms() - c->started_ms;
	struct stats stats;
	char since[CLOCK_TEXT_MAX];

	stats_take(c->server, &stats);
	clock_text(clock_wall_ms() - (int64_t)up_ms, since);
	json_open(&q->out);
	json_str(&q->out, "version", VAKT_VERSION);
	json_number(&q->out, "process", (uint64_t)getpid());
	json_str(&q->out, "since", since);
	json_number(&q->out, "uptime_s", up_ms / 1000);
	json_number(&q->out, "workers", c->server->worker_count);
	json_str(&q->out, "config", snapshot->conf->path);
	json_number(&q->out, "policy_generation", snapshot->generation);
	put_stats(&q->out, &stats);
	put_store(&q->out, c->server, &stats);
	json_number(&q->out, "memory_bytes", memory_bytes());
	json_close(&q->out);
	for (size_t i = 0; i < snapshot->conf->listener_count; i++)
		put_listener(&q->out, &snapshot->conf->listeners[i]);
	return false;
}

/* --- reload --- */

bool control_reload(struct query *q)
{
	const struct control_hooks *hooks = &q->control->hooks;

	if (hooks->reload == NULL)
		q->error = "a reload is not available";
	else if (!hooks->reload(hooks->arg))
		q->error =
		    "there are errors, and nothing was changed; the broker's log says what to "
		    "mend, and so does 'broker --check'";
	return false;
}
