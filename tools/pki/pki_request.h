/* Certificate requests (PKCS#10, RFC 2986) that come from elsewhere.  Nothing in them is believed
 * but the public key, and that only once its owner has shown that he has the private one.  Pure.
 * Thread: any. */
#ifndef PKI_REQUEST_H
#define PKI_REQUEST_H

#include <openssl/x509.h>

#include "base/bytes.h"

#define PKI_REQUEST_MAX ((size_t)16 * 1024)

/* PEM or DER. NULL with *why in words (the caller frees). */
X509_REQ *pki_request_read(struct slice bytes, char **why);
/* What the request asks for besides a certificate for its key, in words: a subject other than the
 * user, extensions. NULL: nothing. The caller frees. */
char *pki_request_ignored(X509_REQ *request, const char *user);

#endif
