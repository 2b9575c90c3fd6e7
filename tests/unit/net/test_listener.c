/* Listening and accepting: addresses and ports with errors for people, Unix sockets and their
 * permissions, descriptors that run out. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "net/peer_address.h"
#include "net/socket_bind.h"
#include "net_client.h"
#include "net_fixture.h"
#include "pki.h"

static int bind_to(const struct conf_listener *conf, uint16_t *port, bool probe, const char *text)
{
	struct errors errors = {0};
	int fd = socket_bind(conf, port, probe, &errors, "broker.yaml");
	char *said = errors_text(&errors);

	if (text != NULL && strstr(said, text) == NULL)
		fail_msg("%s", said);
	if (text == NULL && fd < 0)
		fail_msg("%s", said);
	free(said);
	errors_fini(&errors);
	return fd;
}

static struct conf_listener tcp(const char *host, uint16_t port)
{
	return (struct conf_listener){.bind = (char *)(uintptr_t)host,
	                              .host = (char *)(uintptr_t)host,
	                              .port = port,
	                              .line = 4,
	                              .column = 11};
}

static struct conf_listener local(const char *path)
{
	return (struct conf_listener){.bind = (char *)(uintptr_t)path,
	                              .path = (char *)(uintptr_t)path,
	                              .is_unix = true,
	                              .mode = 0660};
}

static void several_workers_share_a_port_others_do_not(void **state)
{
	struct conf_listener conf = tcp("127.0.0.1", 0);
	uint16_t port = 0, again;
	int first = bind_to(&conf, &port, true, NULL), second;

	(void)state;
	assert_int_not_equal(port, 0);
	again = port;
	second = bind_to(&conf, &again, false, NULL);
	assert_int_equal(port, again);
	assert_int_equal(bind_to(&conf, &again, true, "in use by another program"), -EADDRINUSE);
	close(first);
	close(second);
}

static void addresses_that_cannot_be(void **state)
{
	struct conf_listener foreign = tcp("192.0.2.1", 18883), name = tcp("localhost", 8883);
	uint16_t port = 0;
	int fd = bind_to(&foreign, &port, true, "broker.yaml:4:11: warning: ");

	(void)state;
	assert_true(fd >= 0); /* it may come later */
	close(fd);
	fd = bind_to(&foreign, &port, true, "this machine has no address 192.0.2.1 now: ");
	assert_true(fd >= 0);
	close(fd);
	assert_true(bind_to(&name, &port, true, "not a numeric address") < 0);
}

/* [::] takes IPv4 too, and an IPv4 client looks like one. */
static void all_addresses(void **state)
{
	struct conf_listener conf = tcp("::", 0);
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	uint16_t port = 0;
	int fd = bind_to(&conf, &port, true, NULL), client = net_client_dial(port), accepted;
	struct peer_address peer;
	char text[PEER_TEXT_MAX];

	(void)state;
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	accepted = accept(fd, (struct sockaddr *)&from, &len);
	assert_true(accepted >= 0);
	peer = peer_address_from_sockaddr((struct sockaddr *)&from);
	(void)peer_address_text(&peer, text, sizeof(text));
	assert_memory_equal(text, "127.0.0.1:", 10);
	assert_int_equal(peer_address_key(&peer).len, 4);
	close(accepted);
	close(client);
	close(fd);
}

