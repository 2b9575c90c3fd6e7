/* diagnose of broker-pki(1): which devices would fail at a server. Returns the exit status.
 * Thread: main. */
#ifndef PKI_DIAGNOSE_H
#define PKI_DIAGNOSE_H

#include "pki/pki_options.h"

int pki_diagnose_run(const struct pki_options *o);

#endif
