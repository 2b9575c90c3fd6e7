/* A large file leaves piece by piece as its reader takes it. */
#include "http/dashboard.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "http/http_chunked.h"
#include "http/http_exchange.h"
#include "worker/static_files.h"

#define PIECE_BYTES ((size_t)16384)

/* Scripts and styles of this origin alone, and none within the page; nothing from elsewhere, no
 * frames, no forms. */
#define CONTENT_SECURITY                                                                           \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct download {
	struct config_snapshot *snapshot; /* has the bytes */
	struct slice left;
};

static void send_more(struct http_exchange *x)
{
	struct download *d = x->state;

	while (d->left.len > 0) {
		size_t n = d->left.len < PIECE_BYTES ? d->left.len : PIECE_BYTES;

		/* mutant: dashboard_waits_for_its_reader */
		if (http_chunked_backlog(x) > STREAM_BACKLOG_LOW)
			return; /* on_drained follows */
		http_chunked_write(x, slice_of(d->left.data, n));
		http_chunked_flush(x);
		d->left = slice_skip(d->left, n);
	}
	http_chunked_end(x);
}

static void on_end(struct http_exchange *x)
{
	struct download *d = x->state;

	config_snapshot_unref(&d->snapshot);
	free(d);
}

static const struct http_exchange_events events = {.on_drained = send_more, .on_end = on_end};

static void send(struct http_exchange *x, const struct http_answer *answer)
{
	struct download *d;

	if (answer->body.len <= PIECE_BYTES || x->request.method == HTTP_METHOD_HEAD) {
		http_exchange_answer(x, answer);
		return;
	}
	d = xnew(d);
	d->snapshot = config_snapshot_ref(x->worker->snapshot);
	d->left = answer->body;
	x->state = d;
	x->events = &events;
	http_chunked_begin(x, answer);
	send_more(x);
}

/* RFC 9110 13.1.2 */
static bool is_known(const struct http_request *r, const char *tag)
{
	return http_request_has_token(r, "if-none-match", tag) ||
	       http_request_has_token(r, "if-none-match", "*");
}

static void answer_with(struct http_exchange *x, const struct static_file *f)
{
	bool packed =
	    f->gzip.len > 0 && http_request_has_token(&x->request, "accept-encoding", "gzip");
	const char *tag = packed ? f->gzip_tag : f->tag;
	struct http_header headers[] = {
	    {SLICE("Content-Security-Policy"), SLICE(CONTENT_SECURITY)},
	    {SLICE("ETag"), slice_of_str(tag)},
	    {SLICE("Vary"), SLICE("Accept-Encoding")},
	    {SLICE("Cache-Control"),
	     f->immutable ? SLICE("public, max-age=31536000, immutable") : SLICE("no-cache")},
	    {SLICE("Content-Encoding"), SLICE("gzip")},
	};
	struct http_answer answer = {.status = 200,
	                             .content_type = f->content_type,
	                             .body = packed ? buf_slice(&f->gzip) : buf_slice(&f->bytes),
	                             .headers = headers,
	                             .header_count = ARRAY_LEN(headers) - !packed};

	if (is_known(&x->request, tag)) {
		answer.status = 304;
		answer.content_type = NULL;
		answer.body = SLICE_EMPTY;
		answer.header_count = ARRAY_LEN(headers) - 1;
	}
	send(x, &answer);
}

/* NULL: the listener has gone, or the configuration changed in between. */
static const struct static_files *files_of(const struct http_exchange *x)
{
	const struct config_snapshot *p = x->worker->snapshot;
	unsigned slot = stream_listener(x->stream);

	if (p->dashboards == NULL || slot >= p->slot_count || p->slots[slot] < 0)
		return NULL;
	return p->dashboards[p->slots[slot]];
}

static void handle(struct http_exchange *x)
{
	const struct conf_listener *l = http_exchange_listener(x);
	const struct static_files *files = files_of(x);
	const struct static_file *f = NULL;
	struct slice name;

	REQUIRE_EXECUTOR(&x->worker->executor);
	if (l != NULL && files != NULL) {
		name = slice_skip(x->request.path, strlen(l->dashboard.path));
		f = static_files_find(files, name.len == 0 ? SLICE("index.html") : name);
	}
	if (f != NULL)
		answer_with(x, f);
	else
		http_exchange_refuse(x, 404, "nothing is served under this path");
}

static const char *path(const struct conf_listener *l)
{
	return l->dashboard.path;
}

const struct http_route dashboard_route = {
    .service = CONF_SERVICE_DASHBOARD,
    .methods = HTTP_METHOD_GET,
    .path = path,
    .below = true,
    .handle = handle,
};
