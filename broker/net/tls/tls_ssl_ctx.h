/* OpenSSL's settings for a listener: versions, suites, groups, signatures, options, what is asked
 * of clients, and the callbacks of the handshake.  Thread: any. */
#ifndef NET_TLS_SSL_CTX_H
#define NET_TLS_SSL_CTX_H

#include <openssl/ssl.h>

#include "net/tls/tls_building.h"

/* Without certificates. The context's client_store is used. NULL with an error. */
SSL_CTX *tls_ssl_ctx_new(const struct tls_building *b);

#endif
