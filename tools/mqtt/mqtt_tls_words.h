/* Why TLS failed, in words.  Thread: any. */
#ifndef MQTT_MQTT_TLS_WORDS_H
#define MQTT_MQTT_TLS_WORDS_H

#include <openssl/x509.h>

#include "base/bytes.h"

/* What verification found wrong with a chain: one sentence, with a remedy. `trusted`: "in FILE", or
 * "of this system". */
void mqtt_tls_words_of_chain(X509_STORE_CTX *store, const char *host, const char *trusted,
                             struct buf *out);
/* The same for an error of OpenSSL's queue that ended a connection (0: it was just closed).
 * `has_certificate`: the client has one. */
void mqtt_tls_words_of_error(unsigned long error, bool has_certificate, struct buf *out);

#endif
