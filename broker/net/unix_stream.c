/* The plain layer on a socket. */
#include "net/unix_stream.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "net/loop_internal.h"
#include "net/socket.h"

static void on_readable(struct sock *s)
{
	struct loop *loop = s->loop;
	ssize_t n = sock_recv(s, loop->in, sizeof(loop->in));

	if (n > 0) {
		bool may_be_secret = !s->stream.moved; /* the first packet has the password */

		sock_call_begin(s);
		s->stream.events->on_bytes(s->stream.arg, slice_of(loop->in, (size_t)n));
		if (may_be_secret) /* s may be another thread's by now */
			crypto_wipe(loop->in, (size_t)n);
		if (!sock_call_done(loop, s))
			return;
	}
	if (n >= 0)
		sock_update(s);
}

static void on_handshake(struct sock *s)
{
	(void)s;
	UNREACHABLE();
}

static bool has_more(struct sock *s)
{
	(void)s;
	return false; /* all that was read was dispatched */
}

static void do_nothing(struct sock *s)
{
	(void)s;
}

static void free_it(struct sock *s)
{
	free(s);
}

static const struct sock_layer layer = {
    .readable = on_readable,
    .handshake = on_handshake,
    .has_more = has_more,
    .keep_rest = do_nothing,
    .goodbye = do_nothing,
    .free = free_it,
};

static void op_write(struct stream *stream, struct slice bytes)
{
	sock_send((struct sock *)stream, bytes);
}

static const char *op_tls_version(const struct stream *stream)
{
	(void)stream;
	return "none";
}

static size_t op_certificate_names(const struct stream *stream, enum conf_certificate_user kind,
                                   struct buf *out)
{
	(void)stream;
	(void)kind;
	(void)out;
	return 0;
}

static bool op_has_certificate(const struct stream *stream)
{
	(void)stream;
	return false;
}

static const struct stream_ops ops = {
    .write = op_write,
    .backlog = sock_op_backlog,
    .pause = sock_op_pause,
    .resume = sock_op_resume,
    .close = sock_op_close,
    .abort = sock_op_abort,
    .detach = sock_op_detach,
    .attach = sock_op_attach,
    .discard = sock_op_discard,
    .peer_text = sock_op_peer_text,
    .peer_key = sock_op_peer_key,
    .tls_version = op_tls_version,
    .certificate_names = op_certificate_names,
    .has_certificate = op_has_certificate,
};

struct stream *unix_stream_new(int fd, unsigned listener)
{
	struct sock *s = xalloc(sizeof(*s));

	sock_init(s, &ops, &layer, fd, listener);
	s->peer = peer_of_unix(fd);
	return &s->stream;
}
