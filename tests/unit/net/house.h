/* A house for tests: loops in threads, a listener, connections that do what the test says; and a
 * client that is a plain blocking OpenSSL program. */
#ifndef TEST_NET_HOUSE_H
#define TEST_NET_HOUSE_H

#include <openssl/ssl.h>

#include "base/home.h"
#include "base/log.h"
#include "net/listener.h"

#define HOUSE_WORKERS 2
/* Only a test that fails waits that long. */
#define PATIENCE_MS 60000

struct house;

struct house_worker {
	struct house *house;
	struct executor executor;
	struct loop *loop;
	struct thread thread;
	struct house_conn *conns;
};

struct house_conn {
	struct house *house;
	struct house_worker *at;
	struct stream *stream;
	struct house_conn *prev, *next;
	struct task task;
	struct timer timer;
	size_t bytes; /* got */
	uint64_t random;
	bool moving;
};

typedef void house_bytes_fn(struct house_conn *c, struct slice bytes);
typedef void house_event_fn(struct house_conn *c);

struct house_rules {
	house_bytes_fn *on_bytes; /* NULL: echo */
	house_event_fn *on_drained;
	house_event_fn *on_open; /* right after attach */
};

struct house {
	struct house_rules rules;
	struct house_worker workers[HOUSE_WORKERS];
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
void house_start(struct house *h, const struct house_rules *rules, struct tls_context *tls,
                 const char *path);
void house_stop(struct house *h);
/* Wait until the counter has reached `n`: fails the test after a long while. */
void house_wait(struct house *h, const unsigned *counter, unsigned n);
void house_wait_fact(struct house *h, unsigned fact, uint64_t n);
void house_set_fact(struct house *h, unsigned fact, uint64_t n);
uint64_t house_random(struct house_conn *c);
/* Detach, post to the other worker, attach there. */
void house_move(struct house_conn *c);
void house_echo(struct house_conn *c, struct slice bytes);

/* The log. */
void house_log_start(void);
void house_log_stop(void);
/* Wait for a line of this event that has this text; the line, valid until the next call. */
const char *house_log_wait(enum event e, const char *text);
unsigned house_log_count(enum event e);
void house_log_clear(void);

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
