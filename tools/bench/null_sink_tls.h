/* TLS of the null sink (null_sink.h).  Thread: any. */
#ifndef BENCH_NULL_SINK_TLS_H
#define BENCH_NULL_SINK_TLS_H

#include <openssl/ssl.h>

/* With a key and a certificate that nobody else has; the caller's. NULL: not possible. */
SSL_CTX *null_sink_tls_new(void);

#endif
