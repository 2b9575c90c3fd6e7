/* The vtable's front: the same for every kind of stream. */
#include "net/stream.h"

#include "base/require.h"

void stream_write(struct stream *s, struct slice bytes)
{
	s->ops->write(s, bytes);
}

size_t stream_backlog(const struct stream *s)
{
	return s->ops->backlog(s);
}

void stream_pause(struct stream *s)
{
	s->ops->pause(s);
}

void stream_resume(struct stream *s)
{
	s->ops->resume(s);
}

void stream_close(struct stream *s, uint64_t flush_ms)
{
	s->ops->close(s, flush_ms);
}

void stream_abort(struct stream *s)
{
	s->ops->abort(s);
}

void stream_detach(struct stream *s)
{
	s->ops->detach(s);
	s->events = NULL;
	s->arg = NULL;
}

void stream_attach(struct stream *s, struct loop *loop, const struct stream_events *events,
                   void *arg)
{
	REQUIRE(s->events == NULL && events != NULL);
	s->events = events;
	s->arg = arg;
	s->ops->attach(s, loop);
}

void stream_discard(struct stream *s)
{
	if (s != NULL)
		s->ops->discard(s);
}

size_t stream_peer_text(const struct stream *s, char *out, size_t cap)
{
	return s->ops->peer_text(s, out, cap);
}

struct slice stream_peer_key(const struct stream *s)
{
	return s->ops->peer_key(s);
}

const char *stream_tls_version(const struct stream *s)
{
	return s->ops->tls_version(s);
}

bool stream_has_certificate(const struct stream *s)
{
	return s->ops->has_certificate(s);
}

size_t stream_certificate_names(const struct stream *s, enum conf_certificate_user kind,
                                struct buf *out)
{
	return s->ops->certificate_names(s, kind, out);
}

enum stream_fit stream_fits(const struct stream *s, const struct tls_context *ctx, bool connected,
                            const char **why)
{
	return s->ops->fits == NULL ? STREAM_FITS : s->ops->fits(s, ctx, connected, why);
}
