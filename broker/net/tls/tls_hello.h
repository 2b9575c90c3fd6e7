/* What a ClientHello offered, for the line in the log that a failed handshake gets.  Thread: the
 * stream's. */
#ifndef NET_TLS_HELLO_H
#define NET_TLS_HELLO_H

#include <openssl/ssl.h>

#include "base/bytes.h"

#define HELLO_VERSIONS 8
#define HELLO_SUITES   48
#define HELLO_GROUPS   16

struct tls_hello {
	uint16_t versions[HELLO_VERSIONS];
	uint16_t suites[HELLO_SUITES];
	uint16_t groups[HELLO_GROUPS];
	uint8_t version_count, suite_count, group_count;
	uint16_t suites_left_out, groups_left_out;
	bool seen, extended_master_secret;
	uint64_t since_ns; /* when its first bytes were there */
	char server_name[256];
	char protocols[64]; /* ALPN */
};

/* OpenSSL compares each key share with each group: not with thousands. */
#define HELLO_GROUPS_MAX 128
bool tls_hello_is_bounded(SSL *ssl);                    /* inside the callback, too */
void tls_hello_read(struct tls_hello *hello, SSL *ssl); /* inside the client-hello callback */
void tls_hello_versions(const struct tls_hello *hello, struct buf *out);
/* Key-exchange groups. */
void tls_hello_groups(const struct tls_hello *hello, struct buf *out);
void tls_hello_suites(const struct tls_hello *hello, SSL *ssl, struct buf *out);

#endif
