/* Lines with the cause in plain words; OpenSSL's own reason stands beside it, for those who search
 * the web. */
#include "net/tls_log.h"

#include <openssl/err.h>

#include "base/log.h"
#include "net/tls_context_internal.h"
#include "net/tls_hello.h"

#define LINES_PER_WINDOW 20
#define WINDOW_MS        10000

static bool may_log(struct tls_context *ctx, struct log_limit *limit, uint64_t now_ms,
                    uint32_t *suppressed)
{
	bool pass;

	mutex_lock(&ctx->lock);
	pass = log_limit_pass(limit, now_ms, WINDOW_MS, LINES_PER_WINDOW, suppressed);
	mutex_unlock(&ctx->lock);
	return pass;
}

static const char *name_of(struct tls_context *ctx)
{
	const char *bind;

	mutex_lock(&ctx->lock);
	bind = ctx->bind; /* once set it stays */
	mutex_unlock(&ctx->lock);
	return bind == NULL ? "?" : bind;
}

static const char *raw_reason(unsigned long error)
{
	const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);

	return reason == NULL ? "none" : reason;
}

void tls_log_handshake_failed(const struct tls_report *report, uint64_t now_ms)
{
	static const struct tls_hello nothing;
	const struct tls_hello *hello = report->hello == NULL ? &nothing : report->hello;
	struct buf versions = {0}, suites = {0};
	char peer[PEER_TEXT_MAX];
	uint32_t suppressed;

	if (!log_wants(EVENT_HANDSHAKE_FAILED) ||
	    !may_log(report->ctx, &report->ctx->failures, now_ms, &suppressed))
		return;
	(void)peer_address_text(report->peer, peer, sizeof(peer));
	tls_hello_versions(hello, &versions);
	if (report->ssl != NULL)
		tls_hello_suites(hello, report->ssl, &suites);
	LOG(HANDSHAKE_FAILED, .peer = peer, .listener = name_of(report->ctx),
	    .cause = report->failure.cause, .versions = buf_slice(&versions),
	    .suites = buf_slice(&suites), .sni = hello->server_name, .alpn = hello->protocols,
	    .certificates = report->ctx->description, .openssl = raw_reason(report->failure.error),
	    .suppressed = suppressed);
	buf_fini(&versions);
	buf_fini(&suites);
}

void tls_log_broken(const struct tls_report *report, uint64_t now_ms)
{
	char peer[PEER_TEXT_MAX];
	uint32_t suppressed;

	if (!log_wants(EVENT_TLS_BROKEN) ||
	    !may_log(report->ctx, &report->ctx->failures, now_ms, &suppressed))
		return;
	(void)peer_address_text(report->peer, peer, sizeof(peer));
	LOG(TLS_BROKEN, .peer = peer, .listener = name_of(report->ctx),
	    .cause = report->failure.cause, .openssl = raw_reason(report->failure.error),
	    .suppressed = suppressed);
}

void tls_log_excess(const struct tls_report *report, const struct tls_excess *excess,
                    uint64_t now_ms)
{
	char peer[PEER_TEXT_MAX];
	uint32_t suppressed;

	if (!log_wants(EVENT_TLS_EXCESS) ||
	    !may_log(report->ctx, &report->ctx->failures, now_ms, &suppressed))
		return;
	(void)peer_address_text(report->peer, peer, sizeof(peer));
	LOG(TLS_EXCESS, .peer = peer, .listener = name_of(report->ctx), .counted = excess->counted,
	    .number = excess->number, .bound = excess->bound, .suppressed = suppressed);
}

void tls_log_plaintext(const struct peer_address *peer, struct tls_context *ctx, const char *cause,
                       uint64_t now_ms)
{
	char text[PEER_TEXT_MAX];
	uint32_t suppressed;

	if (!log_wants(EVENT_PLAINTEXT_REFUSED) ||
	    !may_log(ctx, &ctx->plaintext, now_ms, &suppressed))
		return;
	(void)peer_address_text(peer, text, sizeof(text));
	LOG(PLAINTEXT_REFUSED, .peer = text, .listener = name_of(ctx), .cause = cause,
	    .suppressed = suppressed);
}
