/* A listener that takes PROXY headers, on a Unix socket: who may send them, in what pieces they
 * come, what happens where they do not, and what the stream says of its peer afterwards. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/array.h"
#include "net/proxy/proxy_stage.h"
#include "net_client.h"
#include "net_fixture.h"
#include "pki.h"

#define V1         "PROXY TCP4 192.0.2.7 192.0.2.1 50123 8883\r\n"
#define V2         "\r\n\r\n\0\r\nQUIT\n"
#define V2_INET4   V2 "\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\xc3\xcb\x22\xb3"
#define TIMEOUT_MS 300

static struct conf_peer trusted[1], allowed[1];
static bool believes_tls;
/* Of the connection that was opened last: peer, key, proxy, TLS version, certificate. */
static char opened_as[5][STREAM_PEER_TEXT];

static void configure(struct conf_listener *conf)
{
	conf->proxy_protocol = PROXY_PROTOCOL_REQUIRED;
	conf->trusted = (struct conf_peers){trusted, 1};
	conf->trust_tls_fields = believes_tls;
	conf->limits.connect_timeout_ms = TIMEOUT_MS;
	if (allowed[0].network.len > 0)
		conf->allow_from = (struct conf_peers){allowed, 1};
}

static void note_peer(struct net_fixture_conn *c)
{
	struct buf names = {0};
	size_t count = 0;

	(void)stream_peer_text(c->stream, opened_as[0], STREAM_PEER_TEXT);
	(void)stream_peer_key_text(c->stream, opened_as[1], STREAM_PEER_TEXT);
	assert_non_null(stream_proxy(c->stream));
	(void)peer_address_text(stream_proxy(c->stream), opened_as[2], STREAM_PEER_TEXT);
	(void)snprintf(opened_as[3], STREAM_PEER_TEXT, "%s", stream_tls_version(c->stream));
	if (stream_has_certificate(c->stream))
		count = stream_certificate_names(c->stream, CERTIFICATE_USER_CN, &names);
	(void)snprintf(opened_as[4], STREAM_PEER_TEXT, "%d,%zu,%.*s",
	               stream_has_certificate(c->stream), count, (int)names.len,
	               names.len == 0 ? "" : (const char *)names.data);
	buf_fini(&names);
	assert_true(stream_accepted_ms(c->stream) > 0);
}

static const char *start(struct net_fixture *h)
{
	const char *path = pki_path("proxy.sock");

	net_fixture_log_clear();
	net_fixture_start(h,
	                  &(struct net_fixture_rules){.on_open = note_peer, .configure = configure},
	                  NULL, path);
	return path;
}

static int open_with(const char *path, struct slice header)
{
	int fd = net_client_dial_unix(path);

	assert_int_equal(write(fd, header.data, header.len), header.len);
	return fd;
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	close(fd);
	return n <= 0;
}

static bool echoes(int fd, const char *text)
{
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	char back[64] = "";
	size_t len = strlen(text);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return recv(fd, back, len, MSG_WAITALL) == (ssize_t)len && strcmp(back, text) == 0;
}

static void the_peer_is_whom_the_header_names(void **state)
{
	static const struct {
		struct slice header;
		const char *peer, *key;
	} rows[] = {
	    {SLICE_INIT(V1), "192.0.2.7:50123", "192.0.2.7"},
	    {SLICE_INIT(V2_INET4), "192.0.2.7:50123", "192.0.2.7"},
	    {SLICE_INIT("PROXY TCP6 2001:db8::7 ::1 50123 8883\r\n"), "[2001:db8::7]:50123",
	     "2001:db8::/64"},
	    {SLICE_INIT("PROXY UNKNOWN\r\n"), NULL, NULL},
	    {SLICE_INIT(V2 "\x20\x00\x00\x00"), NULL, NULL},
	};
	struct net_fixture h;
	const char *path;
	char self[STREAM_PEER_TEXT];

	(void)state;
	(void)snprintf(self, sizeof(self), "unix:uid=%u", (unsigned)geteuid());
	path = start(&h);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf all = {0};
		int fd;

		/* Header and the client's bytes in one piece. */
		buf_put_slice(&all, rows[i].header);
		buf_put_slice(&all, SLICE("hello"));
		fd = open_with(path, buf_slice(&all));
		buf_fini(&all);
		assert_true(echoes(fd, "hello"));
		assert_string_equal(opened_as[0], rows[i].peer == NULL ? self : rows[i].peer);
		assert_string_equal(opened_as[1], rows[i].key == NULL ? self : rows[i].key);
		assert_string_equal(opened_as[2], self);
		assert_string_equal(opened_as[3], "none");
		close(fd);
		net_fixture_wait(&h, &h.ended, (unsigned)i + 1);
	}
	net_fixture_stop(&h);
}

