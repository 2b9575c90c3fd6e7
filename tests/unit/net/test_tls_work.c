/* Input that costs TLS much and moves nothing: what is counted, by the pure counter and by a real
 * connection that is sent records no library would send. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "net/loop_internal.h"
#include "net/tls/tls_work.h"
#include "net_client.h"
#include "net_fixture.h"
#include "raw_tls.h"
#include "tls_server.h"

static struct tls_server server;
static struct tls_context *context;

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	tls_server_init(&server);
	net_fixture_log_start();
	return 0;
}

/* Of each test, and with it the number of its lines in the log. */
static int new_context(void **state)
{
	(void)state;
	tls_context_unref(&context);
	context = tls_server_context(&server);
	net_fixture_log_clear();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	net_fixture_log_stop();
	tls_context_unref(&context);
	tls_server_fini(&server);
	return 0;
}

/* --- the counter --- */

/* `count` records of `body` bytes each, taken as OpenSSL does, from input in pieces of `piece`:
 * how many were let through. */
static unsigned take_records(struct tls_work *w, unsigned count, size_t body, size_t piece)
{
	struct buf all = {0};
	struct slice left;
	unsigned finished;

	for (unsigned i = 0; i < count; i++) {
		const uint8_t header[] = {23, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};

		buf_put(&all, header, sizeof(header));
		for (size_t k = 0; k < body; k++)
			buf_put_u8(&all, 0xff);
	}
	left = buf_slice(&all);
	finished = w->finished;
	for (;;) {
		struct slice in = slice_of(left.data, left.len < piece ? left.len : piece);
		size_t n = tls_work_take(w, in, 5 + body);

		if (n == 0)
			break;
		left = slice_skip(left, n);
	}
	buf_fini(&all);
	return w->finished - finished;
}

static void records_are_counted_whatever_their_pieces(void **state)
{
	static const struct {
		size_t body, piece;
	} rows[] = {{1, 1},     {1, 100},       {17, 3}, {300, 7},
	            {16640, 5}, {16640, 65536}, {0, 1},  {0, 99}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_work w = {.may_begin = 7};

		assert_int_equal(take_records(&w, 20, rows[i].body, rows[i].piece), 7);
		assert_int_equal(w.may_begin, 0);
		assert_int_equal(w.header_len, 0);
		assert_int_equal(w.body_left, 0);
	}
}

/* One call of OpenSSL: `idle` records, then one with `got` bytes (0: none). */
static bool call(struct tls_work *w, unsigned idle, size_t got)
{
	if (!tls_work_begin(w))
		return false;
	(void)take_records(w, idle + (got > 0), 20, 65536);
	tls_work_end(w, got);
	return true;
}

static void a_turn_has_so_many_records(void **state)
{
	struct tls_work w = {0};
	unsigned n = 0;

	(void)state;
	tls_work_turn(&w, 1000);
	while (call(&w, 0, 100))
		n++;
	assert_int_equal(n, TLS_RECORDS_PER_TURN);
	tls_work_turn(&w, 1000);
	assert_true(call(&w, 1000, 0)); /* offered: only some are taken */
	assert_int_equal(w.idle, TLS_IDLE_PER_TURN + 1);
	assert_false(tls_work_begin(&w));
	tls_work_turn(&w, 1000);
	assert_true(tls_work_begin(&w));
}

static void idle_records_are_too_much(void **state)
{
	struct tls_work w = {0};
	unsigned n = 0;

	(void)state;
	while (tls_work_excess(&w).counted == NULL) {
		tls_work_turn(&w, 1000 + 100000 * n++); /* slowly */
		assert_true(call(&w, 1, 50));           /* data that makes no packet */
	}
	assert_int_equal(n, TLS_IDLE_MAX + 1);
	assert_int_equal(tls_work_excess(&w).number, TLS_IDLE_MAX + 1);
	assert_int_equal(tls_work_excess(&w).bound, TLS_IDLE_MAX);
	tls_work_moved(&w);
	assert_null(tls_work_excess(&w).counted);

	w = (struct tls_work){0};
	for (n = 0; tls_work_excess(&w).counted == NULL; n++) {
		tls_work_turn(&w, 1000 + n);
		assert_true(call(&w, 1, 50));
		tls_work_moved(&w); /* each time a packet */
	}
	assert_int_equal(n, TLS_IDLE_PER_SECOND + 1);
	tls_work_turn(&w, 3000);
	assert_null(tls_work_excess(&w).counted);
}