static void peers_as_text_and_key(void **state)
{
	static const struct {
		const char *address, *text;
		size_t key_len;
	} rows[] = {
	    {"2001:db8::1", "[2001:db8::1]:7", 8},
	    {"::ffff:192.0.2.7", "192.0.2.7:7", 4},
	    {"::1", "[::1]:7", 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
		struct peer_address peer;
		char text[PEER_TEXT_MAX];

		assert_int_equal(inet_pton(AF_INET6, rows[i].address, &six.sin6_addr), 1);
		peer = peer_address_from_sockaddr((struct sockaddr *)&six);
		assert_int_equal(peer_address_text(&peer, text, sizeof(text)),
		                 strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(peer_address_key(&peer).len, rows[i].key_len);
	}
}

/* --- Unix --- */

static void unix_socket_permissions(void **state)
{
	const char *path = pki_path("broker.sock");
	struct conf_listener conf = local(path);
	uint16_t port = 0;
	struct stat st;
	int fd;

	(void)state;
	conf.mode = 0640;
	conf.owner = (char *)(uintptr_t) "0";
	conf.group = (char *)(uintptr_t) "12345";
	if (geteuid() != 0)
		conf.owner = conf.group = NULL;
	fd = bind_to(&conf, &port, true, NULL);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0640);
	if (geteuid() == 0)
		assert_int_equal(st.st_gid, 12345);
	assert_int_equal(bind_to(&conf, &port, true, "another program listens there"), -EADDRINUSE);
	close(fd); /* stale now */
	fd = bind_to(&conf, &port, true, NULL);
	close(net_client_dial_unix(path));
	close(fd);
	assert_int_equal(unlink(path), 0);
}

static void unix_sockets_that_are_refused(void **state)
{
	const char *file = pki_write_text("file", "precious");
	const char *open_dir = pki_path("open"), *in_open = pki_path("open/s");
	struct conf_listener on_file = local(file), in_tmp = local("/tmp/vakt-test.sock"),
			     nowhere = local("/nonexistent/s"), in_open_dir = local(in_open),
			     no_group = local(pki_path("g.sock")), no_owner = no_group, long_name;
	char name[200];
	uint16_t port = 0;

	(void)state;
	assert_int_equal(mkdir(open_dir, 0755), 0);
	assert_int_equal(chmod(open_dir, 0777), 0);
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, "/", 1);
	name[sizeof(name) - 1] = '\0';
	long_name = local(name);
	no_group.group = (char *)(uintptr_t) "no-such-group";
	no_owner.owner = (char *)(uintptr_t) "no-such-user";
	assert_int_equal(bind_to(&on_file, &port, true, "not a socket; move it away"), -EEXIST);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(bind_to(&in_tmp, &port, true, "/tmp is for everybody"), -EACCES);
	assert_int_equal(bind_to(&in_open_dir, &port, true, "chmod o-w"), -EACCES);
	assert_int_equal(bind_to(&nowhere, &port, true, "install -d"), -ENOENT);
	assert_int_equal(bind_to(&long_name, &port, true, "a Unix socket's may have 107"),
	                 -ENAMETOOLONG);
	assert_int_equal(bind_to(&no_group, &port, true, "no group 'no-such-group'"), -ENOENT);
	assert_int_equal(bind_to(&no_owner, &port, true, "no user 'no-such-user'"), -ENOENT);
	assert_int_equal(rmdir(open_dir), 0);
}

static void check_unix_facts(struct net_fixture_conn *c, struct slice bytes)
{
	char text[64], wanted[64];

	(void)stream_peer_text(c->stream, text, sizeof(text));
	snprintf(wanted, sizeof(wanted), "unix:uid=%u", (unsigned)getuid());
	REQUIRE(strcmp(text, wanted) == 0);
	REQUIRE(strcmp(stream_tls_version(c->stream), "none") == 0);
	REQUIRE(!stream_has_certificate(c->stream));
	net_fixture_echo(c, bytes);
	net_fixture_move(c);
}

static void unix_stream_echoes_and_moves(void **state)
{
	const char *path = pki_path("fixture.sock");
	struct net_fixture h;
	char sent[1000], back[1000];
	int fd;

	(void)state;
	memset(sent, 'x', sizeof(sent));
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = check_unix_facts}, NULL,
	                  path);
	fd = net_client_dial_unix(path);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(write(fd, sent, sizeof(sent)), sizeof(sent));
		assert_int_equal(recv(fd, back, sizeof(back), MSG_WAITALL), sizeof(back));
		assert_memory_equal(sent, back, sizeof(sent));
	}
	close(fd);
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_PEER);
	net_fixture_stop(&h);
	assert_int_equal(access(path, F_OK), -1); /* its file is removed */
}

/* --- descriptors --- */

/* When descriptors are out the listener pauses, says it once, and goes on by itself. */
static void descriptors_run_out_and_come_back(void **state)
{
	const char *path = pki_path("full.sock");
	struct rlimit before, low;
	int hogs[1024], n = 0, client;
	char byte = 'x';
	struct net_fixture h;

	(void)state;
	net_fixture_log_clear();
	net_fixture_start(&h, &(struct net_fixture_rules){0}, NULL, path);
	client = net_client_dial_unix(path); /* the fixture is up, and has all it needs */
	net_fixture_wait(&h, &h.opened, 1);
	close(client);
	net_fixture_wait(&h, &h.ended, 1);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (n < 1024 && (hogs[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	net_client_join_unix(client, path);
	(void)net_fixture_log_wait(EVENT_ACCEPT_PAUSED, "Too many open files");
	assert_int_equal(h.opened, 1);
	while (n > 0)
		close(hogs[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	(void)net_fixture_log_wait(EVENT_ACCEPT_RESUMED, "full.sock");
	assert_int_equal(write(client, &byte, 1), 1);
	assert_int_equal(read(client, &byte, 1), 1);
	assert_int_equal(net_fixture_log_count(EVENT_ACCEPT_PAUSED), 1);
	close(client);
	net_fixture_stop(&h);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
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
	    cmocka_unit_test(several_workers_share_a_port_others_do_not),
	    cmocka_unit_test(addresses_that_cannot_be),
	    cmocka_unit_test(all_addresses),
	    cmocka_unit_test(peers_as_text_and_key),
	    cmocka_unit_test(unix_socket_permissions),
	    cmocka_unit_test(unix_sockets_that_are_refused),
	    cmocka_unit_test(unix_stream_echoes_and_moves),
	    cmocka_unit_test(descriptors_run_out_and_come_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
