#include "tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "pki.h"

void tls_server_init(struct tls_server *server)
{
	struct pki_identity ca =
	    pki_make(&(struct pki_options){.common_name = "test CA", .ca = true});
	struct pki_identity id = pki_make(&(struct pki_options){.common_name = "localhost",
	                                                        .alternatives = "DNS:localhost",
	                                                        .usage = "serverAuth",
	                                                        .issuer = &ca});

	server->ca_file = xstrdup(pki_write("ca.crt", ca.certificate));
	server->certificate_file = xstrdup(pki_write("server.crt", id.certificate));
	server->key_file = xstrdup(pki_write_key("server.key", id.key));
	server->tickets = tls_tickets_new();
	pki_drop(&id);
	pki_drop(&ca);
}

void tls_server_fini(struct tls_server *server)
{
	tls_tickets_free(server->tickets);
	free(server->ca_file);
	free(server->certificate_file);
	free(server->key_file);
	pki_cleanup();
}

struct tls_context *tls_server_context(const struct tls_server *server)
{
	struct conf_certificate pair = {.certificate = server->certificate_file,
	                                .key = server->key_file};
	struct conf_tls conf = {.certificates = &pair, .certificate_count = 1, .min_version = 12};
	struct errors errors = {0};
	struct tls_context *context =
	    tls_context_new(&conf, "test.yaml", 1, CONF_PROTOCOL_MQTT, server->tickets, &errors);

	errors_fini(&errors);
	assert_non_null(context);
	return context;
}
