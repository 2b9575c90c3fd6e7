/* The inside of TLS, for the tls*.c files of this folder: the only ones that include OpenSSL's
 * TLS headers. */
#ifndef NET_TLS_CONTEXT_INTERNAL_H
#define NET_TLS_CONTEXT_INTERNAL_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "base/thread.h"
#include "conf/config_files.h"
#include "net/peer_address.h"
#include "net/tls_context.h"
#include "net/tls_work.h"

/* --- certificates of ours (tls_certificate.c) --- */

struct tls_certificate {
	char *path, *key_path;
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* without the root: nobody needs it sent */
};

/* Load and judge a pair; false with errors (or true with warnings). */
bool tls_certificate_load(struct tls_certificate *c, const struct conf_certificate *conf,
                          const char *conf_path, struct errors *errors);
void tls_certificate_fini(struct tls_certificate *c);
/* References of the same certificate, key and chain. */
void tls_certificate_copy(struct tls_certificate *to, const struct tls_certificate *from);
/* "server-ec.crt SHA-256 AB:CD:..., until Nov 21 12:00:00 2027 GMT" */
void tls_certificate_describe(const struct tls_certificate *c, struct buf *out);
/* "RSA 2048", "ECDSA P-256", "Ed25519". */
void tls_certificate_kind(const struct tls_certificate *c, struct buf *out);
/* Days until it ends, negative when it has ended. */
int tls_certificate_days_left(const struct tls_certificate *c);
bool tls_certificate_not_yet_valid(const struct tls_certificate *c);
/* Do they share a name (SAN dns and ip, or CN), so that they stand side by side? */
bool tls_certificate_shares_name(const struct tls_certificate *a, const struct tls_certificate *b);

#define TLS_FILE_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* PEM (several) or DER (one); false with an error that names the file. */
bool tls_read_file(const struct conf_file *file, struct buf *out, struct errors *errors);
STACK_OF(X509) * tls_parse_certificates(struct slice bytes);
STACK_OF(X509_CRL) * tls_parse_crls(struct slice bytes);

/* --- ticket keys (tls_tickets.c) --- */

struct tls_tickets *tls_tickets_ref(struct tls_tickets *t);
/* Tickets of this context: keys, and what a session must pass again before it is resumed. */
void tls_tickets_use(SSL_CTX *ssl_ctx);

/* --- the context (tls_context.c) --- */

/* One SSL_CTX: certificates of different types that share names. */
struct tls_group {
	SSL_CTX *ssl_ctx;
	size_t *members; /* into certificates */
	size_t count;
};

struct tls_context {
	atomic_uint refs;
	struct tls_certificate *certificates;
	size_t certificate_count;
	struct tls_group *groups; /* the first is the default */
	size_t group_count;
	X509_STORE *client_store; /* NULL: no client certificates */
	enum conf_client_certificates client_certificates;
	unsigned min_version; /* 12, 13 */
	uint8_t trust[32];    /* digest of what clients are verified by: CAs and CRL */
	struct tls_tickets *tickets;
	char *description;
	struct mutex lock; /* for what is below */
	char *bind;
	struct log_limit failures, plaintext;
};

/* --- what a ClientHello offered (tls_hello.c) --- */

#define HELLO_VERSIONS 8
#define HELLO_SUITES   48

struct tls_hello {
	uint16_t versions[HELLO_VERSIONS];
	uint16_t suites[HELLO_SUITES];
	uint8_t version_count, suite_count;
	uint16_t suites_left_out;
	bool seen, extended_master_secret;
	char server_name[256];
	char protocols[64]; /* ALPN */
};

/* OpenSSL compares each key share with each group: not with thousands. */
#define HELLO_GROUPS_MAX 128
bool tls_hello_is_bounded(SSL *ssl);                    /* inside the callback, too */
void tls_hello_read(struct tls_hello *hello, SSL *ssl); /* inside the client-hello callback */
void tls_hello_versions(const struct tls_hello *hello, struct buf *out);
void tls_hello_suites(const struct tls_hello *hello, SSL *ssl, struct buf *out);

/* --- why it failed (tls_explain.c) --- */

struct tls_failure {
	unsigned long error; /* the most telling one of OpenSSL's queue; 0: none */
	const char *cause;   /* plain words */
};

/* Reads OpenSSL's queue to its end. `ssl` for the verify result, may be NULL. */
struct tls_failure tls_explain(SSL *ssl);
/* Plain words for a connection whose first bytes are no TLS record. */
const char *tls_explain_plaintext(struct slice first_bytes);
bool tls_looks_like_tls(struct slice first_bytes);

struct tls_report {
	const struct peer *peer;
	struct tls_context *ctx;
	const struct tls_hello *hello; /* may be NULL */
	SSL *ssl;                      /* may be NULL */
	struct tls_failure failure;
};

/* One line each, limited per listener. */
void tls_log_handshake_failed(const struct tls_report *report, uint64_t now_ms);
void tls_log_broken(const struct tls_report *report, uint64_t now_ms);
void tls_log_excess(const struct tls_report *report, const struct tls_excess *excess,
                    uint64_t now_ms);
void tls_log_plaintext(const struct peer *peer, struct tls_context *ctx, const char *cause,
                       uint64_t now_ms);

/* --- a client's certificate, judged again (tls_client.c) --- */

#define TLS_CLIENT_DEPTH 4

/* Bound what the certificates of clients cost, for handshakes of this context. */
void tls_client_bound(SSL_CTX *ssl_ctx);
/* Is it small enough to be looked at: its key, its alternative names? */
bool tls_client_is_bounded(X509 *certificate);

/* `chain`: what the client sent with it, may be NULL. `connected`: an expired CRL is passed over.
 * On false *why is OpenSSL's own text. */
bool tls_client_still_good(const struct tls_context *ctx, X509 *certificate, STACK_OF(X509) * chain,
                           bool connected, const char **why);
/* Is every certificate of a chain that was verified before in its dates now? */
bool tls_client_in_date(STACK_OF(X509) * verified);

/* --- names in a client's certificate (tls_names.c) --- */

size_t tls_certificate_names(X509 *certificate, enum conf_certificate_user kind, struct buf *out);

/* --- the stream (tls_stream.c) --- */

/* The count of what its peer did, during the handshake. */
struct tls_work *tls_stream_work(SSL *ssl);
/* The hello of the connection that this SSL belongs to; NULL behind the handshake. */
struct tls_hello *tls_stream_hello(SSL *ssl);

#endif
