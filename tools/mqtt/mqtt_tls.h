/* TLS of a client: what it trusts, what it shows, and why it does not trust a server, in words.
 * One for any number of connections.  Thread: its loop's. */
#ifndef MQTT_MQTT_TLS_H
#define MQTT_MQTT_TLS_H

#include <openssl/ssl.h>

#include "base/bytes.h"

/* Borrowed for mqtt_tls_new. NULL: left out. */
struct mqtt_tls_options {
	const char *ca_file; /* trusted CAs; neither this nor ca_directory: those of the system */
	const char *ca_directory; /* made by `openssl rehash` */
	const char *certificate;  /* of the client: PEM, with its chain */
	const char *key;          /* NULL: in the same file */
	/* Of the server's key, "sha256/BASE64" or 64 hexadecimal digits: SHA-256 of its
	 * SubjectPublicKeyInfo. Without a CA it is all that is checked; with one, both are. */
	const char *pin;
	const char *server_name; /* for SNI and the certificate; NULL: the host that is dialled */
	/* As OpenSSL lists them, for benchmarks: suites of TLS 1.2 or of 1.3, groups. */
	const char *ciphers, *groups;
	/* Of the key, if it is encrypted. */
	struct slice key_password;
	bool insecure;    /* check nothing: whoever is in the way reads and changes everything */
	bool tls_1_2;     /* nothing newer (benchmarks) */
	bool has_tickets; /* keep tickets: the next handshake of a connection resumes */
};

struct mqtt_tls;

/* NULL: *why says why, with a remedy. */
struct mqtt_tls *mqtt_tls_new(const struct mqtt_tls_options *options, struct buf *why);
void mqtt_tls_free(struct mqtt_tls *tls);

/* Why a server is not trusted; zero it. */
struct mqtt_tls_problem {
	bool untrusted;
	struct buf words; /* what is wrong, which value, what to do */
};

/* ---- for mqtt_transport.c and who has one ---- */

/* An SSL for a connection to `host`, which resumes `ticket` if there is one (NULL: none). The
 * pointers outlive it; `problem` until the handshake is done. */
SSL *mqtt_tls_connect(struct mqtt_tls *tls, const char *host, int fd,
                      struct mqtt_tls_problem *problem, SSL_SESSION **ticket);
/* The handshake is done: is it the pinned key? False: `problem` says why. */
bool mqtt_tls_accept(struct mqtt_tls *tls, SSL *ssl, struct mqtt_tls_problem *problem);
/* SSL_do_handshake or SSL_read failed with `error` (SSL_get_error): append why, with a remedy. */
void mqtt_tls_explain(const struct mqtt_tls *tls, int error, struct buf *out);

#endif