static void data_is_never_too_much(void **state)
{
	struct tls_work w = {0};
	uint64_t now_ms = 1000;
	unsigned delays = 0;

	(void)state;
	for (unsigned n = 0; n < 10 * TLS_SMALL_PER_SECOND; n++) {
		tls_work_turn(&w, now_ms);
		assert_true(call(&w, 0, 1));
		assert_null(tls_work_excess(&w).counted);
		if (tls_work_delay_ms(&w, now_ms) > 0) {
			now_ms += tls_work_delay_ms(&w, now_ms);
			delays++;
		}
	}
	assert_int_equal(delays, 10);
	w = (struct tls_work){0};
	for (unsigned n = 0; n < 10 * TLS_SMALL_PER_SECOND; n++) {
		tls_work_turn(&w, now_ms);
		assert_true(call(&w, 0, n % 2 == 0 ? 1 : TLS_SMALL_BYTES));
		if (n % 100 == 0)
			tls_work_moved(&w);
		assert_int_equal(tls_work_delay_ms(&w, now_ms), 0);
	}
}

static void a_handshake_has_bounds(void **state)
{
	struct tls_work w = {0};
	unsigned turns = 0;

	(void)state;
	while (tls_work_handshake_excess(&w).counted == NULL) {
		tls_work_begin_handshake(&w);
		assert_int_equal(take_records(&w, 1000, 1, 65536), TLS_HANDSHAKE_PER_TURN);
		tls_work_end_handshake(&w, false);
		turns++;
	}
	assert_int_equal(turns, TLS_HANDSHAKE_RECORDS_MAX / TLS_HANDSHAKE_PER_TURN + 1);

	for (int seen = 0; seen < 2; seen++) {
		uint32_t max = TLS_HELLO_BYTES_MAX + (seen ? TLS_HANDSHAKE_BYTES_MAX : 0);

		w = (struct tls_work){.hello_seen = seen};
		tls_work_begin_handshake(&w);
		(void)take_records(&w, 16, 16000, 1000);
		tls_work_end_handshake(&w, seen);
		assert_int_equal(tls_work_handshake_excess(&w).bound, max);
		assert_in_range(w.handshake_bytes, max + 1, max + 1000);
	}
	assert_string_equal(tls_work_handshake_excess(&w).counted, "bytes of a handshake");
}

/* --- attacks on a connection --- */

#define FLOOD_BYTES 65536

typedef void put_fn(struct raw_tls *r, struct buf *out);

static void put_key_update(struct raw_tls *r, struct buf *out)
{
	raw_tls_put_key_update(r, out, true, 1);
}

static void put_quiet_key_update(struct raw_tls *r, struct buf *out)
{
	raw_tls_put_key_update(r, out, false, 1);
}

static void put_key_update_in_pieces(struct raw_tls *r, struct buf *out)
{
	raw_tls_put_key_update(r, out, true, 5);
}

static void put_data(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_DATA, SLICE("x"), 0);
}

static void put_empty(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_DATA, SLICE_EMPTY, 0);
}

/* OpenSSL itself ends it after 32 in a row. */
static void put_empties_and_data(struct raw_tls *r, struct buf *out)
{
	for (int i = 0; i < 10; i++)
		put_empty(r, out);
	put_data(r, out);
}

static void put_padded_empty(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_DATA, SLICE_EMPTY, 1000);
	put_data(r, out);
}

/* user_canceled is what TLS 1.3 still takes as a warning; five in a row are OpenSSL's own bound. */
static void put_warning_and_data(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_ALERT, SLICE("\x01\x5a"), 0);
	put_data(r, out);
}

static void put_warnings(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_ALERT, SLICE("\x01\x5a"), 0);
}

