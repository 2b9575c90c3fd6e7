/* Lines of JSON that row_json_put wrote become rows again.  Everything is checked here, as a line
 * may come from anywhere: what an encoder takes for granted (a QoS up to 2, a length) and that a
 * decoder accepts the result. */
#include "store/row_json_read.h"

#include "base/array.h"
#include "base/base64.h"
#include "base/require.h"
#include "store/row.h"
#include "store/row_json.h"
#include "store/store_backend.h"

#define SIZED_MAX 268435455 /* bytes of anything with a length before it */

/* A line that is read: the first thing that is missing or wrong sticks. */
struct line {
	const struct json_object *row;
	const char *number_name;
	struct buf bytes[6]; /* decoded from base64 */
	size_t used;
	bool bad;
};

static void fail(struct line *l)
{
	l->bad = true;
}

static const struct json_member *find(struct line *l, const char *name, enum json_kind kind)
{
	const struct json_member *m = json_find(l->row, name);

	if (m != NULL && m->kind == kind)
		return m;
	fail(l);
	return NULL;
}

static uint64_t read_number(struct line *l, const char *name)
{
	const struct json_member *m = find(l, name, JSON_NUMBER);

	return m == NULL ? 0 : m->number;
}

/* What may be left out has a value then. */
static uint64_t read_number_or(struct line *l, const char *name, uint64_t otherwise)
{
	return json_find(l->row, name) == NULL ? otherwise : read_number(l, name);
}

static uint32_t read_small(struct line *l, const char *name)
{
	uint64_t number = read_number(l, name);

	if (number > UINT32_MAX)
		fail(l);
	return (uint32_t)number;
}

static bool read_flag(struct line *l, const char *name)
{
	const struct json_member *m = find(l, name, JSON_BOOL);

	return m != NULL && m->number != 0;
}

static struct slice read_text(struct line *l, const char *name)
{
	const struct json_member *m = find(l, name, JSON_TEXT);

	if (m == NULL)
		return SLICE_EMPTY;
	if (m->text.len > SIZED_MAX)
		fail(l);
	return m->text;
}

static struct slice read_topic(struct line *l)
{
	struct slice topic = read_text(l, "topic");

	if (topic.len > UINT16_MAX)
		fail(l);
	return topic;
}

static struct slice read_base64(struct line *l, const char *name)
{
	struct buf *into = &l->bytes[l->used];

	REQUIRE(l->used < ARRAY_LEN(l->bytes));
	l->used++;
	if (!base64_decode(into, read_text(l, name)))
		fail(l);
	return buf_slice(into);
}

static struct row_msg read_message(struct line *l)
{
	struct row_msg m = {
	    .qos = (uint8_t)read_number(l, "qos"),
	    .retain = read_flag(l, "retain"),
	    .number = read_number_or(l, "number", 0),
	    .expires_ms = read_number_or(l, "expires_ms", MSG_NEVER),
	    .has_origin = json_find(l->row, "anonymous") != NULL,
	    .topic = read_topic(l),
	    .forwarded = read_base64(l, "properties"),
	    .payload = read_base64(l, "payload"),
	};

	if (read_number(l, "qos") > 2)
		fail(l);
	if (!m.has_origin)
		return m;
	m.anonymous = read_flag(l, "anonymous");
	m.origin_session = read_number(l, "from_session");
	m.user_key = read_base64(l, "user_key");
	m.user_name = read_text(l, "user");
	m.client_id = read_text(l, "client_id");
	return m;
}

static void put_key_id(struct buf *key, uint64_t id)
{
	buf_put_u64(key, id);
}

static void put_key_pair(struct buf *key, uint64_t id, uint64_t number)
{
	buf_put_u64(key, id);
	buf_put_u64(key, number);
}

/* The shapes (store_tables.def): each appends key and value, unless the line is bad. */
typedef void shape_fn(struct line *l, struct buf *key, struct buf *value);

static void read_meta(struct line *l, struct buf *key, struct buf *value)
{
	struct slice name = read_text(l, "key");

	if (name.len == 0 || name.len > STORE_KEY_MAX || name.data[0] == STORE_TABLE_MARK)
		fail(l);
	buf_put_slice(key, name);
	buf_put_slice(value, read_base64(l, "value"));
}

