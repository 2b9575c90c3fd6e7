/* What all kinds of streams have in common: the owner's calls, and the calls to the owner. */
#include "net/stream.h"

#include "base/crypto.h"
#include "base/executor.h"
#include "base/require.h"
#include "net/loop_internal.h"

/* --- calls of the owner --- */

/* A detached stream belongs to its holder. */
static void require_owner(const struct stream *s)
{
	REQUIRE(s->executor == NULL || s->executor == executor_current());
}

ssize_t stream_read(struct stream *s, void *out, size_t cap)
{
	return s->ops->read(s, out, cap);
}

void stream_write(struct stream *s, struct slice bytes)
{
	require_owner(s);
	s->ops->write(s, bytes);
}

size_t stream_backlog(const struct stream *s)
{
	return s->ops->backlog(s);
}

void stream_pause(struct stream *s)
{
	require_owner(s);
	s->ops->set_paused(s, true);
}

void stream_resume(struct stream *s)
{
	require_owner(s);
	s->ops->set_paused(s, false);
}

void stream_close(struct stream *s, uint64_t flush_ms)
{
	require_owner(s);
	s->ops->close(s, flush_ms);
}

void stream_abort(struct stream *s)
{
	require_owner(s);
	s->ops->abort(s);
}

/* --- calls to the owner --- */

/* A call under way: on the stack, and in the list of its loop. */
struct stream_call {
	struct stream_call *outer;
	/* NULL: detached meanwhile */
	const struct stream *stream;
};

static struct stream_call begin_call(struct stream *s)
{
	return (struct stream_call){.outer = s->loop->calls, .stream = s};
}

static bool end_call(struct loop *loop, const struct stream_call *call)
{
	loop->calls = call->outer;
	return call->stream != NULL;
}

static void forget_calls(const struct stream *s)
{
	struct stream_call *call = s->loop == NULL ? NULL : s->loop->calls;

	for (; call != NULL; call = call->outer) {
		if (call->stream == s)
			call->stream = NULL;
	}
}

bool stream_deliver(struct stream *s, uint8_t *bytes, size_t len)
{
	struct loop *loop = s->loop;
	struct stream_call call = begin_call(s);
	bool may_be_secret = s->facts->packets == 0;

	loop->calls = &call;
	s->events->on_bytes(s->arg, slice_of(bytes, len));
	/* mutant: password_in_decrypted_buffer */
	if (may_be_secret)
		crypto_wipe(bytes, len);
	return end_call(loop, &call);
}

bool stream_call_readable(struct stream *s)
{
	struct loop *loop = s->loop;
	struct stream_call call = begin_call(s);

	loop->calls = &call;
	s->events->on_readable(s->arg);
	return end_call(loop, &call);
}

bool stream_call_drained(struct stream *s)
{
	struct loop *loop = s->loop;
	struct stream_call call = begin_call(s);

	loop->calls = &call;
	s->events->on_drained(s->arg);
	return end_call(loop, &call);
}

/* --- moving --- */

void stream_detach(struct stream *s)
{
	REQUIRE(s->executor != NULL);
	require_owner(s);
	forget_calls(s);
	s->ops->detach(s);
	s->events = NULL;
	s->arg = NULL;
	s->loop = NULL;
	s->executor = NULL;
}

void stream_attach(struct stream *s, struct loop *loop, const struct stream_events *events,
                   void *arg)
{
	REQUIRE(s->executor == NULL && events != NULL);
	REQUIRE(loop == NULL || loop->executor == executor_current());
	s->events = events;
	s->arg = arg;
	s->loop = loop;
	s->executor = executor_current();
	s->ops->attach(s);
}

void stream_discard(struct stream *s)
{
	if (s == NULL)
		return;
	REQUIRE(s->executor == NULL);
	s->ops->free(s);
}

/* --- peer and TLS --- */

size_t stream_peer_text(const struct stream *s, char *out, size_t cap)
{
	return peer_address_text(&s->facts->peer, out, cap);
}

struct slice stream_peer_key(const struct stream *s)
{
	return peer_address_key(&s->facts->peer);
}

size_t stream_peer_key_text(const struct stream *s, char *out, size_t cap)
{
	return peer_address_key_text(&s->facts->peer, out, cap);
}

bool stream_has_address(const struct stream *s)
{
	return peer_address_is_network(&s->facts->peer);
}

bool stream_is_established(const struct stream *s)
{
	return s->facts->established;
}

const char *stream_tls_version(const struct stream *s)
{
	return s->facts->tls == NULL ? "none" : s->facts->tls->version;
}

bool stream_has_certificate(const struct stream *s)
{
	return s->facts->tls != NULL && s->facts->tls->has_certificate;
}

size_t stream_certificate_names(const struct stream *s, enum conf_certificate_user kind,
                                struct buf *out)
{
	return stream_has_certificate(s)
	           ? s->facts->tls->certificate_names(s->facts->tls, kind, out)
	           : 0;
}

enum stream_fit stream_fits(const struct stream *s, const struct tls_context *ctx, bool connected,
                            const char **why)
{
	if (!s->facts->established)
		return STREAM_NOT_READY;
	return s->facts->tls == NULL ? STREAM_FITS
	                             : s->facts->tls->fits(s->facts->tls, ctx, connected, why);
}
