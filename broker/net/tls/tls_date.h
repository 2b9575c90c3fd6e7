/* Dates of certificates, revocation lists and OCSP responses.  Thread: any. */
#ifndef NET_TLS_DATE_H
#define NET_TLS_DATE_H

#include <stdint.h>

#include <openssl/asn1.h>

/* Seconds since the epoch; 0 where it is no date, NULL too. */
int64_t tls_date_epoch_s(const ASN1_TIME *date);

#endif
