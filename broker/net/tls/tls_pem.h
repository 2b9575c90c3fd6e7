/* Files with certificates and revocation lists.  Thread: any. */
#ifndef NET_TLS_PEM_H
#define NET_TLS_PEM_H

#include <openssl/x509.h>

#include "base/bytes.h"
#include "conf/conf_file.h"
#include "conf/errors.h"

#define TLS_PEM_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* False with an error that names the file; an empty one is an error. */
bool tls_pem_read_file(const struct conf_file *file, struct buf *out, struct errors *errors);
bool tls_pem_is_der(struct slice bytes);
/* PEM (several) or DER (one). NULL when there is none, or one of them is broken. */
STACK_OF(X509) * tls_pem_certificates(struct slice bytes);
STACK_OF(X509_CRL) * tls_pem_crls(struct slice bytes);

#endif
