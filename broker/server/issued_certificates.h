/* What a private PKI (broker-pki(1)) has issued to clients and what of it ends soon: the file
 * `index` in the directory of a client_ca.  A PKI that is not ours has none, the broker may not
 * read it, or it is broken: then nothing is said.  Thread: main. */
#ifndef SERVER_ISSUED_CERTIFICATES_H
#define SERVER_ISSUED_CERTIFICATES_H

#include "conf/conf.h"
#include "conf/errors.h"

/* Warnings, for --check, a start and a reload. */
void issued_certificates_check(const struct conf *conf, struct errors *errors);
/* The same to the log, for each day. */
void issued_certificates_log(const struct conf *conf);

#endif
