/* Rows: what is written is read again, the bytes are those of the format, and what was not written
 * by us is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/row.h"
#include "store/row_json.h"
#include "store/row_json_read.h"

/* --- vectors: the format is for ever --- */

/* The smallest: topic "t", nothing else. */
#define SMALL "\x00\x00\x01t\x00"
/* Everything: QoS 2, retain, number 7, expires at 256, of session 9, with user and client. */
#define FULL                                                                                       \
	"\x3e\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x01\x00"                     \
	"\x00\x00\x00\x00\x00\x00\x00\x09\x01k\x04"                                                \
	"anna\x02"                                                                                 \
	"c1\x00\x03"                                                                               \
	"a/b\x02\x01\x00on"

enum kind { MSG, QUEUE, RETAINED, WILL, REFS };

/* Read and written again into `out`. */
static bool again(enum kind kind, struct slice row, struct buf *out)
{
	struct row_msg m;
	struct row_queue q;
	struct row_retained r;
	struct row_will w;
	uint32_t refs;

	switch (kind) {
	case MSG:
		return row_read_msg(row, &m) && (row_put_msg(out, &m), true);
	case QUEUE:
		return row_read_queue(row, &q) && (row_put_queue(out, &q), true);
	case RETAINED:
		return row_read_retained(row, &r) && (row_put_retained(out, &r), true);
	case WILL:
		return row_read_will(row, &w) && (row_put_will(out, &w), true);
	case REFS:
		return row_read_refs(row, &refs) && (row_put_refs(out, refs), true);
	}
	return false;
}

