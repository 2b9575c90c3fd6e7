/* Retained messages, a slice at a time.  Thread: main's. */
#include "admin/control_query.h"
#include "admin/sys_topics.h"
#include "auth/identity.h"
#include "proto/topic.h"
#include "tree/retain_cursor.h"

#define SLICE_VALUES 128

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
	if (msg_is_of_broker(msg)) {
		json_str(out, "writer", "$SYS"); /* no user may be called so */
		json_str(out, "client_id", NULL);
		return;
	}
	put_user(out, "writer", msg->origin->user_name);
	json_text(out, "client_id", msg->origin->client_id);
}

static void put_owner(struct control_query *q, const struct msg *msg)
{
	const struct executor *executor = q->control->executor;
	struct buf key = {0};

	retain_owner(q->control->shared->retain, executor->index, msg_topic(msg), executor->now_ms,
	             &key);
	put_user(&q->out, "owner", identity_key_name(buf_slice(&key)));
	buf_fini(&key);
}

static void put_value(struct control_query *q, const struct msg *msg)
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

static bool begin_retained(struct control_query *q)
{
	struct retain *retain = q->control->shared->retain;
	struct slice filter = json_text_of(&q->request, "filter");

	if (!topic_filter_valid(filter)) {
		q->error = "this is not a topic filter";
		return false;
	}
	q->cursor = retain_cursor_new(retain, filter, atomic_load(retain_clock(retain)));
	return true;
}

bool control_retained_report(struct control_query *q)
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
