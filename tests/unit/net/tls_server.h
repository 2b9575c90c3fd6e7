/* A certificate authority, a server's certificate of it, and contexts with that. */
#ifndef TEST_NET_TLS_SERVER_H
#define TEST_NET_TLS_SERVER_H

#include "net/tls/tls_context.h"
#include "net/tls/tls_tickets.h"

struct tls_server {
	char *ca_file, *certificate_file, *key_file;
	struct tls_tickets *tickets;
};

/* For "localhost"; P-256. */
void tls_server_init(struct tls_server *server);
void tls_server_fini(struct tls_server *server);
/* A new context: TLS 1.2 and 1.3, no client certificates. */
struct tls_context *tls_server_context(const struct tls_server *server);

#endif
