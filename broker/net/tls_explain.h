/* Why a handshake failed, in plain words.  Thread: any. */
#ifndef NET_TLS_EXPLAIN_H
#define NET_TLS_EXPLAIN_H

#include <openssl/ssl.h>

#include "base/bytes.h"

struct tls_failure {
	unsigned long error; /* the most telling one of OpenSSL's queue; 0: none */
	const char *cause;   /* plain words */
};

/* Reads OpenSSL's queue to its end. `ssl` for the verify result, may be NULL. */
struct tls_failure tls_explain(SSL *ssl);
/* Plain words for a connection whose first bytes are not a TLS record. */
const char *tls_explain_plaintext(struct slice first_bytes);
bool tls_explain_is_tls(struct slice first_bytes);

#endif
