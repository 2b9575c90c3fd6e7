/* server, client, sign and renew of broker-pki(1). They return the exit status.  Thread: main. */
#ifndef PKI_LEAF_H
#define PKI_LEAF_H

#include "pki/pki_options.h"

int pki_leaf_server(const struct pki_options *o);
int pki_leaf_client(const struct pki_options *o);
int pki_leaf_sign(const struct pki_options *o);
int pki_leaf_renew(const struct pki_options *o);

/* May a certificate be for this user? 0, or EXIT_USAGE after a message. */
int pki_leaf_check_user(const char *user);

#endif
