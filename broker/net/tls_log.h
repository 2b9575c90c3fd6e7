/* The log's lines about TLS, limited for each listener.  Thread: any. */
#ifndef NET_TLS_LOG_H
#define NET_TLS_LOG_H

#include <openssl/ssl.h>

#include "net/peer_address.h"
#include "net/tls_explain.h"
#include "net/tls_work.h"

struct tls_context;
struct tls_hello;

struct tls_report {
	const struct peer_address *peer;
	struct tls_context *ctx;
	const struct tls_hello *hello; /* may be NULL */
	SSL *ssl;                      /* may be NULL */
	struct tls_failure failure;
};

/* One line each, limited per listener. */
void tls_log_handshake_failed(const struct tls_report *report, uint64_t now_ms);
void tls_log_broken(const struct tls_report *report, uint64_t now_ms);
void tls_log_excess(const struct tls_report *report, const struct tls_excess *excess,
                    uint64_t now_ms);
void tls_log_plaintext(const struct peer_address *peer, struct tls_context *ctx, const char *cause,
                       uint64_t now_ms);

#endif
