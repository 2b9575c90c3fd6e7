/* Warnings about certificates that load, and will not work, or not for long.  Thread: any. */
#ifndef NET_TLS_LINT_H
#define NET_TLS_LINT_H

#include "net/tls/tls_building.h"
#include "net/tls/tls_certificate.h"

/* Before the end of a revocation list, and not before the half of its time. */
#define CRL_SOON_DAYS 7

/* One of our own: its names, its chain, its dates. */
void tls_lint_certificate(const struct tls_certificate *c, const struct conf_certificate *conf,
                          const char *conf_path, struct errors *errors);
/* The certificate at `index` next to those before it: is it ever sent? */
void tls_lint_repeated(const struct tls_building *b, size_t index);
/* Those of clients: the CAs, and the revocation lists. */
void tls_lint_cas(const struct tls_building *b, STACK_OF(X509) * cas);
/* One whose own issuer is missing, where it cannot be taken as it is. */
void tls_lint_lone_ca(const struct tls_building *b, const X509 *ca);
void tls_lint_revocations(const struct tls_building *b, STACK_OF(X509) * cas,
                          STACK_OF(X509_CRL) * crls);

#endif