static void headers_in_pieces(void **state)
{
	static const struct slice headers[] = {SLICE_INIT(V1), SLICE_INIT(V2_INET4)};
	struct net_fixture h;
	const char *path = start(&h);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		int fd = net_client_dial_unix(path);

		for (size_t at = 0; at < headers[i].len; at++) {
			assert_int_equal(write(fd, headers[i].data + at, 1), 1);
			usleep(500); /* so that it comes by itself; any grouping is right */
		}
		assert_int_equal(write(fd, "hello", 5), 5);
		assert_true(echoes(fd, "hello"));
		assert_string_equal(opened_as[0], "192.0.2.7:50123");
		close(fd);
	}
	net_fixture_stop(&h);
}

static void what_is_not_a_header(void **state)
{
	static const struct {
		struct slice bytes;
		const char *cause;
	} rows[] = {
	    {SLICE_INIT("\x10\x10\x00\x04MQTT"), "MQTT came without a PROXY header"},
	    {SLICE_INIT("\x16\x03\x01\x02\x00"), "TLS came without a PROXY header"},
	    {SLICE_INIT("PROXY TCP4 1 2 3 4\r\n"), "TCP4 or TCP6"},
	    {SLICE_INIT(V2 "\x21\x11\xff\xff"), "longer than 4096 bytes"},
	};
	struct net_fixture h;
	const char *path = start(&h);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = open_with(path, rows[i].bytes);

		(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, rows[i].cause);
		assert_true(is_closed(fd));
	}
	assert_int_equal(h.opened, 0);
	net_fixture_stop(&h);
}

/* Nothing, a part, and a part that ends. */
static void headers_that_do_not_come(void **state)
{
	struct net_fixture h;
	const char *path = start(&h);
	int silent = net_client_dial_unix(path), slow = open_with(path, SLICE("PROXY TCP4 192.0"));
	int gone = open_with(path, SLICE("PROXY"));

	(void)state;
	close(gone);
	(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, "the connection ended within");
	(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, "no PROXY header came within");
	(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, "was not whole within");
	assert_true(is_closed(silent));
	assert_true(is_closed(slow));
	/* One that only looks whether the port is open is not worth a line. */
	net_fixture_log_clear();
	close(net_client_dial_unix(path));
	slow = open_with(path, SLICE(V1 "x"));
	assert_true(echoes(slow, "x"));
	assert_int_equal(net_fixture_log_count(EVENT_PROXY_REFUSED), 0);
	close(slow);
	net_fixture_stop(&h);
}

static void only_trusted_senders(void **state)
{
	struct net_fixture h;
	const char *path;

	(void)state;
	trusted[0].id = geteuid() + 1;
	path = start(&h);
	assert_true(is_closed(net_client_dial_unix(path)));
	(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, "it is not in trusted");
	assert_int_equal(h.opened, 0);
	net_fixture_stop(&h);
	trusted[0].id = geteuid();
}

/* allow_from judges the address that the header names; a proxy that speaks for itself has none. */
static void only_allowed_addresses(void **state)
{
	struct net_fixture h;
	const char *path;
	char *why;
	int fd;

	(void)state;
	assert_true(cidr_parse("192.0.2.0/29", &allowed[0].network, &why));
	path = start(&h);
	fd = open_with(path, SLICE(V1 "x"));
	assert_true(echoes(fd, "x"));
	close(fd);
	assert_true(is_closed(open_with(path, SLICE("PROXY TCP4 192.0.2.8 192.0.2.1 1 2\r\nx"))));
	(void)net_fixture_log_wait(EVENT_ADDRESS_REFUSED, "peer=192.0.2.8:1");
	assert_true(is_closed(open_with(path, SLICE("PROXY UNKNOWN\r\nx"))));
	(void)net_fixture_log_wait(EVENT_ADDRESS_REFUSED, "peer=\"unix:uid=");
	net_fixture_stop(&h);
	allowed[0].network = (struct cidr){0};
}

#define TLS_HEADER(len, field_len, client, verify, name)                                           \
	V2 "\x21\x11\x00" len                                                                      \
	   "\xc0\x00\x02\x07\xc0\x00\x02\x01\xc3\xcb\x22\xb3\x20\x00" field_len client             \
	   "\x00\x00\x00" verify "\x21\x00\x07TLSv1.3\x22\x00\x04" name "x"

