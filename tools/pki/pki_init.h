/* init and move-keys of broker-pki(1): the two CAs come, and their keys go. They return the exit
 * status.  Thread: main. */
#ifndef PKI_INIT_H
#define PKI_INIT_H

#include "pki/pki_options.h"

int pki_init_run(const struct pki_options *o);
int pki_init_move_keys(const struct pki_options *o);

#endif
