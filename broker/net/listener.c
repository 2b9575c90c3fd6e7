/* Accepting.  Level-triggered, a few per turn, so that a burst of connections does not starve
 * established clients.  When the descriptors for clients are used up the listener does not spin: it
 * tries again after 250 ms, then after up to a second; new connections wait in the kernel's
 * backlog.
 */
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "net/fd_watch.h"
#include "net/inherited_sockets.h"
#include "net/listener_gate.h"
#include "net/loop_internal.h"
#include "net/proxy/proxy_stage.h"
#include "net/socket_stream.h"
#include "net/tls/tls_source.h"
#include "net/tls/tls_stream.h"

#define ACCEPTS_PER_TURN 8
/* With so many handshakes waiting, new connections stay in the kernel's backlog: accepted, they
 * would only occupy places. */
#define HANDSHAKES_AHEAD_MAX 64
#define RETRY_FIRST_MS       250
#define RETRY_LAST_MS        1000

struct listener {
	struct loop *loop;
	struct fd_watch *watch;
	struct listener_settings settings; /* its tls is not used: see source */
	struct tls_source *source;         /* NULL without TLS */
	struct listener_gate gate;
	struct proxy_stage *proxies; /* NULL: PROXY headers are not taken */
	listener_accept_fn *on_accept;
	void *arg;
	struct timer retry;
	uint64_t retry_ms; /* 0: there are descriptors */
	bool accepting;    /* inside on_accept: it is freed after listener_close */
	bool closed;
	int fd;
	dev_t dev; /* of the unix socket's file, to remove ours only */
	ino_t ino;
};

static void update_watch(struct listener *l)
{
	if (l->watch != NULL)
		fd_watch_arm(l->watch, timer_is_armed(&l->retry) ? 0 : FD_WATCH_READ);
}

static void on_retry(struct timer *timer, void *executor_arg)
{
	struct listener *l = container_of(timer, struct listener, retry);

	(void)executor_arg;
	update_watch(l);
}

static void wait_for_descriptors(struct listener *l, int error)
{
	if (l->retry_ms == 0) {
		LOG(ACCEPT_PAUSED, .bind = l->settings.conf->bind, .error = strerror(error),
		    .remedy = "established connections stay; raise LimitNOFILE (ulimit -n), or "
		              "lower limits.connections");
		l->retry_ms = RETRY_FIRST_MS;
	} else if (l->retry_ms < RETRY_LAST_MS) {
		l->retry_ms *= 2;
	}
	l->retry.fire = on_retry;
	executor_timer_arm(l->loop->executor, &l->retry, l->retry_ms);
	update_watch(l);
}

/* --- protocols --- */

/* MQTT packets are what the stream below gives. */
static struct stream *no_stream(struct stream *below)
{
	return below;
}

struct listener_protocol {
	const char *name;
	/* Takes the stream below, and gives the one that is the owner's. */
	struct stream *(*wrap)(struct stream *below);
};

static const struct listener_protocol protocols[] = {
#define PROTOCOL(id, name, wrap) [CONF_PROTOCOL_##id] = {name, wrap},
#include "conf/protocols.def"
#undef PROTOCOL
};

const char *listener_protocol_text(const struct conf_listener *conf)
{
	return protocols[conf->protocol].name;
}

const char *listener_tls_text(const struct conf_listener *conf)
{
	if (!conf->has_tls)
		return "none";
	return conf->tls.min_version == 13 ? "1.3" : "1.2 and up";
}

/* --- accepting --- */

/* What stands over the socket, whether a PROXY header came first or not. */
static struct stream *wrap_socket(const struct listener *l, struct stream *socket)
{
	struct stream *stream = l->source == NULL ? socket : tls_stream_new(socket, l->source);

	return protocols[l->settings.conf->protocol].wrap(stream);
}

static void take_socket(struct listener *l, int fd, const struct sockaddr *address)
{
	const struct conf_listener *conf = l->settings.conf;
	struct peer_address peer =
	    conf->is_unix ? peer_address_from_unix(fd) : peer_address_from_sockaddr(address);
	uint64_t now_ms = l->loop->executor->now_ms;
	bool by_proxy = conf->proxy_protocol == PROXY_PROTOCOL_REQUIRED;
	struct stream *socket;

	if (by_proxy ? !listener_gate_trusts(&l->gate, &peer, now_ms)
	             : !listener_gate_admits(&l->gate, &peer, NULL, now_ms)) {
		close(fd);
		return;
	}
	socket = socket_stream_new(fd, &peer, l->settings.index);
	if (by_proxy)
		proxy_stage_add(l->proxies, socket, conf->limits.connect_timeout_ms);
	else
		l->on_accept(l->arg, wrap_socket(l, socket));
}

static void on_header(void *arg, struct stream *socket, const struct proxy_header *header)
{
	struct listener *l = arg;

	if (listener_gate_take_header(&l->gate, socket, header, l->loop->executor->now_ms))
		l->on_accept(l->arg, wrap_socket(l, socket));
	else
		stream_discard(socket);
}

static void on_proxy_refused(void *arg, const struct peer_address *sender, const char *cause)
{
	struct listener *l = arg;

	listener_gate_refuse_proxy(&l->gate, sender, cause, l->loop->executor->now_ms);
}