static void what_is_believed_of_tls(void **state)
{
	static const struct {
		struct slice header;
		bool believed;
		const char *version, *certificate; /* NULL: refused */
	} rows[] = {
	    {SLICE_INIT(TLS_HEADER("\x25", "\x16", "\x07", "\x00", "anna")), true, "TLSv1.3",
	     "1,1,anna"},
	    {SLICE_INIT(TLS_HEADER("\x25", "\x16", "\x07", "\x00", "anna")), false, "none", "0,0,"},
	    {SLICE_INIT(TLS_HEADER("\x25", "\x16", "\x01", "\x01", "anna")), true, "TLSv1.3",
	     "0,0,"},
	    {SLICE_INIT(TLS_HEADER("\x25", "\x16", "\x07", "\x00", "an\xff\xff")), true, "TLSv1.3",
	     "1,0,"},
	    {SLICE_INIT(TLS_HEADER("\x25", "\x16", "\x07", "\x00", "ann\x00")), true, "TLSv1.3",
	     "1,0,"},
	    {SLICE_INIT(TLS_HEADER("\x25", "\x16", "\x07", "\x12", "anna")), true, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_fixture h;
		int fd;

		believes_tls = rows[i].believed;
		fd = open_with(start(&h), rows[i].header);
		if (rows[i].version == NULL) {
			(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, "could not verify");
			assert_true(is_closed(fd));
		} else {
			assert_true(echoes(fd, "x"));
			assert_string_equal(opened_as[3], rows[i].version);
			assert_string_equal(opened_as[4], rows[i].certificate);
			close(fd);
		}
		net_fixture_stop(&h);
	}
	believes_tls = false;
}

/* Those that wait do not take all descriptors: the one that waited longest goes. */
static void many_without_header(void **state)
{
	enum { WAITING = PROXY_STAGE_MAX };
	struct net_fixture h;
	const char *path = start(&h);
	int fds[WAITING + 1];

	(void)state;
	for (int i = 0; i <= WAITING; i++)
		fds[i] = net_client_dial_unix(path);
	(void)net_fixture_log_wait(EVENT_PROXY_REFUSED, "has waited longest");
	for (int i = 0; i <= WAITING; i++)
		assert_true(is_closed(fds[i]));
	net_fixture_stop(&h);
}

/* --- peers of Unix sockets --- */

static struct peer_address local_peer(uint32_t uid, uint32_t gid)
{
	struct peer_address p = {.kind = PEER_UNIX};

	memcpy(p.bytes, &uid, sizeof(uid));
	memcpy(p.bytes + 4, &gid, sizeof(gid));
	return p;
}

static void users_of_peers(void **state)
{
	struct conf_peer_user items[] = {
	    {{.kind = CONF_PEER_GID, .id = 100}, (char *)(uintptr_t) "family"},
	    {{.kind = CONF_PEER_UID, .id = 1000}, (char *)(uintptr_t) "anna"},
	    {{.kind = CONF_PEER_UID, .id = 100}, (char *)(uintptr_t) "hundred"},
	    {{.kind = CONF_PEER_GID, .id = 0}, (char *)(uintptr_t) "wheel"},
	};
	static const struct {
		uint32_t uid, gid;
		const char *user;
	} rows[] = {
	    {1000, 100, "anna"},   {1000, 5, "anna"},  {1001, 100, "family"},
	    {100, 100, "hundred"}, {1001, 5, NULL},    {0, 5, NULL},
	    {0, 0, "wheel"},       {65534, 100, NULL}, {UINT32_MAX, 100, NULL},
	    {5, 1000, NULL},
	};
	const struct conf_peer_users users = {items, ARRAY_LEN(items)};
	struct peer_address network = {.kind = PEER_IP4};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer_address p = local_peer(rows[i].uid, rows[i].gid);
		const char *user = peer_address_user(&p, &users);

		if ((user == NULL) != (rows[i].user == NULL) ||
		    (user != NULL && strcmp(user, rows[i].user) != 0))
			fail_msg("%u, %u: %s", rows[i].uid, rows[i].gid,
			         user == NULL ? "nobody" : user);
	}
	assert_null(peer_address_user(&network, &users));
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	trusted[0] = (struct conf_peer){.kind = CONF_PEER_UID, .id = geteuid()};
	net_fixture_log_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	net_fixture_log_stop();
	pki_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_peer_is_whom_the_header_names),
	    cmocka_unit_test(headers_in_pieces),
	    cmocka_unit_test(what_is_not_a_header),
	    cmocka_unit_test(headers_that_do_not_come),
	    cmocka_unit_test(only_trusted_senders),
	    cmocka_unit_test(only_allowed_addresses),
	    cmocka_unit_test(what_is_believed_of_tls),
	    cmocka_unit_test(many_without_header),
	    cmocka_unit_test(users_of_peers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