static const struct {
	const char *name;
	enum kind kind;
	struct slice row;
	bool good;
} vectors[] = {
    {"smallest message", MSG, SLICE_INIT(SMALL), true},
    {"message with all there is", MSG, SLICE_INIT(FULL), true},
    {"of an anonymous client", MSG,
     SLICE_INIT("\x60\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x01t\x00x"), true},
    {"no topic", MSG, SLICE_INIT("\x01\x00\x00\x00"), true},
    {"QoS 3", MSG, SLICE_INIT("\x03\x00\x01t\x00"), false},
    {"an unknown flag", MSG, SLICE_INIT("\x80\x00\x01t\x00"), false},
    {"anonymous without an origin", MSG, SLICE_INIT("\x40\x00\x01t\x00"), false},
    {"a number that is none", MSG, SLICE_INIT("\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01t\x00"),
     false},
    {"an expiry that is never", MSG,
     SLICE_INIT("\x10\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01t\x00"), false},
    {"a length that is longer than it must be", MSG, SLICE_INIT("\x00\x00\x01t\x80\x00"), false},
    {"topic past the end", MSG, SLICE_INIT("\x00\x00\x09t\x00"), false},
    {"properties past the end", MSG, SLICE_INIT("\x00\x00\x01t\x05"), false},
    {"nothing", MSG, SLICE_INIT(""), false},
    {"queue, message inside", QUEUE, SLICE_INIT("\x00\x00\x00\x01\x00\x02vv" SMALL), true},
    {"queue, a body", QUEUE, SLICE_INIT("\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00"),
     true},
    {"queue, message missing", QUEUE, SLICE_INIT("\x00\x00\x00\x01\x00\x00"), false},
    {"queue, a body and a message", QUEUE,
     SLICE_INIT("\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00x"), false},
    {"queue of a third kind", QUEUE, SLICE_INIT("\x02\x00\x00\x01\x00\x00x"), false},
    {"retained", RETAINED, SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x07\x01\x00" FULL), true},
    {"retained, with an owner", RETAINED,
     SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x07\x01\x03own" FULL), true},
    {"deleted", RETAINED, SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x07\x00\x03ownt/t"), true},
    {"neither there nor deleted", RETAINED,
     SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x07\x02\x00" FULL), false},
    {"retained, broken message", RETAINED,
     SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x07\x01\x00\x03\x00\x01t\x00"), false},
    {"will", WILL, SLICE_INIT("\x02vv" FULL), true},
    {"will without a message", WILL, SLICE_INIT("\x02vv"), false},
    {"references", REFS, SLICE_INIT("\x00\x00\x00\x02"), true},
    {"no reference", REFS, SLICE_INIT("\x00\x00\x00\x00"), false},
    {"a byte too many", REFS, SLICE_INIT("\x00\x00\x00\x02\x00"), false},
};

static void row_vectors_decode_and_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out = {0};
		bool good = again(vectors[i].kind, vectors[i].row, &out);

		if (good != vectors[i].good ||
		    (good && !slice_equal(buf_slice(&out), vectors[i].row)))
			fail_msg("%s", vectors[i].name);
		buf_fini(&out);
	}
}

/* What is cut is refused, or is read as what it is. */
static void row_prefix_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		for (size_t len = 0; len < vectors[i].row.len; len++) {
			char *bytes = slice_dup(slice_of(vectors[i].row.data, len));
			struct slice copy = slice_of(bytes, len);
			struct buf out = {0};

			if (again(vectors[i].kind, copy, &out) &&
			    !slice_equal(buf_slice(&out), copy))
				fail_msg("%s, %zu bytes", vectors[i].name, len);
			buf_fini(&out);
			free(bytes);
		}
	}
}

static void message_in_row_comes_back_equal(void **state)
{
	struct origin *o = origin_new(false, 9, SLICE("k"), SLICE("anna"), SLICE("c1"));
	struct msg_parts parts = {
	    .qos = 2,
	    .retain = true,
	    .expires_ms = 5000,
	    .topic = SLICE("a/b"),
	    .forwarded = SLICE("\x01\x00"),
	    .payload = SLICE("on"),
	};
	struct msg *m = msg_new(o, &parts), *back, *second;
	struct origin *shared = NULL;
	struct row_msg row;
	struct buf out = {0};

	(void)state;
	m->number = 7;
	row = row_msg_of(m, 256);
	row_put_msg(&out, &row);
	assert_true(slice_equal(buf_slice(&out), SLICE(FULL)));
	assert_true(row_read_msg(buf_slice(&out), &row));
	assert_int_equal(row.expires_ms, 256);
	back = row_msg_new(&row, 5000, &shared);
	second = row_msg_new(&row, 1, &shared);
	assert_ptr_equal(back->origin, second->origin);
	assert_int_equal(back->qos, 2);
	assert_true(back->retain);
	assert_int_equal(back->number, 7);
	assert_int_equal(back->expires_ms, 5000);
	assert_int_equal(second->expires_ms, 1);
	assert_true(slice_equal(msg_topic(back), SLICE("a/b")));
	assert_true(slice_equal(msg_forwarded(back), SLICE("\x01\x00")));
	assert_true(slice_equal(msg_payload(back), SLICE("on")));
	assert_true(slice_equal(back->origin->user_key, SLICE("k")));
	assert_true(slice_equal(back->origin->user_name, SLICE("anna")));
	assert_true(slice_equal(back->origin->client_id, SLICE("c1")));
	assert_int_equal(back->origin->session_id, 9);

	/* Another origin, and none. */
	msg_unref(&second);
	row.client_id = SLICE("c2");
	second = row_msg_new(&row, 1, &shared);
	assert_true(slice_equal(second->origin->client_id, SLICE("c2")));
	msg_unref(&second);
	row.has_origin = false;
	second = row_msg_new(&row, 1, &shared);
	assert_null(second->origin);
	msg_unref(&second);
	msg_unref(&back);
	msg_unref(&m);
	origin_unref(&shared);
	origin_unref(&o);
	buf_fini(&out);
}

static void row_keys_sort_by_number(void **state)
{
	struct row_key a, b;
	uint64_t id, number;

	(void)state;
	assert_true(slice_compare(row_key_pair(&a, 1, UINT64_MAX), row_key_pair(&b, 2, 0)) < 0);
	assert_true(slice_compare(row_key_pair(&a, 256, 255), row_key_pair(&b, 256, 256)) < 0);
	assert_true(slice_equal(row_key_id(&a, 0x0102030405060708u),
	                        SLICE("\x01\x02\x03\x04\x05\x06\x07\x08")));
	assert_true(row_key_read_pair(row_key_pair(&a, 3, 4), &id, &number));
	assert_int_equal(id, 3);
	assert_int_equal(number, 4);
	assert_false(row_key_read_pair(row_key_id(&a, 3), &id, &number));
	assert_false(row_key_read_id(row_key_pair(&a, 3, 4), &id));
	/* SHA-256 of "abc" (FIPS 180-4). */
	assert_true(slice_equal(row_key_topic(&a, SLICE("abc")),
	                        SLICE("\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22"
	                              "\x23")));
}

#define MESSAGE(qos, payload)                                                                      \
	"\"topic\":\"t\",\"qos\":" #qos                                                            \
	",\"retain\":false,\"properties\":\"\",\"payload\":\"" payload "\""

static void row_of_each_table_prints_json(void **state)
{
	static const struct {
		const char *name;
		enum store_table table;
		struct slice key, value;
		const char *want;
	} rows[] = {
	    {"meta", TABLE_META, SLICE_INIT("format"), SLICE_INIT("\x01"),
	     "{\"table\":\"meta\",\"key\":\"format\",\"value\":\"AQ==\"}\n"},
	    {"session", TABLE_SESSION, SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x05"),
	     SLICE_INIT("abc"), "{\"table\":\"session\",\"session\":5,\"value\":\"YWJj\"}\n"},
	    {"inbound", TABLE_INBOUND,
	     SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09"),
	     SLICE_INIT(""),
	     "{\"table\":\"inbound\",\"session\":5,\"packet_identifier\":9,\"value\":\"\"}\n"},
	    {"queue", TABLE_QUEUE,
	     SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09"),
	     SLICE_INIT("\x00\x00\x00\x01\x00\x02vv" FULL),
	     "{\"table\":\"queue\",\"session\":5,\"position\":9,\"bytes\":256,\"value\":\"dnY=\","
	     "\"topic\":\"a/b\",\"qos\":2,\"retain\":true,\"number\":7,\"expires_ms\":256,"
	     "\"anonymous\":false,\"from_session\":9,\"user_key\":\"aw==\",\"user\":\"anna\","
	     "\"client_id\":\"c1\",\"properties\":\"AQA=\",\"payload\":\"b24=\"}\n"},
	    {"refs", TABLE_BODY_REFS, SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x05"),
	     SLICE_INIT("\x00\x00\x00\x02"), "{\"table\":\"body-refs\",\"body\":5,\"refs\":2}\n"},
	    {"deleted", TABLE_RETAINED, SLICE_INIT("hash"),
	     SLICE_INIT("\x00\x00\x00\x00\x00\x00\x00\x07\x00\x03ownt/t"),
	     "{\"table\":\"retained\",\"change\":7,\"deleted\":true,\"value\":\"b3du\","
	     "\"topic\":\"t/t\"}\n"},
	    {"unreadable", TABLE_WILL, SLICE_INIT("k"), SLICE_INIT("v"),
	     "{\"table\":\"will\",\"unreadable\":true,\"key\":\"aw==\",\"value\":\"dg==\"}\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		row_json_put(&out, rows[i].table, rows[i].key, rows[i].value);
		buf_put_u8(&out, 0);
		assert_string_equal((const char *)out.data, rows[i].want);
		buf_fini(&out);
	}
	assert_string_equal(store_tables_name(TABLE_REPLAY), "replay");
}

static bool read_text(const char *text, enum store_table *table, struct buf *key, struct buf *value)
{
	struct json_object row;
	bool ok;

	assert_true(json_parse(slice_of_str(text), &row));
	ok = row_json_read(&row, table, key, value);
	json_fini(&row);
	return ok;
}

/* Each line that is no row of a store, by one thing alone; the first one is. */
static void lines_become_rows_only_where_they_are_some(void **state)
{
	static const struct {
		const char *name, *text;
		bool want;
	} rows[] = {
	    {"body", "{\"table\":\"body\",\"body\":5," MESSAGE(1, "YQ==") "}", true},
	    {"no table", "{\"body\":5," MESSAGE(1, "YQ==") "}", false},
	    {"another table", "{\"table\":\"bodies\",\"body\":5," MESSAGE(1, "YQ==") "}", false},
	    {"no number", "{\"table\":\"body\"," MESSAGE(1, "YQ==") "}", false},
	    {"text for a number", "{\"table\":\"body\",\"body\":\"5\"," MESSAGE(1, "YQ==") "}",
	     false},
	    {"qos 3", "{\"table\":\"body\",\"body\":5," MESSAGE(3, "YQ==") "}", false},
	    {"qos 257", "{\"table\":\"body\",\"body\":5," MESSAGE(257, "YQ==") "}", false},
	    {"no base64", "{\"table\":\"body\",\"body\":5," MESSAGE(1, "YQ=") "}", false},
	    {"refs", "{\"table\":\"body-refs\",\"body\":5,\"refs\":1}", true},
	    {"no refs", "{\"table\":\"body-refs\",\"body\":5,\"refs\":0}", false},
	    {"too many refs", "{\"table\":\"body-refs\",\"body\":5,\"refs\":4294967297}", false},
	    {"meta", "{\"table\":\"meta\",\"key\":\"a\",\"value\":\"\"}", true},
	    {"meta without a key", "{\"table\":\"meta\",\"key\":\"\",\"value\":\"\"}", false},
	    {"a table's own row", "{\"table\":\"meta\",\"key\":\"~will\",\"value\":\"\"}", false},
	    {"user", "{\"table\":\"user\",\"id\":\"AAAAAAAAAAU=\",\"name\":7,\"value\":\"\"}",
	     true},
	    {"a short id", "{\"table\":\"user\",\"id\":\"AAA=\",\"name\":7,\"value\":\"\"}", false},
	    {"an unreadable row of meta",
	     "{\"table\":\"meta\",\"unreadable\":true,\"key\":\"aw==\",\"value\":\"dg==\"}", false},
	    {"unreadable",
	     "{\"table\":\"will\",\"unreadable\":true,\"key\":\"aw==\",\"value\":\"dg==\"}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf key = {0}, value = {0};
		enum store_table table;

		if (read_text(rows[i].text, &table, &key, &value) != rows[i].want)
			fail_msg("%s", rows[i].name);
		buf_fini(&key);
		buf_fini(&value);
	}
}

/* What JSON cannot say is not said wrongly. */
static void a_name_that_is_not_utf_8_is_unreadable(void **state)
{
	struct buf line = {0};

	(void)state;
	row_json_put(&line, TABLE_META, SLICE("\xff"), SLICE("v"));
	buf_put_u8(&line, 0);
	assert_non_null(strstr((const char *)line.data, "\"unreadable\":true"));
	buf_fini(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_vectors_decode_and_encode),
	    cmocka_unit_test(row_prefix_is_refused),
	    cmocka_unit_test(message_in_row_comes_back_equal),
	    cmocka_unit_test(row_keys_sort_by_number),
	    cmocka_unit_test(row_of_each_table_prints_json),
	    cmocka_unit_test(lines_become_rows_only_where_they_are_some),
	    cmocka_unit_test(a_name_that_is_not_utf_8_is_unreadable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
