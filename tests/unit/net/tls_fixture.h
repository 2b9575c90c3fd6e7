/* A server whose listeners say who came, identities for both sides, and clients that come and come
 * back: what the tests of TLS handshakes share. */
#ifndef TEST_NET_TLS_FIXTURE_H
#define TEST_NET_TLS_FIXTURE_H

#include "net/tls/tls_context.h"
#include "net/tls/tls_tickets.h"
#include "net_client.h"
#include "net_fixture.h"
#include "pki.h"

/* The server's side, the clients' side, and files of each. */
struct tls_fixture {
	struct pki_identity ca, ec, rsa, other_name;
	struct pki_identity client_ca, good, revoked, expired, for_servers, stranger_ca, stranger;
	struct pki_identity middle_ca, below_middle;
	const char *ca_file, *client_ca_file, *two_cas_file, *bad_ca_file;
	const char *crl, *crl_expired, *crl_middle, *crl_all;
	struct tls_tickets *tickets;
};

extern struct tls_fixture tls_fixture;

int tls_fixture_set_up(void **state);
int tls_fixture_tear_down(void **state);

struct tls_fixture_server {
	const struct pki_identity *identities[3];
	unsigned min_version;
	enum conf_client_certificates clients;
	const char *client_ca, *client_crl;
	struct tls_tickets *tickets;
	/* 0: 1. */
	unsigned listener;
	enum conf_protocol protocol; /* of the listener */
};

/* For net_fixture_start: answers with what it knows of the client. */
extern const struct net_fixture_rules tls_fixture_who;

struct tls_context *tls_fixture_context(const struct tls_fixture_server *options);
void tls_fixture_start(struct net_fixture *h, const struct tls_fixture_server *options);
/* "lamp....", or NULL where it does not come that far. */
const char *tls_fixture_ask_who(struct net_client *c);
bool tls_fixture_gets_in(struct net_fixture *h, const struct net_client_options *options);
void tls_fixture_with_certificate(struct net_client_options *options,
                                  const struct pki_identity *id);
/* A session that may be resumed: the ticket, where there is one. */
SSL_SESSION *tls_fixture_session(struct net_fixture *h, const struct net_client_options *options);
/* -1: did not get in, 0: full handshake, 1: resumed. */
int tls_fixture_comes_back(struct net_fixture *h, struct net_client_options options,
                           const SSL_SESSION *session);

#endif
