/* Rules, answers, and the reasons of MQTT in HTTP. */
#include "script/script_request.h"

#include <inttypes.h>

#include "acl/acl_check.h"
#include "acl/acl_verdict.h"
#include "base/json.h"
#include "http/http_exchange.h"
#include "worker/publish_access.h"

/* A client id that no rule can have as a name (acl/rule_names.h), as that of the session has. */
/* mutant: client_id_of_a_request */
#define NO_CLIENT_ID SLICE("http/")

bool script_request_fails(struct http_exchange *x, struct http_fault fault)
{
	REQUIRE_EXECUTOR(&x->worker->executor);
	if (fault.status != 0)
		http_exchange_refuse(x, fault.status, fault.cause);
	return fault.status != 0;
}

bool script_request_is_allowed(const struct http_exchange *x, const struct acl_request *request,
                               struct buf *why)
{
	struct worker *w = x->worker;
	const struct identity *id = x->identity;
	struct acl_subject *subject = config_snapshot_subject(
	    w->snapshot, id->kind == IDENTITY_ANONYMOUS, id->name, NO_CLIENT_ID);
	struct acl_verdict verdict = publish_access_check(w, subject, id->key, request);
	char text[512];

	acl_subject_free(subject);
	if (verdict.allowed)
		return true;
	buf_put(why, text, acl_verdict_text(w->snapshot->acl, &verdict, text, sizeof(text)));
	return false;
}

unsigned script_request_status(enum reason reason)
{
	static const struct {
		enum reason reason;
		unsigned status;
	} rows[] = {
	    {REASON_NOT_AUTHORIZED, 403},
	    {REASON_BANNED, 403},
	    {REASON_PACKET_TOO_LARGE, 413},
	    {REASON_TOPIC_NAME_INVALID, 400},
	    {REASON_TOPIC_FILTER_INVALID, 400},
	    {REASON_PAYLOAD_FORMAT_INVALID, 400},
	    {REASON_MALFORMED, 400},
	    {REASON_QOS_NOT_SUPPORTED, 400},
	    {REASON_RETAIN_NOT_SUPPORTED, 400},
	    {REASON_MESSAGE_RATE_TOO_HIGH, 429},
	};

	if (reason < REASON_UNSPECIFIED)
		return 200;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].reason == reason)
			return rows[i].status;
	}
	return 503;
}

/* `more`: another header. NULL: none. */
static void answer_with(struct http_exchange *x, enum reason reason, struct slice cause,
                        const struct http_header *more)
{
	struct http_header headers[4];
	struct buf body = {0}, text = {0};
	struct http_answer answer = {.status = script_request_status(reason),
	                             .content_type = "application/json",
	                             .headers = headers,
	                             .header_count = script_request_cors(x, headers)};

	if (more != NULL)
		headers[answer.header_count++] = *more;
	buf_put_slice(&text, cause.len > 0 ? cause : slice_of_str(reason_name(reason)));
	buf_put_u8(&text, '\0');
	json_open(&body);
	json_number(&body, "status", answer.status);
	json_number(&body, "reason", (uint64_t)reason);
	json_str(&body, "text", reason_name(reason));
	if (cause.len > 0)
		json_text(&body, "cause", cause);
	json_close(&body);
	answer.body = buf_slice(&body);
	if (answer.status >= 400)
		answer.cause = (const char *)text.data;
	http_exchange_answer(x, &answer);
	buf_fini(&body);
	buf_fini(&text);
}

void script_request_answer(struct http_exchange *x, enum reason reason, struct slice cause)
{
	answer_with(x, reason, cause, NULL);
}

void script_request_too_early(struct http_exchange *x, uint64_t wait_ms)
{
	struct buf seconds = {0};
	struct http_header header = {.name = SLICE("Retry-After")};

	REQUIRE(wait_ms > 0);
	buf_printf(&seconds, "%" PRIu64, (wait_ms + 999) / 1000);
	header.value = buf_slice(&seconds);
	answer_with(
	    x, REASON_MESSAGE_RATE_TOO_HIGH,
	    SLICE("the user has published more than limits.message_rate, over all connections "
	          "for HTTPS together"),
	    &header);
	buf_fini(&seconds);
}

size_t script_request_cors(const struct http_exchange *x, struct http_header headers[3])
{
	const struct http_field *origin = http_request_field(&x->request, "origin");
	const struct conf_listener *l = http_exchange_listener(x);
	bool is_listed = false;

	for (size_t i = 0; l != NULL && origin != NULL && i < l->publish.origins.count; i++)
		is_listed |= slice_equal(slice_of_str(l->publish.origins.items[i]), origin->value);
	/* mutant: cors_for_listed_origins */
	if (!is_listed)
		return 0;
	headers[0] = (struct http_header){SLICE("Access-Control-Allow-Origin"), origin->value};
	headers[1] = (struct http_header){SLICE("Access-Control-Allow-Credentials"), SLICE("true")};
	headers[2] = (struct http_header){SLICE("Vary"), SLICE("Origin")};
	return 3;
}

const struct conf_strings *script_request_origins(const struct conf_listener *l)
{
	return &l->publish.origins;
}
