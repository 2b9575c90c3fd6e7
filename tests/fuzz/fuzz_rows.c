/* Rows of the store: the first byte chooses the table.  A valid row is encoded again to the same
 * bytes; an invalid one is reported without a crash, and always in one line. */
#include <stdint.h>

#include "base/require.h"
#include "store/row.h"
#include "store/row_json.h"
#include "store/row_json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(struct slice row, struct buf *out)
{
	struct origin *origin = NULL;
	struct row_msg m;
	struct msg *msg;

	if (!row_read_msg(row, &m))
		return;
	row_put_msg(out, &m);
	REQUIRE(slice_equal(buf_slice(out), row));
	msg = row_msg_new(&m, m.expires_ms, &origin);
	m = row_msg_of(msg, msg->expires_ms);
	buf_clear(out);
	row_put_msg(out, &m);
	REQUIRE(slice_equal(buf_slice(out), row));
	msg_unref(&msg);
	origin_unref(&origin);
}

static void check_queue(struct slice row, struct buf *out)
{
	struct row_queue q;

	if (!row_read_queue(row, &q))
		return;
	row_put_queue(out, &q);
	REQUIRE(slice_equal(buf_slice(out), row));
	buf_clear(out);
	if (!q.has_body)
		check_message(q.message, out);
}

static void check_retained(struct slice row, struct buf *out)
{
	struct row_retained r;

	if (!row_read_retained(row, &r))
		return;
	row_put_retained(out, &r);
	REQUIRE(slice_equal(buf_slice(out), row));
	REQUIRE(!r.has_msg || slice_equal(r.topic, r.msg.topic));
}

static void check_will(struct slice row, struct buf *out)
{
	struct row_will w;

	if (!row_read_will(row, &w))
		return;
	row_put_will(out, &w);
	REQUIRE(slice_equal(buf_slice(out), row));
}

static void check_refs(struct slice row, struct buf *out)
{
	uint32_t refs;

	if (!row_read_refs(row, &refs))
		return;
	row_put_refs(out, refs);
	REQUIRE(slice_equal(buf_slice(out), row));
}

/* What could be printed is read again as the same row; the key of a retained value follows from its
 * topic. */
static void check_read(enum store_table table, struct slice key, struct slice value,
                       struct slice line)
{
	struct buf read_key = {0}, read_value = {0};
	struct json_object row;
	enum store_table read_table;
	bool is_row;

	REQUIRE(json_parse(line, &row));
	is_row = json_find(&row, "unreadable") == NULL;
	/* A store has no such keys, but this fuzzer does. */
	if (table == TABLE_META && (key.len == 0 || key.data[0] == '~'))
		is_row = false;
	else
		REQUIRE(row_json_read(&row, &read_table, &read_key, &read_value) == is_row);
	if (is_row) {
		REQUIRE(read_table == table && slice_equal(buf_slice(&read_value), value));
		REQUIRE(table == TABLE_RETAINED || slice_equal(buf_slice(&read_key), key));
	}
	json_fini(&row);
	buf_fini(&read_key);
	buf_fini(&read_value);
}

static void check_line(enum store_table table, struct slice key, struct slice value)
{
	struct buf line = {0};

	row_json_put(&line, table, key, value);
	REQUIRE(line.len > 2 && line.data[line.len - 1] == '\n');
	for (size_t i = 0; i + 1 < line.len; i++)
		REQUIRE(line.data[i] >= 0x20 && line.data[i] != 0x7f);
	check_read(table, key, value, slice_of(line.data, line.len - 1));
	buf_fini(&line);
}

typedef void check_fn(struct slice row, struct buf *out);

static check_fn *const checks[TABLES] = {
    [TABLE_QUEUE] = check_queue,       [TABLE_BODY] = check_message, [TABLE_BODY_REFS] = check_refs,
    [TABLE_RETAINED] = check_retained, [TABLE_WILL] = check_will,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice row = slice_of(data, size), key;
	enum store_table table;
	struct buf out = {0};

	if (size == 0)
		return 0;
	table = (enum store_table)(data[0] % TABLES);
	row = slice_skip(row, 1);
	if (checks[table] != NULL)
		checks[table](row, &out);
	buf_fini(&out);
	key = slice_of(row.data, row.len < 16 ? row.len : 16);
	check_line(table, key, row);
	check_line(table, slice_of(key.data, key.len / 2), slice_skip(row, key.len));
	return 0;
}
