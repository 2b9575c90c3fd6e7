/* import of broker-pki(1): a certificate that another CA has signed. Returns the exit status.
 * Thread: main. */
#ifndef PKI_IMPORT_H
#define PKI_IMPORT_H

#include "pki/pki_options.h"

int pki_import_run(const struct pki_options *o);

#endif
