/* The login of a request: what it presents, the answer, which may come later, and the places that
 * a logged-in connection takes. */
#include "http/http_login.h"

#include <stdlib.h>
#include <strings.h>

#include "auth/login_request.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "client/connect/login_input.h"
#include "client/half_open_places.h"
#include "http/http_exchange.h"
#include "http/http_link.h"
#include "net/listener_gate.h"
#include "worker/shared.h"

/* It outlives its connection until the answer comes. */
struct http_login {
	struct login_request request;
	struct http_conn *conn; /* NULL: it is gone */
	struct worker *worker;
	http_login_fn *done;
	struct timer timer; /* until a failure may be reported */
	bool answered;
};

/* --- what the request presents --- */

/* "Basic dXNlcjpwYXNz": the part after the scheme. */
static struct slice credentials_of(const struct http_exchange *x, const char *scheme)
{
	const struct http_field *field = http_request_field(&x->request, "authorization");
	size_t len = strlen(scheme);
	struct slice value;

	if (field == NULL || http_request_field_count(&x->request, "authorization") != 1 ||
	    field->value.len <= len || field->value.data[len] != ' ' ||
	    strncasecmp((const char *)field->value.data, scheme, len) != 0)
		return SLICE_EMPTY;
	value = slice_skip(field->value, len + 1);
	while (value.len > 0 && value.data[0] == ' ')
		value = slice_skip(value, 1);
	return value;
}

struct slice http_login_bearer_token(const struct http_exchange *x)
{
	return credentials_of(x, "Bearer");
}

static bool is_text(struct slice text)
{
	while (text.len > 0) {
		uint32_t code_point = 0;
		size_t n = utf8_decode(text, &code_point);

		if (n == 0 || code_point == 0)
			return false;
		text = slice_skip(text, n);
	}
	return true;
}

/* RFC 7617. False: there are credentials, and they are not valid. */
static bool read_basic(const struct http_exchange *x, struct buf *plain, struct login *out)
{
	struct slice text = credentials_of(x, "Basic");
	const uint8_t *colon;

	if (http_request_field(&x->request, "authorization") == NULL)
		return true;
	if (text.len == 0 || !base64_decode(plain, text) || plain->len == 0)
		return false;
	colon = memchr(plain->data, ':', plain->len);
	if (colon == NULL || !is_text(buf_slice(plain)))
		return false;
	out->has_user_name = out->has_password = true;
	out->user_name = slice_of(plain->data, (size_t)(colon - plain->data));
	out->password = slice_skip(buf_slice(plain), out->user_name.len + 1);
	return true;
}

/* What the connection has besides. A request has no client id: it counts as the user's name. */
static void fill(const struct http_conn *c, struct buf *name, struct login *out)
{
	const struct worker *w = c->x.worker;
	const struct conf_listener *l = worker_listener(w, stream_listener(c->x.stream));
	enum conf_certificate_user kind = l->authentication.certificate_user;

	*out = (struct login){
	    .conf = &l->authentication,
	    .source = w->snapshot->identities,
	    .has_certificate = l->tls.client_certificates != CLIENT_CERTIFICATES_NONE &&
	                       stream_has_certificate(c->x.stream),
	    .certificate_required = l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED,
	};
	if (out->has_certificate && kind != CERTIFICATE_USER_NONE &&
	    stream_certificate_names(c->x.stream, kind, name) == 1)
		out->certificate_name = out->client_id = buf_slice(name);
	out->has_certificate_key = out->certificate_name.len > 0 &&
	                           stream_certificate_key(c->x.stream, out->certificate_key);
}

static bool still_valid(const struct http_conn *c, const char **why)
{
	struct buf name = {0};
	struct login now;
	bool valid;

	fill(c, &name, &now);
	now.client_id = c->x.identity->name;
	valid = login_still_valid(c->x.identity, &now, why);
	buf_fini(&name);
	return valid;
}

