/* A process of the null sink (null_sink.h): what it answers.  Thread: its only one. */
#ifndef BENCH_NULL_SINK_SERVE_H
#define BENCH_NULL_SINK_SERVE_H

#include <openssl/ssl.h>

/* Serve those who connect to `listener`, until it is killed. `tls`: NULL without TLS. */
_Noreturn void null_sink_serve(int listener, SSL_CTX *tls);

#endif
