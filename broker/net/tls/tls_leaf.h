/* A certificate in a file, as broker-passwd pins it.  Thread: main. */
#ifndef NET_TLS_LEAF_H
#define NET_TLS_LEAF_H

#include "base/key_pin.h"
#include "conf/errors.h"

struct tls_leaf {
	uint8_t key[KEY_PIN_BYTES];
	/* Would it name this user, by some value of certificate_user? */
	bool names_user;
	struct buf subject; /* RFC 2253 */
};

/* The first certificate of the file, PEM or DER. False with an error: there is none, or it is that
 * of a CA. tls_leaf_fini in any case. */
bool tls_leaf_read(const char *path, struct slice user, struct tls_leaf *out,
                   struct errors *errors);
void tls_leaf_fini(struct tls_leaf *leaf);

#endif