/* The client's certificate, since its handshake. */
static bool has_ended(const struct http_exchange *x)
{
	int64_t until_s = stream_certificate_until(x->stream);

	return until_s != 0 && clock_wall_ms() / 1000 > until_s;
}

bool http_login_is_admitted(struct http_exchange *x)
{
	struct http_conn *c = http_conn_of(x);
	const struct config_snapshot *snapshot = x->worker->snapshot;
	unsigned slot = stream_listener(x->stream);
	const struct conf_listener *l = config_snapshot_listener(snapshot, slot);
	const char *why = NULL;

	REQUIRE_EXECUTOR(&x->worker->executor);
	/* mutant: http_certificate_ends */
	if (has_ended(x))
		return false;
	if (c->admitted_by == snapshot->generation)
		return true;
	if (c->state == HTTP_STATE_CLOSING || l == NULL)
		return false;
	if (listener_gate_refusal(x->stream, l) != NULL)
		return false;
	/* mutant: http_revocation_on_reload */
	if (stream_fits(x->stream, snapshot->tls[snapshot->slots[slot]], x->identity != NULL,
	                &why) != STREAM_FITS)
		return false;
	if (x->identity != NULL && !still_valid(c, &why))
		return false;
	c->admitted_by = snapshot->generation;
	return true;
}

/* --- the answer --- */

static void login_free(struct http_login *login)
{
	executor_timer_disarm(&login->worker->executor, &login->timer);
	login_request_fini(&login->request);
	free(login);
}

void http_login_forget(struct http_exchange *x)
{
	struct http_conn *c = http_conn_of(x);
	struct http_login *login = c->login;

	REQUIRE_EXECUTOR(&x->worker->executor);
	c->login = NULL;
	if (login == NULL)
		return;
	login->conn = NULL;
	if (login->answered)
		login_free(login);
	else
		login_request_cancel(&login->request);
}

/* Is a password alone never enough? */
static bool wants_certificates(const struct conf_listener *l)
{
	return l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED ||
	       l->authentication.login == LOGIN_DEMANDS_BOTH;
}

static void refuse(struct http_conn *c, enum login_verdict verdict, const char *why)
{
	static const struct http_header ask[] = {
	    {SLICE_INIT("WWW-Authenticate"),
	     SLICE_INIT("Basic realm=\"MQTT\", charset=\"UTF-8\"")}};
	static const struct http_header wait[] = {{SLICE_INIT("Retry-After"), SLICE_INIT("10")}};
	bool busy = verdict == LOGIN_BUSY;
	bool barred =
	    verdict == LOGIN_BAD_CLIENT_ID ||
	    (verdict == LOGIN_NOT_AUTHORIZED && !stream_has_certificate(c->x.stream) &&
	     wants_certificates(worker_listener(c->x.worker, stream_listener(c->x.stream))));
	struct buf json = {0};

	/* The client gets the same words for all that may tell who exists. */
	buf_printf(&json, "{\"status\":%u,\"cause\":\"%s\"}\n",
	           busy     ? 429
	           : barred ? 403
	                    : 401,
	           busy     ? "too many logins wait: try again later"
	           : barred ? "a client certificate is required, or the user may not use HTTP"
	                    : "a user name and its password are needed");
	http_exchange_answer(&c->x, &(struct http_answer){.status = busy     ? 429
	                                                            : barred ? 403
	                                                                     : 401,
	                                                  .content_type = "application/json",
	                                                  .body = buf_slice(&json),
	                                                  .headers = busy ? wait : ask,
	                                                  .header_count = barred ? 0 : 1,
	                                                  .cause = why});
	buf_fini(&json);
}