/* As far as anybody reads it: it is refused by its type. */
static void put_hello(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_HANDSHAKE, SLICE("\x01\0\0\x04\x03\x03\0\0"), 0);
	put_data(r, out);
}

static void put_messages_of_servers(struct raw_tls *r, struct buf *out)
{
	raw_tls_put(r, out, RAW_HANDSHAKE, SLICE("\x04\0\0\x01\0"), 0); /* NewSessionTicket */
}

/* Nothing that it says is a whole packet. */
static void only_listen(struct net_fixture_conn *c, struct slice bytes)
{
	mutex_lock(&c->fixture->lock);
	c->fixture->facts[0] += bytes.len;
	if (c->fixture->facts[1] < bytes.len)
		c->fixture->facts[1] = bytes.len; /* the most in a turn */
	condition_broadcast(&c->fixture->changed);
	mutex_unlock(&c->fixture->lock);
}

static void open_raw(struct net_client *c, struct raw_tls *raw, const struct net_fixture *h,
                     int version)
{
	struct net_client_options options = {.min_version = version,
	                                     .max_version = version,
	                                     .suites_12 = RAW_SUITE_12,
	                                     .suites_13 = RAW_SUITE_13,
	                                     .prepare = raw_tls_watch};

	assert_true(net_client_open(c, h->port, &options));
	assert_true(raw_tls_init(raw, c->ssl));
}

static void send_flood(const struct net_client *c, struct raw_tls *raw, put_fn *put)
{
	struct buf out = {0};
	size_t sent = 0;

	while (out.len < FLOOD_BYTES)
		put(raw, &out);
	while (sent < out.len) {
		ssize_t n = send(c->fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break; /* it was closed */
		sent += (size_t)n;
	}
	buf_fini(&out);
}

static unsigned number_in(const char *line, const char *field)
{
	const char *at = strstr(line, field);

	assert_non_null(at);
	return (unsigned)strtoul(at + strlen(field), NULL, 10);
}

struct attack {
	const char *name;
	int version;
	put_fn *put;
	enum event event;
	const char *text; /* in its line */
};

static void check_attack(const struct attack *a)
{
	struct net_fixture h;
	struct net_client c;
	struct raw_tls raw;
	const char *line;

	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = only_listen}, context, NULL);
	open_raw(&c, &raw, &h, a->version);
	send_flood(&c, &raw, a->put);
	line = net_fixture_log_wait(a->event, a->text);
	if (a->event == EVENT_TLS_EXCESS) {
		assert_non_null(strstr(line, "peer=127.0.0.1:"));
		assert_int_equal(number_in(line, "bound="), TLS_IDLE_MAX);
		assert_in_range(number_in(line, "number="), TLS_IDLE_MAX + 1,
		                TLS_IDLE_MAX + 1 + TLS_IDLE_PER_TURN);
	}
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_TLS);
	net_client_close(&c);
	net_fixture_stop(&h);
}

static void what_moves_nothing_is_ended(void **state)
{
	static const char idle[] =
	    "counted=\"records without data since the last whole MQTT packet\"";
	static const struct attack rows[] = {
	    {"key updates", TLS1_3_VERSION, put_key_update, EVENT_TLS_EXCESS, idle},
	    {"without answer", TLS1_3_VERSION, put_quiet_key_update, EVENT_TLS_EXCESS, idle},
	    {"in pieces", TLS1_3_VERSION, put_key_update_in_pieces, EVENT_TLS_EXCESS, idle},
	    {"empty", TLS1_3_VERSION, put_empty, EVENT_TLS_BROKEN, "record too small"},
	    {"empty and data", TLS1_3_VERSION, put_empties_and_data, EVENT_TLS_EXCESS, idle},
	    {"padded", TLS1_3_VERSION, put_padded_empty, EVENT_TLS_EXCESS, idle},
	    {"warnings", TLS1_3_VERSION, put_warnings, EVENT_TLS_BROKEN, "too many warn alerts"},
	    {"warnings, data", TLS1_3_VERSION, put_warning_and_data, EVENT_TLS_EXCESS, idle},
	    {"ClientHello", TLS1_3_VERSION, put_hello, EVENT_TLS_BROKEN, "unexpected message"},
	    {"ticket", TLS1_3_VERSION, put_messages_of_servers, EVENT_TLS_BROKEN,
	     "unexpected message"},
	    {"1.2: empty", TLS1_2_VERSION, put_empty, EVENT_TLS_BROKEN, "record too small"},
	    {"1.2: empty and data", TLS1_2_VERSION, put_empties_and_data, EVENT_TLS_EXCESS, idle},
	    {"1.2: warnings", TLS1_2_VERSION, put_warnings, EVENT_TLS_BROKEN,
	     "too many warn alerts"},
	    {"1.2: warnings, data", TLS1_2_VERSION, put_warning_and_data, EVENT_TLS_EXCESS, idle},
	    {"1.2: renegotiation", TLS1_2_VERSION, put_hello, EVENT_TLS_EXCESS, idle},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].name);
		check_attack(&rows[i]);
	}
}

