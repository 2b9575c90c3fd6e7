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
	require_owner(s);
	return s->ops->read(s, out, cap);
}

void stream_write(struct stream *s, struct slice bytes)
{
	require_owner(s);
	s->ops->write(s, bytes);
}

size_t stream_backlog(const struct stream *s)
{
	while (s->ops->backlog == NULL)
		s = s->inner;
	return s->ops->backlog(s);
}

uint64_t stream_accepted(const struct stream *s)
{
	require_owner(s);
	return s->ops->accepted == NULL ? stream_accepted(s->inner) : s->ops->accepted(s);
}

uint64_t stream_heard_ms(const struct stream *s)
{
	return s->facts->heard_ms;
}

uint32_t stream_undelivered(const struct stream *s)
{
	return s->facts->undelivered;
}

static void set_paused(struct stream *s, bool paused)
{
	require_owner(s);
	if (s->ops->set_paused == NULL)
		set_paused(s->inner, paused);
	else
		s->ops->set_paused(s, paused);
}

void stream_pause(struct stream *s)
{
	set_paused(s, true);
}

void stream_resume(struct stream *s)
{
	set_paused(s, false);
}

void stream_close(struct stream *s, uint64_t flush_ms)
{
	require_owner(s);
	if (s->executor == NULL)
		return;
	if (s->ops->close == NULL)
		stream_close(s->inner, flush_ms);
	else
		s->ops->close(s, flush_ms);
}

void stream_abort(struct stream *s)
{
	require_owner(s);
	if (s->executor == NULL)
		return;
	if (s->ops->abort == NULL)
		stream_abort(s->inner);
	else
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

bool stream_deliver(struct stream *s, uint8_t *bytes, size_t len)
{
	struct loop *loop = s->loop;
	struct stream_call call = begin_call(s);
	bool may_be_secret = s->facts->packets == 0;

	REQUIRE(len > 0 && s->loop != NULL);
	loop->calls = &call;
	s->facts->undelivered = 0;
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

void stream_call_stage(struct stream *s, enum stream_stage stage)
{
	/* mutant: half_open_sees_handshake */
	if (s->events->on_stage != NULL)
		s->events->on_stage(s->arg, stage);
}

void stream_call_closed(struct stream *s, enum stream_end end)
{
	require_owner(s);
	s->events->on_closed(s->arg, end);
	s->ops->free(s);
}

void stream_pass_stage(void *stream, enum stream_stage stage)
{
	stream_call_stage(stream, stage);
}

void stream_pass_drained(void *stream)
{
	(void)stream_call_drained(stream);
}

void stream_pass_closed(void *stream, enum stream_end end)
{
	stream_call_closed(stream, end);
}

/* --- moving --- */

void stream_detach(struct stream *s)
{
	REQUIRE(s->executor != NULL);
	require_owner(s);
	for (struct stream_call *call = s->loop == NULL ? NULL : s->loop->calls; call != NULL;
	     call = call->outer) {
		if (call->stream == s)
			call->stream = NULL; /* whoever called the owner has to go */
	}
	if (s->ops->detach != NULL)
		s->ops->detach(s);
	if (s->inner != NULL)
		stream_detach(s->inner);
	s->events = NULL;
	s->arg = NULL;
	s->loop = NULL;
	s->executor = NULL;
}

void stream_attach(struct stream *s, struct loop *loop, const struct stream_events *events,
                   void *arg)
{
	REQUIRE(s->executor == NULL && events != NULL && events->on_closed != NULL);
	REQUIRE((s->inner == NULL) == (s->ops->inner_events == NULL));
	REQUIRE(loop == NULL || loop->executor == executor_current());
	s->events = events;
	s->arg = arg;
	s->loop = loop;
	s->executor = executor_current();
	if (s->inner != NULL)
		stream_attach(s->inner, loop, s->ops->inner_events, s);
	if (s->ops->attach != NULL)
		s->ops->attach(s);
}

void stream_discard(struct stream *s)
{
	while (s != NULL) {
		struct stream *inner = s->inner;

		REQUIRE(s->executor == NULL);
		s->ops->free(s);
		s = inner;
	}
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

const struct peer_address *stream_peer(const struct stream *s)
{
	return &s->facts->peer;
}

const struct peer_address *stream_proxy(const struct stream *s)
{
	return s->facts->proxy == NULL ? NULL : &s->facts->proxy->sender;
}

uint64_t stream_accepted_ms(const struct stream *s)
{
	return s->facts->accepted_ms;
}

bool stream_is_established(const struct stream *s)
{
	return s->facts->established;
}

const char *stream_tls_version(const struct stream *s)
{
	return s->facts->tls == NULL ? "none" : s->facts->tls->version;
}

const char *stream_server_name(const struct stream *s)
{
	const char *name = s->facts->tls == NULL ? NULL : s->facts->tls->server_name;

	return name == NULL ? "" : name;
}

bool stream_has_certificate(const struct stream *s)
{
	return s->facts->tls != NULL && s->facts->tls->has_certificate;
}

size_t stream_certificate_names(const struct stream *s, enum conf_certificate_user kind,
                                struct buf *out)
{
	return stream_has_certificate(s)
	           ? s->facts->tls->ops->certificate_names(s->facts->tls, kind, out)
	           : 0;
}

void stream_certificate_subject(const struct stream *s, struct buf *out)
{
	if (stream_has_certificate(s))
		s->facts->tls->ops->certificate_subject(s->facts->tls, out);
}

bool stream_certificate_key(const struct stream *s, uint8_t out[KEY_PIN_BYTES])
{
	return stream_has_certificate(s) && s->facts->tls->ops->certificate_key != NULL &&
	       s->facts->tls->ops->certificate_key(s->facts->tls, out);
}

void stream_put_certificate_key(const struct stream *s, struct buf *out)
{
	uint8_t pin[KEY_PIN_BYTES];

	if (stream_certificate_key(s, pin))
		key_pin_put(pin, out);
}

int64_t stream_certificate_until(const struct stream *s)
{
	return stream_has_certificate(s) && s->facts->tls->ops->certificate_until != NULL
	           ? s->facts->tls->ops->certificate_until(s->facts->tls)
	           : 0;
}

void stream_put_mismatch(const struct stream *s, struct buf *out)
{
	if (s->facts->tls != NULL && s->facts->tls->ops->put_mismatch != NULL)
		s->facts->tls->ops->put_mismatch(s->facts->tls, out);
}

enum stream_fit stream_fits(const struct stream *s, const struct tls_context *ctx, bool connected,
                            const char **why)
{
	if (!s->facts->established)
		return STREAM_NOT_READY;
	return s->facts->tls == NULL ? STREAM_FITS
	                             : s->facts->tls->ops->fits(s->facts->tls, ctx, connected, why);
}
