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
#include "net/loop_internal.h"
#include "net/socket_stream.h"
#include "net/tls_source.h"
#include "net/tls_stream.h"

#define ACCEPTS_PER_TURN 32
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

static struct stream *new_stream(const struct listener *l, int fd, const struct sockaddr *address)
{
	struct peer_address peer = l->settings.conf->is_unix ? peer_address_from_unix(fd)
	                                                     : peer_address_from_sockaddr(address);
	struct stream *stream = socket_stream_new(fd, &peer, l->settings.index);

	if (l->source != NULL)
		stream = tls_stream_new(stream, l->source);
	return protocols[l->settings.conf->protocol].wrap(stream);
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
		l->on_accept(l->arg, new_stream(l, fd, (const struct sockaddr *)&address));
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

static void remember_file(struct listener *l)
{
	struct stat st;

	if (l->settings.conf->is_unix && lstat(l->settings.conf->path, &st) == 0) {
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
	l->on_accept = on_accept;
	l->arg = arg;
	l->watch = fd_watch_new(loop, fd, on_event, l, &error);
	if (l->watch == NULL)
		LOG(LISTEN_FAILED, .bind = settings->conf->bind, .error = strerror(-error),
		    .remedy = "use another address, or check the limits of the system");
	if (settings->tls != NULL)
		listener_set_tls(l, settings->tls);
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
	l->settings.conf = conf;
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