static void read_by_session(struct line *l, struct buf *key, struct buf *value)
{
	put_key_id(key, read_number(l, "session"));
	buf_put_slice(value, read_base64(l, "value"));
}

static void read_by_pair(struct line *l, struct buf *key, struct buf *value)
{
	put_key_pair(key, read_number(l, "session"), read_number(l, l->number_name));
	buf_put_slice(value, read_base64(l, "value"));
}

static void read_queue(struct line *l, struct buf *key, struct buf *value)
{
	struct row_queue q = {.has_body = json_find(l->row, "body") != NULL,
	                      .bytes = read_small(l, "bytes"),
	                      .value = read_base64(l, "value")};
	struct buf message = {0};
	struct row_msg m;

	put_key_pair(key, read_number(l, "session"), read_number(l, l->number_name));
	if (q.has_body) {
		q.body_id = read_number(l, "body");
	} else {
		m = read_message(l);
		if (!l->bad)
			row_put_msg(&message, &m);
		q.message = buf_slice(&message);
	}
	if (!l->bad)
		row_put_queue(value, &q);
	buf_fini(&message);
}

static void read_body(struct line *l, struct buf *key, struct buf *value)
{
	struct row_msg m = read_message(l);

	put_key_id(key, read_number(l, l->number_name));
	if (!l->bad)
		row_put_msg(value, &m);
}

static void read_refs(struct line *l, struct buf *key, struct buf *value)
{
	put_key_id(key, read_number(l, l->number_name));
	row_put_refs(value, read_small(l, "refs"));
}

static void read_retained(struct line *l, struct buf *key, struct buf *value)
{
	struct row_retained r = {.number = read_number(l, l->number_name),
	                         .has_msg = !read_flag(l, "deleted"),
	                         .value = read_base64(l, "value"),
	                         .topic = read_topic(l)};
	struct row_key at;

	if (r.has_msg)
		r.msg = read_message(l);
	buf_put_slice(key, row_key_topic(&at, r.topic));
	if (!l->bad)
		row_put_retained(value, &r);
}

static void read_user(struct line *l, struct buf *key, struct buf *value)
{
	struct slice id = read_base64(l, "id");

	if (id.len != 8)
		fail(l);
	buf_put_slice(key, id);
	buf_put_u64(key, read_number(l, "name"));
	buf_put_slice(value, read_base64(l, "value"));
}

static void read_will(struct line *l, struct buf *key, struct buf *value)
{
	struct row_will w = {.value = read_base64(l, "value"), .msg = read_message(l)};

	put_key_id(key, read_number(l, "session"));
	if (!l->bad)
		row_put_will(value, &w);
}

static shape_fn *const shapes[TABLES] = {
#define TABLE(id, name, rows, shape, number) [TABLE_##id] = read_##shape,
#include "store/store_tables.def"
};

/* An encoder writes what a decoder refuses only where the line says what no row can: no references,
 * ... */
static bool is_readable(enum store_table table, struct slice key, struct slice value)
{
	struct buf line = {0};
	struct json_object row;
	bool readable;

	row_json_put(&line, table, key, value);
	readable = json_parse(slice_of(line.data, line.len - 1), &row);
	if (readable) {
		readable = json_find(&row, "unreadable") == NULL;
		json_fini(&row);
	}
	buf_fini(&line);
	return readable;
}

static bool find_table(const struct json_object *row, enum store_table *table)
{
	struct slice name = json_text_of(row, "table");

	for (unsigned i = 0; i < TABLES; i++) {
		*table = (enum store_table)i;
		if (slice_equal(name, slice_of_str(store_tables_name(*table))))
			return true;
	}
	return false;
}

bool row_json_read(const struct json_object *row, enum store_table *table, struct buf *key,
                   struct buf *value)
{
	struct line line = {.row = row};
	size_t key_at = key->len, value_at = value->len;

	/* mutant: load_unreadable_lines */
	if (json_find(row, "unreadable") != NULL || !find_table(row, table))
		return false;
	line.number_name = row_json_number_name(*table);
	shapes[*table](&line, key, value);
	for (size_t i = 0; i < line.used; i++)
		buf_fini(&line.bytes[i]);
	/* mutant: load_unreadable_rows */
	return !line.bad && is_readable(*table, slice_skip(buf_slice(key), key_at),
	                                slice_skip(buf_slice(value), value_at));
}
