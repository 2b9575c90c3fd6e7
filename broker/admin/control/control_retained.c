/* Retained messages, shown a slice at a time on main's thread. */
#include "admin/control/control_retained.h"

#include "admin/sys_topics.h"
#include "auth/identity.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/utf8.h"
#include "proto/topic.h"
#include "tree/retain_cursor.h"

#define SLICE_VALUES 128

struct values {
	struct msg *messages[SLICE_VALUES];
	size_t count;
	size_t bytes;
	bool with_payloads;
};

/* Under the tree's lock: collect only. */
static bool on_value(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct values *values = arg;

	(void)writer_generation;
	values->messages[values->count++] = msg_ref(msg);
	values->bytes += msg_topic(msg).len;
	if (values->with_payloads)
		values->bytes += msg_payload(msg).len;
	return values->count < SLICE_VALUES && values->bytes < QUERY_SLICE_BYTES;
}

static void put_user(struct buf *out, const char *name, struct slice user)
{
	if (user.len == 0)
		json_str(out, name, NULL);
	else
		json_text(out, name, user);
}

void control_retained_put_writer(struct buf *out, const struct msg *msg)
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

/* As text where it is text, which a JSON string can hold. */
static void put_payload(struct buf *out, struct slice payload)
{
	struct buf hex = {0};

	if (utf8_valid(payload)) {
		json_text(out, "payload", payload);
		return;
	}
	for (size_t i = 0; i < payload.len; i++)
		buf_printf(&hex, "%02x", (unsigned)payload.data[i]);
	json_text(out, "payload_hex", buf_slice(&hex));
	buf_fini(&hex);
}

static void put_value(struct control_query *q, const struct msg *msg)
{
	struct buf *out = &q->out;

	json_open(out);
	json_text(out, "topic", msg_topic(msg));
	json_number(out, "size", msg_payload(msg).len);
	json_number(out, "qos", msg->qos);
	control_retained_put_writer(out, msg);
	put_owner(q, msg);
	if (msg->expires_ms == MSG_NEVER)
		json_str(out, "expires_in_s", NULL);
	else
		json_number(out, "expires_in_s",
		            msg_expiry_left_s(msg, q->control->executor->now_ms));
	if (json_find(&q->request, "payload") != NULL)
		put_payload(out, msg_payload(msg));
	json_close(out);
}

bool control_retained_begin(struct control_query *q)
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
	struct values values = {.with_payloads = json_find(&q->request, "payload") != NULL};
	bool more;

	if (q->cursor == NULL && !control_retained_begin(q))
		return false;
	more = retain_cursor_visit(q->cursor, executor->index, executor->now_ms, SLICE_VALUES,
	                           on_value, &values);
	for (size_t i = 0; i < values.count; i++) {
		put_value(q, values.messages[i]);
		msg_unref(&values.messages[i]);
	}
	return more;
}
