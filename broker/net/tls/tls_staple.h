/* The OCSP response that is sent with a certificate of ours (RFC 6066 section 8, RFC 6960), from a
 * file that whoever fetches it renews.  A client without one goes on, so whatever is wrong with the
 * file is a warning, and nothing is sent.  Thread: any. */
#ifndef NET_TLS_STAPLE_H
#define NET_TLS_STAPLE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/bytes.h"
#include "conf/errors.h"

/* Zero-initialised: there is none. */
struct tls_staple {
	struct buf response; /* DER */
	/* When it begins to hold, and until when, by the wall clock. */
	int64_t from_s, until_s;
};

/* Read the file, if it has a response about this certificate. Warnings only. */
void tls_staple_load(struct tls_staple *staple, const char *path, X509 *leaf,
                     struct errors *errors);
void tls_staple_copy(struct tls_staple *to, const struct tls_staple *from);
void tls_staple_fini(struct tls_staple *staple);
/* Is there one that holds now? */
bool tls_staple_is_fresh(const struct tls_staple *staple);
/* Must clients get one with this certificate (RFC 7633)? */
bool tls_staple_is_demanded(const X509 *leaf);

#endif