/* With a packet between them they may come, but not so many in a second. */
static void packets_between_do_not_help_for_long(void **state)
{
	struct net_fixture h;
	struct net_client c;
	const char *line;

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	assert_true(net_client_open(&c, h.port,
	                            &(struct net_client_options){.min_version = TLS1_3_VERSION}));
	for (int i = 0; i < 100000; i++) {
		if (SSL_key_update(c.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		    !net_client_send(&c, "ping", 4))
			break;
	}
	line =
	    net_fixture_log_wait(EVENT_TLS_EXCESS, "counted=\"records without data in a second\"");
	assert_int_equal(number_in(line, "bound="), TLS_IDLE_PER_SECOND);
	net_fixture_wait(&h, &h.ended, 1);
	net_client_close(&c);
	net_fixture_stop(&h);
}

/* A byte a record: a small device. Its share of a turn, and of a second; it is never closed. */
static void bytes_in_records_of_their_own(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	enum {
		BYTES = TLS_SMALL_PER_SECOND + 200,
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct net_fixture h;
		struct net_client c;
		struct raw_tls raw;
		struct buf out = {0};

		net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = only_listen}, context,
		                  NULL);
		open_raw(&c, &raw, &h, versions[i]);
		for (int k = 0; k < BYTES; k++)
			put_data(&raw, &out);
		assert_int_equal(send(c.fd, out.data, out.len, MSG_NOSIGNAL), out.len);
		net_fixture_wait_fact(&h, 0, BYTES);
		assert_in_range(h.facts[1], 1, TLS_RECORDS_PER_TURN);
		assert_int_equal(net_fixture_log_count(EVENT_TLS_EXCESS), 0);
		assert_int_equal(net_fixture_log_count(EVENT_TLS_BROKEN), 0);
		buf_fini(&out);
		net_client_close(&c); /* breaks it: the library knows nothing of these records */
		net_fixture_stop(&h);
		net_fixture_log_clear();
	}
}

/* Where is its turn: in the poll, or in a queue, of which some run in each turn? */
static void note_place(struct net_fixture_conn *c, struct slice bytes)
{
	bool queued = c->at->loop->poll_until_ns == UINT64_MAX;

	net_fixture_set_fact(c->fixture, queued ? 0 : 1, 1);
	stream_note_packet(c->stream);
	net_fixture_echo(c, bytes);
}

static uint64_t fact_of(struct net_fixture *h, unsigned fact)
{
	uint64_t value;

	mutex_lock(&h->lock);
	value = h->facts[fact];
	mutex_unlock(&h->lock);
	return value;
}

/* However many there are of them: the others do not wait for all. */
static void who_has_sent_no_packet_has_a_share_of_a_turn(void **state)
{
	struct net_fixture h;
	struct net_client c;
	char echo[4];

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = note_place}, context, NULL);
	assert_true(net_client_open(&c, h.port, &(struct net_client_options){0}));
	net_fixture_wait(&h, &h.opened, 1);
	assert_true(net_client_send(&c, "ping", 4));
	assert_true(net_client_recv(&c, echo, 4));
	assert_int_equal(fact_of(&h, 0), 1);
	assert_int_equal(fact_of(&h, 1), 0);
	for (int i = 0; i < 10000 && fact_of(&h, 1) == 0; i++) {
		assert_true(net_client_send(&c, "ping", 4));
		assert_true(net_client_recv(&c, echo, 4));
	}
	assert_int_equal(fact_of(&h, 1), 1);
	net_client_close(&c);
	net_fixture_stop(&h);
}

