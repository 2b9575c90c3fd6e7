/* The names that a client's certificate gives to a user.  Thread: any. */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include <openssl/x509.h>

#include "base/bytes.h"
#include "conf/conf.h"

/* Names of that kind: how many there are; the first is appended to *out. Only values that are UTF-8
 * without U+0000 count; one that is not gives 0. */
size_t tls_names_of(X509 *certificate, enum conf_certificate_user kind, struct buf *out);

#endif