/* NULL: there is a place among the connections, and it is taken. */
static const char *take_place(struct http_conn *c)
{
	struct worker *w = c->x.worker;
	struct shared *shared = w->shared;
	unsigned index = stream_listener(c->x.stream);
	const struct conf_listener *l = worker_listener(w, index);
	uint32_t max = l->limits.connections_per_user;

	REQUIRE(!c->user_counted && c->x.identity != NULL);
	if (atomic_load(&shared->connections) >= w->snapshot->conf->limits.connections ||
	    (l->own_connections &&
	     atomic_load(&shared->listeners[index].clients) >= l->limits.connections))
		return "limits.connections is reached";
	if (!keyed_counter_take(&shared->user_connections, c->x.identity->key,
	                        max == 0 ? UINT32_MAX - 1 : max))
		return "limits.connections_per_user is reached";
	atomic_fetch_add(&shared->connections, 1);
	atomic_fetch_add(&shared->listeners[index].clients, 1);
	c->user_counted = true;
	http_link_pay(c);
	half_open_places_leave(w, &c->place);
	return NULL;
}

/* The time of the answer has come. */
static void end_login(struct http_login *login)
{
	struct http_conn *c = login->conn;
	http_login_fn *done = login->done;
	enum login_verdict verdict = login->request.verdict;
	const char *why = login->request.why, *full;

	login_input_count(login->worker, login->request.method, verdict);
	c->x.identity = login->request.identity;
	login->request.identity = NULL;
	c->login = NULL;
	login_free(login);
	if (verdict != LOGIN_ACCEPTED) {
		refuse(c, verdict, why);
		return;
	}
	full = take_place(c);
	if (full != NULL)
		http_exchange_refuse(&c->x, 503, full);
	else
		done(&c->x);
}

/* A configuration may have come into force while the login was under way. */
static bool is_refused(struct http_login *login)
{
	struct http_conn *c = login->conn;
	struct login_request *request = &login->request;

	if (request->verdict == LOGIN_ACCEPTED &&
	    c->login_generation != c->x.worker->snapshot->generation) {
		c->x.identity = request->identity;
		if (!still_valid(c, &request->why)) {
			request->verdict = LOGIN_BAD_CREDENTIALS;
			identity_unref(&request->identity);
		}
		c->x.identity = NULL;
	}
	return request->verdict != LOGIN_ACCEPTED;
}

static void on_refuse_time(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	end_login(container_of(timer, struct http_login, timer));
}

static void on_answer(struct login_request *request)
{
	struct http_login *login = container_of(request, struct http_login, request);
	struct executor *executor = &login->worker->executor;

	REQUIRE_EXECUTOR(executor);
	login->answered = true;
	if (login->conn == NULL)
		login_free(login);
	else if (is_refused(login) && request->refuse_at_ms > executor->now_ms)
		timer_arm(&executor->timers, &login->timer, request->refuse_at_ms);
	else
		end_login(login);
}

void http_login_start(struct http_exchange *x, http_login_fn *done)
{
	struct http_conn *c = http_conn_of(x);
	struct worker *w = x->worker;
	struct http_login *waiting;
	struct buf name = {0}, plain = {0};
	struct login login;
	char address[STREAM_PEER_TEXT];
	size_t address_len = stream_peer_key_text(x->stream, address, sizeof(address));

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(c->state == HTTP_STATE_HANDLED && c->login == NULL && x->identity == NULL);
	fill(c, &name, &login);
	if (!read_basic(x, &plain, &login)) {
		buf_fini_secret(&plain);
		buf_fini(&name);
		refuse(c, LOGIN_BAD_CREDENTIALS, "the Authorization of the request is not valid");
		return;
	}
	if (login.has_user_name)
		login.client_id = login.user_name;
	waiting = xnew(waiting);
	waiting->conn = c;
	waiting->worker = w;
	waiting->done = done;
	waiting->timer.fire = on_refuse_time;
	waiting->request.done = on_answer;
	waiting->request.executor = &w->executor;
	waiting->request.address = slice_of(address, address_len);
	c->login = waiting;
	c->login_generation = w->snapshot->generation;
	if (login_request_start(&waiting->request, &login, w->shared->authenticator))
		on_answer(&waiting->request);
	buf_fini_secret(&plain);
	buf_fini(&name);
}
