/* What client certificates are verified by: the CAs and the revocation lists of the configuration.
 * Thread: any. */
#ifndef NET_TLS_CLIENT_CA_H
#define NET_TLS_CLIENT_CA_H

#include "net/tls/tls_building.h"

/* Fills client_store and trust of the context, where the configuration asks for certificates of
 * clients; with errors where that fails. */
void tls_client_ca_load(const struct tls_building *b);

#endif
