/* Certificates of clients: bounds on what they cost, and those that were accepted once verified
 * again.  Thread: any. */
#ifndef NET_TLS_CERTIFICATE_CHECK_H
#define NET_TLS_CERTIFICATE_CHECK_H

#include <openssl/ssl.h>

#include "base/bytes.h"

struct tls_context;

/* CAs between a client's certificate and the root. */
#define TLS_CHECK_DEPTH 4

/* Bound what the certificates of clients cost, for handshakes of this context. */
void tls_certificate_check_bound(SSL_CTX *ssl_ctx);
/* Is it small enough to be looked at: its key, its alternative names? */
bool tls_certificate_check_is_bounded(X509 *certificate);

/* Append the subject of the certificate that this handshake was refused for, at most 256 bytes of
 * it; nothing where it was not for a certificate. Nobody has vouched for what it says. */
void tls_certificate_check_refused(const SSL *ssl, struct buf *out);

/* `chain`: what the client sent with it, may be NULL. `connected`: an expired CRL is passed over,
 * and what is not valid yet, as it was when the client connected.
 * On false *why is OpenSSL's own text. */
bool tls_certificate_check_again(const struct tls_context *ctx, X509 *certificate,
                                 STACK_OF(X509) * chain, bool connected, const char **why);
/* Is every certificate of a chain that was verified before in its dates now? */
bool tls_certificate_check_dates(STACK_OF(X509) * verified);

#endif
