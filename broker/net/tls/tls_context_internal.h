/* The inside of a TLS context, for the files of this folder only. */
#ifndef NET_TLS_CONTEXT_INTERNAL_H
#define NET_TLS_CONTEXT_INTERNAL_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "base/thread.h"
#include "conf/conf.h"

struct tls_certificate;
struct tls_tickets;

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
	bool accepts_ended_lists;    /* crl_expired: accept */
	unsigned min_version;        /* 12, 13 */
	enum conf_protocol protocol; /* of the listener */
	uint8_t trust[32];           /* digest of what clients are verified by: CAs and CRL */
	/* The revocation list that ends first, and when warnings begin; path NULL: there is none.
	 */
	char *crl_path;
	int64_t crl_until_s, crl_warn_s;
	struct tls_tickets *tickets;
	char *description;
	struct mutex lock; /* for what is below */
	char *bind;
	struct log_limit failures, plaintext;
};

#endif
