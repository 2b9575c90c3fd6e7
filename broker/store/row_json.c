/* Rows as lines of JSON: what `broker-store dump` prints, and row_json_read.c reads. */
#include "store/row_json.h"

#include "base/array.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/require.h"
#include "base/utf8.h"
#include "store/row.h"

static void put_base64(struct buf *out, const char *name, struct slice bytes)
{
	struct buf text = {0};

	base64_encode(&text, bytes);
	json_text(out, name, buf_slice(&text));
	buf_fini(&text);
}

/* JSON has no bytes: a name that is not UTF-8 would be another one when it is read. */
static bool is_text(const struct row_msg *m)
{
	return utf8_valid(m->topic) && utf8_valid(m->user_name) && utf8_valid(m->client_id);
}

static void put_message(struct buf *out, const struct row_msg *m)
{
	json_text(out, "topic", m->topic);
	json_number(out, "qos", m->qos);
	json_bool(out, "retain", m->retain);
	if (m->number != 0)
		json_number(out, "number", m->number);
	if (m->expires_ms != MSG_NEVER)
		json_number(out, "expires_ms", m->expires_ms);
	if (m->has_origin) {
		json_bool(out, "anonymous", m->anonymous);
		json_number(out, "from_session", m->origin_session);
		put_base64(out, "user_key", m->user_key);
		json_text(out, "user", m->user_name);
		json_text(out, "client_id", m->client_id);
	}
	put_base64(out, "properties", m->forwarded);
	put_base64(out, "payload", m->payload);
}

/* The shapes (store_tables.def): each appends the members of its row. False: it cannot be read. */
typedef bool members_fn(struct buf *out, const char *number_name, struct slice key,
                        struct slice value);

static bool put_meta(struct buf *out, const char *number_name, struct slice key, struct slice value)
{
	(void)number_name;
	if (!utf8_valid(key))
		return false;
	json_text(out, "key", key);
	put_base64(out, "value", value);
	return true;
}

static bool put_by_session(struct buf *out, const char *number_name, struct slice key,
                           struct slice value)
{
	uint64_t id;

	(void)number_name;
	if (!row_key_read_id(key, &id))
		return false;
	json_number(out, "session", id);
	put_base64(out, "value", value);
	return true;
}

static bool put_by_pair(struct buf *out, const char *number_name, struct slice key,
                        struct slice value)
{
	uint64_t id, number;

	if (!row_key_read_pair(key, &id, &number))
		return false;
	json_number(out, "session", id);
	json_number(out, number_name, number);
	put_base64(out, "value", value);
	return true;
}

static bool put_queue(struct buf *out, const char *number_name, struct slice key,
                      struct slice value)
{
	struct row_queue q;
	struct row_msg m;
	uint64_t id, position;

	if (!row_key_read_pair(key, &id, &position) || !row_read_queue(value, &q))
		return false;
	if (!q.has_body && !(row_read_msg(q.message, &m) && is_text(&m)))
		return false;
	json_number(out, "session", id);
	json_number(out, number_name, position);
	json_number(out, "bytes", q.bytes);
	put_base64(out, "value", q.value);
	if (q.has_body)
		json_number(out, "body", q.body_id);
	else
		put_message(out, &m);
	return true;
}

static bool put_body(struct buf *out, const char *number_name, struct slice key, struct slice value)
{
	struct row_msg m;
	uint64_t id;

	if (!row_key_read_id(key, &id) || !row_read_msg(value, &m) || !is_text(&m))
		return false;
	json_number(out, number_name, id);
	put_message(out, &m);
	return true;
}

static bool put_refs(struct buf *out, const char *number_name, struct slice key, struct slice value)
{
	uint32_t refs;
	uint64_t id;

	if (!row_key_read_id(key, &id) || !row_read_refs(value, &refs))
		return false;
	json_number(out, number_name, id);
	json_number(out, "refs", refs);
	return true;
}

static bool put_retained(struct buf *out, const char *number_name, struct slice key,
                         struct slice value)
{
	struct row_retained r;

	(void)key;
	if (!row_read_retained(value, &r) || !utf8_valid(r.topic) || !is_text(&r.msg))
		return false;
	json_number(out, number_name, r.number);
	json_bool(out, "deleted", !r.has_msg);
	put_base64(out, "value", r.value);
	if (r.has_msg)
		put_message(out, &r.msg);
	else
		json_text(out, "topic", r.topic);
	return true;
}

static bool put_user(struct buf *out, const char *number_name, struct slice key, struct slice value)
{
	uint64_t id, name;

	(void)number_name;
	if (!row_key_read_pair(key, &id, &name))
		return false;
	put_base64(out, "id", slice_of(key.data, 8));
	json_number(out, "name", name);
	put_base64(out, "value", value);
	return true;
}

static bool put_will(struct buf *out, const char *number_name, struct slice key, struct slice value)
{
	struct row_will w;
	uint64_t id;

	(void)number_name;
	if (!row_key_read_id(key, &id) || !row_read_will(value, &w) || !is_text(&w.msg))
		return false;
	json_number(out, "session", id);
	put_base64(out, "value", w.value);
	put_message(out, &w.msg);
	return true;
}

static const struct {
	members_fn *members;
	const char *number_name;
} tables[TABLES] = {
#define TABLE(id, name, rows, shape, number) [TABLE_##id] = {put_##shape, (number)},
#include "store/store_tables.def"
};

const char *row_json_number_name(enum store_table table)
{
	REQUIRE((size_t)table < ARRAY_LEN(tables));
	return tables[table].number_name;
}

void row_json_put(struct buf *out, enum store_table table, struct slice key, struct slice value)
{
	size_t start = out->len;

	REQUIRE((size_t)table < ARRAY_LEN(tables));
	json_open(out);
	json_str(out, "table", store_tables_name(table));
	if (!tables[table].members(out, tables[table].number_name, key, value)) {
		out->len = start;
		json_open(out);
		json_str(out, "table", store_tables_name(table));
		json_bool(out, "unreadable", true);
		put_base64(out, "key", key);
		put_base64(out, "value", value);
	}
	json_close(out);
}
