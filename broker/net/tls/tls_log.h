/* What goes wrong with TLS, in plain words: the causes, and the log's lines, limited for each
 * listener.  Thread: any. */
#ifndef NET_TLS_LOG_H
#define NET_TLS_LOG_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "net/peer_address.h"
#include "net/tls/tls_work.h"

struct tls_context;
struct tls_hello;

struct tls_failure {
	unsigned long error; /* the most telling one of OpenSSL's queue; 0: none */
	const char *cause;   /* plain words */
	/* The client gave up, and its reason may be the name in the certificate. */
	bool by_client;
};

/* Reads OpenSSL's queue to its end. `ssl` for the verify result, may be NULL. */
struct tls_failure tls_log_explain(SSL *ssl);
bool tls_log_is_tls(struct slice first_bytes);
/* Plain words for a connection whose first bytes are not a TLS record. */
const char *tls_log_plaintext_cause(const struct tls_context *ctx, struct slice first_bytes);

/* Append that the certificate is not for the name that the client asked for, and what to do;
 * nothing where it is, or where the client named none. */
void tls_log_put_mismatch(const SSL *ssl, const char *server_name, struct buf *out);

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
