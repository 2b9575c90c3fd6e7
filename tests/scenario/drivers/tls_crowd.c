/* tls_crowd HOST PORT CLIENTS ADDRESSES SECONDS USER PASSWORD [CERTIFICATE KEY]: that many MQTT
 * clients, all at once, from 127.77.0.1 and the addresses behind it in turn. Each handshakes, logs
 * in and stays; who is closed before comes again after a while, as clients do. Ends when all are in
 * or the time is over: "in=N ms=N tries=N". */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/bytes.h"
#include "base/clock.h"

enum { EVENTS = 256, RETRY_MS = 200, RETRY_MS_MAX = 2000 };

enum step { STEP_AWAY, STEP_DIALING, STEP_HANDSHAKE, STEP_LOGIN, STEP_IN };

struct guest {
	int fd;
	SSL *ssl;
	enum step step;
	uint64_t retry_ms, pause_ms;
	unsigned number;
};

static struct {
	struct sockaddr_in server;
	SSL_CTX *tls;
	int epoll;
	unsigned addresses, count, in, tries;
	const char *user, *password;
} crowd;

static void go_away(struct guest *g)
{
	crowd.in -= g->step == STEP_IN;
	SSL_free(g->ssl);
	if (g->fd >= 0)
		close(g->fd);
	g->pause_ms = g->pause_ms == 0 ? RETRY_MS : g->pause_ms * 2;
	if (g->pause_ms > RETRY_MS_MAX)
		g->pause_ms = RETRY_MS_MAX;
	g->retry_ms = clock_monotonic_ms() + g->pause_ms;
	g->fd = -1;
	g->ssl = NULL;
	g->step = STEP_AWAY;
}

static void watch(struct guest *g, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = g};

	(void)epoll_ctl(crowd.epoll, operation, g->fd, &event);
}

static void come(struct guest *g)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int on = 1;

	crowd.tries++;
	from.sin_addr.s_addr = htonl(0x7f4d0001u + g->number % crowd.addresses);
	g->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(g->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(g->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (g->fd < 0 || bind(g->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(g->fd, (struct sockaddr *)&crowd.server, sizeof(crowd.server)) != 0 &&
	     errno != EINPROGRESS)) {
		go_away(g);
		return;
	}
	g->ssl = SSL_new(crowd.tls);
	SSL_set_fd(g->ssl, g->fd);
	SSL_set_connect_state(g->ssl);
	g->step = STEP_DIALING;
	watch(g, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void log_in(struct guest *g)
{
	struct buf body = {0}, out = {0};
	size_t n;

	buf_put_string(&body, SLICE("MQTT"));
	buf_put_u8(&body, 4);
	buf_put_u8(&body, crowd.user[0] == 0 ? 0x02 : 0xc2);
	buf_put_u16(&body, 0);
	buf_put_u16(&body, 14);
	buf_printf(&body, "crowd-%08u", g->number);
	if (crowd.user[0] != 0) {
		buf_put_string(&body, slice_of_str(crowd.user));
		buf_put_string(&body, slice_of_str(crowd.password));
	}
	buf_put_u8(&out, 0x10);
	buf_put_varint(&out, (uint32_t)body.len);
	buf_put_slice(&out, buf_slice(&body));
	g->step = STEP_LOGIN;
	if (SSL_write_ex(g->ssl, out.data, out.len, &n) != 1)
		go_away(g);
	buf_fini(&body);
	buf_fini(&out);
}

static void shake(struct guest *g)
{
	int result = SSL_do_handshake(g->ssl);
	int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(g->ssl, result);

	if (error == SSL_ERROR_NONE)
		log_in(g);
	else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		go_away(g);
}

static void receive(struct guest *g)
{
	uint8_t bytes[16] = {0};
	size_t n = 0;
	int result = SSL_read_ex(g->ssl, bytes, sizeof(bytes), &n);

	if (result != 1) {
		if (SSL_get_error(g->ssl, result) != SSL_ERROR_WANT_READ)
			go_away(g);
		return;
	}
	if (g->step == STEP_LOGIN && n >= 4 && bytes[0] == 0x20 && bytes[3] == 0) {
		g->step = STEP_IN;
		crowd.in++;
	} else {
		go_away(g);
	}
}

static void on_event(struct guest *g)
{
	ERR_clear_error();
	if (g->step == STEP_DIALING) {
		watch(g, EPOLL_CTL_MOD, EPOLLIN);
		g->step = STEP_HANDSHAKE;
	}
	if (g->step == STEP_HANDSHAKE)
		shake(g);
	else if (g->step >= STEP_LOGIN)
		receive(g);
}

static void run(struct guest *all, uint64_t until_ms)
{
	struct epoll_event events[EVENTS];
	uint64_t now_ms;

	while (crowd.in < crowd.count && (now_ms = clock_monotonic_ms()) < until_ms) {
		for (unsigned i = 0; i < crowd.count; i++) {
			if (all[i].step == STEP_AWAY && all[i].retry_ms <= now_ms)
				come(&all[i]);
		}
		for (int n = epoll_wait(crowd.epoll, events, EVENTS, 20); n > 0;)
			on_event(events[--n].data.ptr);
	}
}

static void set_up(char **argv)
{
	struct rlimit files;

	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)signal(SIGPIPE, SIG_IGN);
	crowd.server.sin_family = AF_INET;
	crowd.server.sin_port = htons((uint16_t)atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &crowd.server.sin_addr) != 1)
		abort();
	crowd.count = (unsigned)atoi(argv[3]);
	crowd.addresses = (unsigned)atoi(argv[4]);
	crowd.user = argv[6];
	crowd.password = argv[7];
	crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
	crowd.tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(crowd.tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(crowd.tls, SSL_SESS_CACHE_OFF);
}

int main(int argc, char **argv)
{
	uint64_t start_ms = clock_monotonic_ms();
	struct guest *all;

	if (argc != 8 && argc != 10)
		abort();
	set_up(argv);
	if (argc == 10 && (SSL_CTX_use_certificate_chain_file(crowd.tls, argv[8]) != 1 ||
	                   SSL_CTX_use_PrivateKey_file(crowd.tls, argv[9], SSL_FILETYPE_PEM) != 1))
		abort();
	all = calloc(crowd.count, sizeof(*all));
	if (all == NULL)
		abort();
	for (unsigned i = 0; i < crowd.count; i++)
		all[i] = (struct guest){.fd = -1, .number = i};
	run(all, start_ms + 1000 * (uint64_t)atoi(argv[5]));
	printf("in=%u ms=%llu tries=%u\n", crowd.in,
	       (unsigned long long)(clock_monotonic_ms() - start_ms), crowd.tries);
	for (unsigned i = 0; i < crowd.count; i++)
		go_away(&all[i]);
	free(all);
	SSL_CTX_free(crowd.tls);
	return 0;
}
