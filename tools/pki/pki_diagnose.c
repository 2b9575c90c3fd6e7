/* diagnose: which devices would fail at a server, and why. Each row of the table is a TLS library
 * as devices have it; OpenSSL shakes hands under its restrictions, and what the library would not
 * accept of the certificate is checked beside. */
#include "pki/pki_diagnose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "program/command_line.h"

#define TIMEOUT_MS 10000
/* What fits beside a handshake in the memory of an ESP8266. */
#define SMALL_CHAIN_BYTES 4096

#define RSA_SIGNATURES "RSA+SHA256:RSA+SHA384:RSA+SHA512"
#define EC_SIGNATURES  "ECDSA+SHA256:ECDSA+SHA384:" RSA_SIGNATURES
#define NEW_SIGNATURES "ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:" EC_SIGNATURES
#define GCM_RSA        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
#define GCM            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" GCM_RSA
#define GCM_CHACHA     GCM ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

static const struct profile {
	const char *name, *suites, *groups, *signatures;
	int max_version;
	/* The largest record that it has memory for, in the code of RFC 6066; 0: 16 kB. */
	uint8_t fragment;
	/* Compares addresses with the certificate; it looks at the common name where there are no
	 * alternative names; it has no clock when it starts. */
	bool knows_addresses, takes_common_name, lacks_clock;
} profiles[] = {
    {"ESP8266 (BearSSL)", GCM_CHACHA, "P-256:X25519", EC_SIGNATURES, TLS1_2_VERSION,
     TLSEXT_max_fragment_length_1024, false, true, true},
    {"Tasmota (BearSSL, RSA only)", "ECDHE-RSA-AES128-GCM-SHA256", "P-256", "RSA+SHA256",
     TLS1_2_VERSION, TLSEXT_max_fragment_length_1024, false, true, true},
    {"ESP32 (mbedTLS 2.28)", GCM_CHACHA, "P-256:P-384:X25519", EC_SIGNATURES, TLS1_2_VERSION, 0,
     false, true, true},
    {"wolfSSL", GCM_CHACHA, "P-256:P-384", NEW_SIGNATURES, TLS1_3_VERSION, 0, true, true, true},
    {"OpenSSL 1.0.2", GCM, "P-256:P-384", EC_SIGNATURES, TLS1_2_VERSION, 0, true, true, false},
    {"Java 8", GCM, "P-256:P-384", EC_SIGNATURES, TLS1_2_VERSION, 0, true, true, false},
    {"Go", GCM_CHACHA, "X25519:P-256:P-384", NEW_SIGNATURES, TLS1_3_VERSION, 0, true, false, false},
    {"Node.js, Python, mosquitto (OpenSSL 3)", GCM_CHACHA, "X25519:P-256:P-384", NEW_SIGNATURES,
     TLS1_3_VERSION, 0, true, true, false},
};

struct target {
	char *host;
	char *port;
	bool is_address;
	X509 *ca;
	int64_t now;
};

/* ---- connecting ---- */

static int wait_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return -errno;
	return -error;
}

static int connect_one(const struct addrinfo *address, int *fd)
{
	const struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000};
	int rc = 0;

	*fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return -errno;
	if (connect(*fd, address->ai_addr, address->ai_addrlen) != 0)
		rc = errno == EINPROGRESS ? wait_connected(*fd) : -errno;
	if (rc == 0 && (fcntl(*fd, F_SETFL, 0) != 0 ||
	                setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
	                setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0))
		rc = -errno;
	if (rc != 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

static int connect_to(const struct target *t, int *fd)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(t->host, t->port, &hints, &found);

	*fd = -1;
	if (rc != 0)
		return report_error(EXIT_FAILED, "%s: %s", t->host, gai_strerror(rc));
	rc = -EHOSTUNREACH;
	for (const struct addrinfo *a = found; a != NULL && *fd < 0; a = a->ai_next)
		rc = connect_one(a, fd);
	freeaddrinfo(found);
	return *fd >= 0 ? 0
	                : report_error(EXIT_FAILED, "cannot connect to %s port %s: %s", t->host,
	                               t->port, strerror(-rc));
}

/* ---- one profile ---- */

static SSL_CTX *restricted(const struct profile *p, const struct target *t)
{
	/* OpenSSL's macros want them writable. */
	char *groups = xstrdup(p->groups), *signatures = xstrdup(p->signatures);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	REQUIRE(ctx != NULL);
	REQUIRE(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	REQUIRE(SSL_CTX_set_max_proto_version(ctx, p->max_version) == 1);
	REQUIRE(SSL_CTX_set_cipher_list(ctx, p->suites) == 1);
	REQUIRE(SSL_CTX_set1_groups_list(ctx, groups) == 1);
	REQUIRE(SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1);
	free(groups);
	free(signatures);
	if (p->fragment != 0)
		REQUIRE(SSL_CTX_set_tlsext_max_fragment_length(ctx, p->fragment) == 1);
	REQUIRE(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), t->ca) == 1);
	/* What does not verify is reported below, with everything else. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return ctx;
}

/* NULL: the library finds the name in the certificate. */
static char *name_refused(const struct profile *p, const struct target *t, X509 *certificate)
{
	struct pki_names names = {0};
	struct buf text = {0};
	unsigned flags = p->takes_common_name ? 0 : X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	char *why = NULL;
	bool matches = t->is_address ? X509_check_ip_asc(certificate, t->host, 0) == 1
	                             : X509_check_host(certificate, t->host, 0, flags, NULL) == 1;

	if (matches && t->is_address && !p->knows_addresses)
		return xasprintf("it does not compare addresses: give the device a name, not %s",
		                 t->host);
	if (matches)
		return NULL;
	pki_names_of(certificate, &names);
	pki_names_print(&names, &text);
	if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) < 0)
		why = xasprintf("the certificate has no alternative names (subjectAltName)");
	else
		why = xasprintf("the certificate is for %.*s, not for %s", (int)text.len,
		                (const char *)text.data, t->host);
	pki_names_fini(&names);
	buf_fini(&text);
	return why;
}

