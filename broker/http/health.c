/* The answer is for load balancers and watchers, who cannot log in: it says what is wrong with the
 * broker, and nothing about clients. */
#include "http/health.h"

#include "base/array.h"
#include "base/json.h"
#include "base/require.h"
#include "http/http_exchange.h"
#include "http/http_link.h"
#include "worker/shared.h"

static const char *stopping(const struct worker *w)
{
	return w->stopping ? "the broker stops" : NULL;
}

/* Everybody may ask as often as they like, and the journal is not asked more often than that. */
#define STORE_FRESH_MS 200

static const char *ask_store(const struct worker *w)
{
	struct journal_health health;

	journal_health(w->shared->journal, &health);
	switch (health.state) {
	case JOURNAL_OK:
		return NULL;
	case JOURNAL_LOW_SPACE:
	case JOURNAL_WAITS:
		return "the store is full: what must be stored is not acknowledged";
	case JOURNAL_FAILED:
		return "the store has failed: what must be stored is not acknowledged";
	}
	UNREACHABLE();
}

static const char *store(const struct worker *w)
{
	struct http_server *s = w->http;

	if (s->store_asked_ms == 0 || w->executor.now_ms - s->store_asked_ms >= STORE_FRESH_MS) {
		s->store_cause = ask_store(w);
		s->store_asked_ms = w->executor.now_ms;
	}
	return s->store_cause;
}

static const char *connections(const struct worker *w)
{
	return atomic_load(&w->shared->connections) >= w->snapshot->conf->limits.connections
	           ? "limits.connections is reached: no more clients are accepted"
	           : NULL;
}

/* The first that has something to say decides. */
static const char *(*const checks[])(const struct worker *w) = {stopping, store, connections};

static void handle(struct http_exchange *x)
{
	const char *cause = NULL;
	struct buf body = {0};

	for (size_t i = 0; cause == NULL && i < ARRAY_LEN(checks); i++)
		cause = checks[i](x->worker);
	json_open(&body);
	json_str(&body, "status", cause == NULL ? "ok" : "unavailable");
	if (cause != NULL)
		json_str(&body, "cause", cause);
	json_close(&body);
	http_exchange_answer(x, &(struct http_answer){.status = cause == NULL ? 200 : 503,
	                                              .content_type = "application/json",
	                                              .body = buf_slice(&body),
	                                              .cause = cause});
	buf_fini(&body);
}

static const char *path(const struct conf_listener *l)
{
	return l->health.path;
}

const struct http_route health_route = {
    .service = CONF_SERVICE_HEALTH,
    .methods = HTTP_METHOD_GET,
    .path = path,
    .handle = handle,
};
