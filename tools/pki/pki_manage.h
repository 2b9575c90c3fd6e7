/* revoke, crl and list of broker-pki(1). They return the exit status.  Thread: main. */
#ifndef PKI_MANAGE_H
#define PKI_MANAGE_H

#include "pki/pki_options.h"

int pki_manage_revoke(const struct pki_options *o);
int pki_manage_crl(const struct pki_options *o);
int pki_manage_list(const struct pki_options *o);

#endif
