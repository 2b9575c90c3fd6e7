/* dns-sd of broker-pki(1): the record by which clients find the broker. Returns the exit status.
 * Thread: main. */
#ifndef PKI_DNS_SD_H
#define PKI_DNS_SD_H

#include "pki/pki_options.h"

int pki_dns_sd_run(const struct pki_options *o);

#endif
