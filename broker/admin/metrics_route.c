/* A token decides by itself: whoever sends a wrong one is refused, from wherever it comes. */
#include "admin/metrics_route.h"

#include "acl/acl_check.h"
#include "admin/metrics.h"
#include "base/crypto.h"
#include "base/require.h"
#include "http/http_exchange.h"
#include "http/http_login.h"
#include "worker/shared.h"

static bool contains(struct slice text, struct slice part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (slice_equal(slice_of(text.data + i, part.len), part))
			return true;
	return false;
}

/* Who names OpenMetrics understands it. */
static bool wants_open_metrics(const struct http_request *r)
{
	const struct http_field *accept = http_request_field(r, "accept");

	return accept != NULL && contains(accept->value, SLICE("application/openmetrics-text"));
}

static void answer_metrics(struct http_exchange *x)
{
	bool open = wants_open_metrics(&x->request);
	struct buf body = {0};

	metrics_write(x->worker->shared, x->worker->snapshot, open, &body);
	http_exchange_answer(
	    x, &(struct http_answer){.status = 200,
	                             .content_type = open ? METRICS_TYPE_OPEN : METRICS_TYPE_TEXT,
	                             .body = buf_slice(&body)});
	buf_fini(&body);
}

static void refuse(struct http_exchange *x, unsigned status, const char *cause)
{
	static const struct http_header ask[] = {
	    {SLICE_INIT("WWW-Authenticate"), SLICE_INIT("Bearer realm=\"metrics\"")}};

	http_exchange_answer(x, &(struct http_answer){.status = status,
	                                              .content_type = "text/plain; charset=utf-8",
	                                              .body = slice_of_str(cause),
	                                              .headers = ask,
	                                              .header_count = status == 401,
	                                              .cause = cause});
}

/* ---- the token ---- */

/* NULL: the listener has none. */
static const struct config_token *token_of(const struct http_exchange *x)
{
	const struct config_snapshot *p = x->worker->snapshot;
	unsigned slot = stream_listener(x->stream);
	const struct config_token *token;

	if (p->metrics_tokens == NULL || slot >= p->slot_count || p->slots[slot] < 0)
		return NULL;
	token = &p->metrics_tokens[p->slots[slot]];
	return token->is_set ? token : NULL;
}

static bool is_token(const struct http_exchange *x, struct slice sent)
{
	const struct config_token *token = token_of(x);
	uint8_t digest[32];

	crypto_sha256(sent, digest);
	/* mutant: metrics_token_is_compared */
	return token != NULL && crypto_equal(slice_of(digest, sizeof(digest)),
	                                     slice_of(token->digest, sizeof(token->digest)));
}

/* ---- the user of a certificate ---- */

static bool may_read_figures(const struct http_exchange *x)
{
	struct acl_request request = {.action = ACL_SUBSCRIBE, .topic = SLICE("$SYS/#")};
	struct acl_subject *subject =
	    config_snapshot_subject(x->worker->snapshot, x->identity->kind == IDENTITY_ANONYMOUS,
	                            x->identity->name, SLICE_EMPTY);
	/* All of them, or nothing: parts that are granted do not count. */
	bool may = acl_check_subscribe(subject, &request, false).allowed;

	acl_subject_free(subject);
	return may;
}

static void on_login(struct http_exchange *x)
{
	REQUIRE_EXECUTOR(&x->worker->executor);
	REQUIRE(x->identity != NULL);
	/* mutant: metrics_need_a_rule */
	if (may_read_figures(x))
		answer_metrics(x);
	else
		refuse(x, 403, "the rules do not let this user read $SYS/#");
}

/* ---- the request ---- */

static void handle(struct http_exchange *x)
{
	const struct conf_listener *l = http_exchange_listener(x);
	struct slice sent = http_login_bearer_token(x);

	REQUIRE_EXECUTOR(&x->worker->executor);
	if (l == NULL)
		refuse(x, 404, "the listener was removed");
	else if (sent.len > 0 && !is_token(x, sent))
		refuse(x, 401, "the token is not that of metrics.token_file");
	else if (sent.len > 0 ||
	         peer_address_is_among(stream_peer(x->stream), &l->metrics.allow_from))
		answer_metrics(x);
	else if (stream_has_certificate(x->stream) &&
	         l->authentication.certificate_user != CERTIFICATE_USER_NONE)
		http_login_start(x, on_login);
	else
		refuse(x, 401, "a token, a client certificate, or a listed address is needed");
}

static const char *path(const struct conf_listener *l)
{
	return l->metrics.path;
}

const struct http_route metrics_route = {
    .service = CONF_SERVICE_METRICS, .methods = HTTP_METHOD_GET, .path = path, .handle = handle};