static size_t chain_bytes(const SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	size_t total = 0;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int len = i2d_X509(sk_X509_value(chain, i), NULL);

		total += len > 0 ? (size_t)len : 0;
	}
	return total;
}

static char *certificate_refused(const struct profile *p, const struct target *t, SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	long verified = SSL_get_verify_result(ssl);

	if (certificate == NULL)
		return xstrdup("the server sent no certificate");
	if (verified != X509_V_OK)
		return xasprintf("the certificate does not verify with this PKI's server CA: %s",
		                 X509_verify_cert_error_string(verified));
	return name_refused(p, t, certificate);
}

/* What works, but not well. */
static void put_notes(const struct profile *p, const struct target *t, SSL *ssl, struct buf *out)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	int64_t left = pki_time_seconds(X509_get0_notAfter(certificate)) - t->now;
	const SSL_SESSION *session = SSL_get0_session(ssl);

	if (p->fragment != 0 && SSL_SESSION_get_max_fragment_length(session) != p->fragment)
		buf_put_slice(out,
		              SLICE("; needs 16 kB for records, since the server refuses smaller "
		                    "ones (Maximum Fragment Length)"));
	if (p->fragment != 0 && chain_bytes(ssl) > SMALL_CHAIN_BYTES)
		buf_printf(out, "; its chain of %zu bytes is much for such a device",
		           chain_bytes(ssl));
	if (p->lacks_clock)
		buf_put_slice(out, SLICE("; needs the time (NTP) before it connects"));
	if (left < PKI_DAYS_SOON * PKI_SECONDS_A_DAY)
		buf_printf(out, "; the certificate ends in %lld days",
		           (long long)(left / PKI_SECONDS_A_DAY));
}

/* The words of the innermost error. */
static char *handshake_failure(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);
	char *text = reason != NULL
	                 ? xasprintf("the handshake fails: %s", reason)
	                 : xstrdup("the server closed the connection, or does not answer");

	ERR_clear_error();
	return text;
}

/* 0 also where the device would fail; *works says so. */
static int try_profile(const struct profile *p, const struct target *t, bool *works)
{
	SSL_CTX *ctx = restricted(p, t);
	SSL *ssl = SSL_new(ctx);
	struct buf notes = {0};
	char *why = NULL;
	int fd, rc = connect_to(t, &fd);

	REQUIRE(ssl != NULL);
	*works = false;
	if (rc == 0) {
		REQUIRE(SSL_set_fd(ssl, fd) == 1);
		if (!t->is_address)
			REQUIRE(SSL_set_tlsext_host_name(ssl, t->host) == 1);
		ERR_clear_error();
		if (SSL_connect(ssl) != 1)
			why = handshake_failure();
		else
			why = certificate_refused(p, t, ssl);
		*works = why == NULL;
		if (why == NULL)
			put_notes(p, t, ssl, &notes);
		printf("%-39s %s%s%s%s%.*s\n", p->name, why == NULL ? "works: " : "fails: ",
		       why == NULL ? SSL_get_version(ssl) : why, why == NULL ? ", " : "",
		       why == NULL ? SSL_get_cipher_name(ssl) : "", (int)notes.len,
		       (const char *)notes.data);
		(void)SSL_shutdown(ssl);
	}
	free(why);
	buf_fini(&notes);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- the command ---- */

/* "lamp.local:8883", "[fd00::1]:8883", "lamp.local". */
static void read_target(const char *text, unsigned port, struct target *t)
{
	const char *colon = strrchr(text, ':');
	const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
	uint8_t address[16];

	if (bracket != NULL) {
		t->host = xstrndup(text + 1, (size_t)(bracket - text - 1));
		t->port = bracket[1] == ':' ? xstrdup(bracket + 2) : NULL;
	} else if (colon != NULL && strchr(text, ':') == colon) {
		t->host = xstrndup(text, (size_t)(colon - text));
		t->port = xstrdup(colon + 1);
	} else {
		t->host = xstrdup(text);
	}
	if (t->port == NULL)
		t->port = xasprintf("%u", port);
	t->is_address =
	    inet_pton(AF_INET, t->host, address) == 1 || inet_pton(AF_INET6, t->host, address) == 1;
}

int pki_diagnose_run(const struct pki_options *o)
{
	struct target t = {0};
	struct pki pki;
	bool works, all = true;
	int rc = pki_options_open(o, PKI_READ, &pki);

	read_target(o->words[0], o->port, &t);
	t.now = pki.now;
	if (rc == 0)
		rc = pki_authority_read_certificate(&pki, PKI_SERVER, &t.ca);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(profiles); i++) {
		rc = try_profile(&profiles[i], &t, &works);
		all = all && works;
	}
	X509_free(t.ca);
	free(t.host);
	free(t.port);
	pki_close(&pki);
	return rc != 0 ? rc : all ? 0 : EXIT_FAILED;
}
