/* Loops in threads, a listener, and connections that do what the test says. */
#ifndef TEST_NET_FIXTURE_H
#define TEST_NET_FIXTURE_H

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
	struct net_fixture *fixture;
	struct executor executor;
	struct loop *loop;
	struct thread thread;
	struct net_fixture_conn *conns;
};

struct net_fixture_conn {
	struct net_fixture *fixture;
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
	net_fixture_event_fn *on_open;                 /* right after attach */
	void (*configure)(struct conf_listener *conf); /* NULL: as it is */
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

#endif
