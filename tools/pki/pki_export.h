/* export of broker-pki(1): what a client program is given. Returns the exit status.  Thread: main.
 */
#ifndef PKI_EXPORT_H
#define PKI_EXPORT_H

#include "pki/pki_options.h"

int pki_export_run(const struct pki_options *o);

#endif