/* --- handshakes --- */

/* The first flight of a client, without its record header. */
static void client_hello(struct buf *out)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *sent = BIO_new(BIO_s_mem());
	char *bytes;
	long len;

	SSL_set_bio(ssl, in, sent);
	(void)SSL_connect(ssl);
	len = BIO_get_mem_data(sent, &bytes);
	assert_true(len > 200);
	buf_put(out, bytes + 5, (size_t)len - 5);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

/* `hello` in records of `piece` bytes: does the server answer it? */
static bool is_answered(struct net_fixture *h, struct slice hello, size_t piece)
{
	struct buf out = {0};
	int fd = net_client_dial(h->port);
	uint8_t first = 0;

	while (hello.len > 0) {
		size_t n = hello.len < piece ? hello.len : piece;

		buf_put(&out, "\x16\x03\x01", 3);
		buf_put_u16(&out, (uint16_t)n);
		buf_put(&out, hello.data, n);
		hello = slice_skip(hello, n);
	}
	for (size_t sent = 0; sent < out.len;) {
		ssize_t n = send(fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	(void)!recv(fd, &first, 1, 0);
	buf_fini(&out);
	close(fd);
	return first == 0x16;
}

static void a_hello_in_pieces(void **state)
{
	struct buf hello = {0};
	struct net_fixture h;
	const char *line;

	(void)state;
	client_hello(&hello);
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	assert_true(is_answered(&h, buf_slice(&hello), 16384));
	assert_true(is_answered(&h, buf_slice(&hello), 64)); /* a small device */
	assert_true(is_answered(&h, buf_slice(&hello), hello.len / 100));
	assert_int_equal(net_fixture_log_count(EVENT_TLS_EXCESS), 0);
	assert_false(is_answered(&h, buf_slice(&hello), 1));
	line = net_fixture_log_wait(EVENT_TLS_EXCESS, "counted=\"records of a handshake\"");
	assert_int_equal(number_in(line, "bound="), TLS_HANDSHAKE_RECORDS_MAX);
	assert_in_range(number_in(line, "number="), TLS_HANDSHAKE_RECORDS_MAX + 1,
	                TLS_HANDSHAKE_RECORDS_MAX + TLS_HANDSHAKE_PER_TURN);
	buf_fini(&hello);
	net_fixture_stop(&h);
}

/* OpenSSL would take 131,396 bytes, and compare each key share with each group. */
static void a_hello_that_is_long(void **state)
{
	struct buf hello = {0};
	struct net_fixture h;
	const char *line;

	(void)state;
	buf_put(&hello, "\x01\x01\xff\0\x03\x03", 6);
	while (hello.len < 100000)
		buf_put_u8(&hello, 0);
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	assert_false(is_answered(&h, buf_slice(&hello), 16000));
	line = net_fixture_log_wait(EVENT_TLS_EXCESS, "counted=\"bytes of a ClientHello\"");
	assert_int_equal(number_in(line, "bound="), TLS_HELLO_BYTES_MAX);
	buf_fini(&hello);
	net_fixture_stop(&h);
}

static void put_extension(struct buf *out, uint16_t type, const struct buf *body)
{
	buf_put_u16(out, type);
	buf_put_u16(out, (uint16_t)body->len);
	buf_put_slice(out, buf_slice(body));
}

/* TLS 1.3 with `groups` groups, the last of them X25519, and a share for it. */
static void hello_with_groups(struct buf *out, unsigned groups)
{
	static const uint8_t share[] = {0, 36, 0, 29, 0, 32, 9};
	struct buf extensions = {0}, b = {0};
	uint8_t random[32] = {7};

	buf_put(&b, "\x02\x03\x04", 3);
	put_extension(&extensions, 43, &b);
	buf_clear(&b);
	buf_put_u16(&b, (uint16_t)(2 * groups));
	for (unsigned i = 1; i < groups; i++)
		buf_put_u16(&b, 0xfe00);
	buf_put_u16(&b, 29);
	put_extension(&extensions, 10, &b);
	buf_clear(&b);
	buf_put(&b, "\0\x02\x04\x03", 4);
	put_extension(&extensions, 13, &b);
	buf_clear(&b);
	buf_put(&b, share, sizeof(share));
	while (b.len < 38)
		buf_put_u8(&b, 1);
	put_extension(&extensions, 51, &b);
	buf_clear(&b);
	buf_put(&b, "\x03\x03", 2);
	buf_put(&b, random, sizeof(random));
	buf_put(&b, "\0\0\x02\x13\x01\x01\0", 7);
	buf_put_u16(&b, (uint16_t)extensions.len);
	buf_put_slice(&b, buf_slice(&extensions));
	buf_put(out, "\x01\0", 2);
	buf_put_u16(out, (uint16_t)b.len);
	buf_put_slice(out, buf_slice(&b));
	buf_fini(&extensions);
	buf_fini(&b);
}

static void a_hello_with_very_many_groups(void **state)
{
	static const struct {
		unsigned groups;
		bool answered;
	} rows[] = {{1, true}, {20, true}, {128, true}, {129, false}, {4000, false}};
	struct net_fixture h;

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf hello = {0};

		hello_with_groups(&hello, rows[i].groups);
		assert_int_equal(is_answered(&h, buf_slice(&hello), 16384), rows[i].answered);
		buf_fini(&hello);
	}
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "more than 128 key-exchange groups");
	net_fixture_stop(&h);
}

