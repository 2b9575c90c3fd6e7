/* A house for tests: loops in threads, a listener, connections that do what the test says; and a
 * client that is a plain blocking OpenSSL program. */
#ifndef TEST_NET_HOUSE_H
#define TEST_NET_HOUSE_H

#include <openssl/ssl.h>

#include "base/executor.h"
#include "base/log.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/socket_bind.h"

#define NET_FIXTURE_WORKERS 2
/* Only a test that fails waits that long. */
#define PATIENCE_MS 60000

struct net_fixture;

struct net_fixture_worker {
	struct net_fixture *net_fixture;
	struct executor executor;
	struct loop *loop;
	struct thread thread;
	struct net_fixture_conn *conns;
};

struct net_fixture_conn {
	struct net_fixture *net_fixture;
	struct net_fixture_worker *at;
	struct stream *stream;
	struct net_fixture_conn *prev, *next;
	struct task task;
	struct timer timer;
	size_t bytes; /* got */
	uint64_t random;
	bool moving;
};

typedef void net_fixture_bytes_fn(struct net_fixture_conn *c, struct slice bytes);
typedef void net_fixture_event_fn(struct net_fixture_conn *c);

struct net_fixture_rules {
	net_fixture_bytes_fn *on_bytes; /* NULL: echo */
	net_fixture_event_fn *on_drained;
	net_fixture_event_fn *on_open; /* right after attach */
};

struct net_fixture {
	struct net_fixture_rules rules;
	struct net_fixture_worker workers[NET_FIXTURE_WORKERS];
	struct conf_listener conf;
	struct listener *listener;
	struct tls_context *tls;
	struct tls_tickets *tickets;
	uint16_t port;
	int listen_fd;
	struct mutex lock; /* for what is below */
	struct condition changed;
	unsigned opened, ended, drained, shut;
	bool stopping;
	size_t bytes;
	enum stream_end last_end;
	uint64_t facts[4]; /* the test's own */
};

/* TLS on 127.0.0.1 where `tls` is given (a reference is taken), else a Unix socket at path. */
void net_fixture_start(struct net_fixture *h, const struct net_fixture_rules *rules,
                       struct tls_context *tls, const char *path);
void net_fixture_stop(struct net_fixture *h);
/* Wait until the counter has reached `n`: fails the test after a long while. */
void net_fixture_wait(struct net_fixture *h, const unsigned *counter, unsigned n);
void net_fixture_wait_fact(struct net_fixture *h, unsigned fact, uint64_t n);
void net_fixture_set_fact(struct net_fixture *h, unsigned fact, uint64_t n);
uint64_t net_fixture_random(struct net_fixture_conn *c);
/* Detach, post to the other worker, attach there. */
void net_fixture_move(struct net_fixture_conn *c);
void net_fixture_echo(struct net_fixture_conn *c, struct slice bytes);

/* The log. */
void net_fixture_log_start(void);
void net_fixture_log_stop(void);
/* Wait for a line of this event that has this text; the line, valid until the next call. */
const char *net_fixture_log_wait(enum event e, const char *text);
unsigned net_fixture_log_count(enum event e);
void net_fixture_log_clear(void);

/* --- the client --- */

struct client_wish {
	const char *ca; /* trusted; NULL: nobody is verified */
	const char *certificate, *key;
	int min_version, max_version;
	const char *suites_12, *suites_13, *groups;
	const char *server_name;
	const char *alpn; /* wire format */
	SSL_SESSION *session;
	void (*prepare)(SSL_CTX *ctx); /* NULL: nothing more */
	bool no_security;              /* level 0: old versions, short keys */
};

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *ticket; /* the newest one */
};

int client_dial(uint16_t port);
int client_dial_unix(const char *path);
void client_join_unix(int fd, const char *path); /* a socket made before */
/* True: the handshake went through (TLS 1.3: as far as the client knows). */
bool client_open(struct client *c, uint16_t port, const struct client_wish *wish);
bool client_send(struct client *c, const void *bytes, size_t len);
/* Exactly len bytes, false at the end. */
bool client_recv(struct client *c, void *bytes, size_t len);
/* Does the server's answer to "ping" come back? */
bool client_echoes(struct client *c);
void client_close(struct client *c);

#endif