static const struct proxy_stage_events proxy_events = {.on_header = on_header,
                                                       .on_refused = on_proxy_refused};

/* The stage is there while the configuration wants it. */
static void update_stage(struct listener *l)
{
	bool wanted = l->settings.conf->proxy_protocol == PROXY_PROTOCOL_REQUIRED;

	if (wanted == (l->proxies != NULL))
		return;
	if (wanted) {
		l->proxies = proxy_stage_new(l->loop, &proxy_events, l);
		return;
	}
	proxy_stage_free(l->proxies);
	l->proxies = NULL;
}

/* True: there may be more. */
static bool accept_one(struct listener *l)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	int fd;

	if (!l->settings.takes_reserve && !descriptors_free_for_client(l->fd)) {
		wait_for_descriptors(l, EMFILE);
		return false;
	}
	fd = accept4(l->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		descriptors_taken_by_client(fd);
		if (l->retry_ms > 0)
			LOG(ACCEPT_RESUMED, .bind = l->settings.conf->bind);
		l->retry_ms = 0;
		take_socket(l, fd, (const struct sockaddr *)&address);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		wait_for_descriptors(l, errno);
		return false;
	}
	/* Any other error concerns a connection that has ended already (accept(2)). */
	return errno != EAGAIN;
}

static void on_event(void *owner, int events, bool failed)
{
	struct listener *l = owner;

	(void)events;
	l->accepting = true;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		if (l->closed || timer_is_armed(&l->retry) ||
		    loop_queue_count(&l->loop->queue, LOOP_HANDSHAKE) >= HANDSHAKES_AHEAD_MAX ||
		    !accept_one(l))
			break;
	}
	l->accepting = false;
	if (l->closed)
		free(l);
	else if (failed)
		update_watch(l);
}

/* That of the service manager's socket is its own. */
static void remember_file(struct listener *l)
{
	struct stat st;

	/* mutant: inherited_file_stays */
	if (l->settings.conf->is_unix && inherited_sockets_find_path(l->settings.conf->path) < 0 &&
	    lstat(l->settings.conf->path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
}

static void remove_file(const struct listener *l)
{
	struct stat st;

	if (l->settings.conf->is_unix && lstat(l->settings.conf->path, &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		(void)unlink(l->settings.conf->path);
}

struct listener *listener_open(struct loop *loop, int fd, const struct listener_settings *settings,
                               listener_accept_fn *on_accept, void *arg)
{
	struct listener *l = xnew(l);
	int error;

	REQUIRE((settings->tls != NULL) == settings->conf->has_tls);
	REQUIRE(settings->conf->is_unix || settings->conf->has_tls); /* S1: no TCP without TLS */
	l->loop = loop;
	l->fd = fd;
	l->settings = *settings;
	l->settings.tls = NULL;
	l->gate = (struct listener_gate){.conf = settings->conf,
	                                 .refused_addresses = settings->refused_addresses,
	                                 .refused_proxies = settings->refused_proxies};
	l->on_accept = on_accept;
	l->arg = arg;
	l->watch = fd_watch_new(loop, fd, on_event, l, &error);
	if (l->watch == NULL)
		LOG(LISTEN_FAILED, .bind = settings->conf->bind, .error = strerror(-error),
		    .remedy = "use another address, or check the limits of the system");
	if (settings->tls != NULL)
		listener_set_tls(l, settings->tls);
	update_stage(l);
	remember_file(l);
	update_watch(l);
	return l;
}

void listener_hold(struct listener *l, uint64_t ms)
{
	if (l == NULL)
		return;
	REQUIRE_EXECUTOR(l->loop->executor);
	if (timer_is_armed(&l->retry))
		return;
	l->retry.fire = on_retry;
	executor_timer_arm(l->loop->executor, &l->retry, ms);
	update_watch(l);
}

void listener_set_conf(struct listener *l, const struct conf_listener *conf)
{
	REQUIRE_EXECUTOR(l->loop->executor);
	REQUIRE(conf->is_unix == l->settings.conf->is_unix);
	REQUIRE(conf->has_tls == l->settings.conf->has_tls);
	l->settings.conf = l->gate.conf = conf;
	update_stage(l);
}

void listener_set_tls(struct listener *l, struct tls_context *tls)
{
	REQUIRE(l->settings.conf->has_tls && !l->closed);
	if (l->source == NULL)
		l->source = tls_source_new(tls);
	else
		/* mutant: context_of_the_handshake */
		tls_source_set(l->source, tls);
	tls_context_name(tls, l->settings.conf->bind);
}

void listener_close(struct listener *l)
{
	if (l == NULL)
		return;
	REQUIRE(!l->closed);
	proxy_stage_free(l->proxies);
	l->proxies = NULL;
	executor_timer_disarm(l->loop->executor, &l->retry);
	fd_watch_free(l->watch);
	l->watch = NULL;
	remove_file(l);
	close(l->fd);
	if (l->source != NULL)
		tls_source_set(l->source, NULL);
	tls_source_unref(&l->source);
	if (l->accepting)
		l->closed = true;
	else
		free(l);
}