/* A share that the server cannot use, twice: it asks for another one only once. */
static void the_hello_is_asked_for_again_only_once(void **state)
{
	struct buf hello = {0}, flight = {0};
	struct net_fixture h;
	uint8_t back[512];
	size_t got = 0;
	ssize_t n;
	int fd;

	(void)state;
	hello_with_groups(&hello, 2);
	hello.data[hello.len - 35] = 30; /* the share is of X448 */
	hello.data[hello.len - 54] = 0;  /* which is among the groups */
	hello.data[hello.len - 53] = 30;
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	fd = net_client_dial(h.port);
	for (int i = 0; i < 5; i++) {
		buf_put(&flight, "\x16\x03\x01", 3);
		buf_put_u16(&flight, (uint16_t)hello.len);
		buf_put_slice(&flight, buf_slice(&hello));
	}
	assert_int_equal(send(fd, flight.data, flight.len, MSG_NOSIGNAL), flight.len);
	while ((n = recv(fd, back + got, sizeof(back) - got, 0)) > 0)
		got += (size_t)n;
	assert_true(got > 5);
	assert_int_equal(back[0], 0x16); /* HelloRetryRequest */
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "bad key share");
	close(fd);
	buf_fini(&hello);
	buf_fini(&flight);
	net_fixture_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_counted_whatever_their_pieces),
	    cmocka_unit_test(a_turn_has_so_many_records),
	    cmocka_unit_test(idle_records_are_too_much),
	    cmocka_unit_test(data_is_never_too_much),
	    cmocka_unit_test(a_handshake_has_bounds),
	    cmocka_unit_test_setup(what_moves_nothing_is_ended, new_context),
	    cmocka_unit_test_setup(packets_between_do_not_help_for_long, new_context),
	    cmocka_unit_test_setup(bytes_in_records_of_their_own, new_context),
	    cmocka_unit_test_setup(who_has_sent_no_packet_has_a_share_of_a_turn, new_context),
	    cmocka_unit_test_setup(a_hello_in_pieces, new_context),
	    cmocka_unit_test_setup(a_hello_that_is_long, new_context),
	    cmocka_unit_test_setup(a_hello_with_very_many_groups, new_context),
	    cmocka_unit_test_setup(the_hello_is_asked_for_again_only_once, new_context),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
