/* Records that no TLS library would send: any type, any length, empty, padded, under the keys of a
 * client whose handshake a library has done.  AES-128-GCM, TLS 1.2 and 1.3. */
#ifndef TEST_NET_RAW_TLS_H
#define TEST_NET_RAW_TLS_H

#include <openssl/ssl.h>

#include "base/bytes.h"

#define RAW_SUITE_12 "ECDHE-ECDSA-AES128-GCM-SHA256"
#define RAW_SUITE_13 "TLS_AES_128_GCM_SHA256"

enum raw_type {
	RAW_ALERT = 21,
	RAW_HANDSHAKE = 22,
	RAW_DATA = 23,
};

struct raw_tls {
	bool is_13;
	uint8_t secret[32]; /* TLS 1.3 */
	uint8_t key[16], iv[12];
	uint64_t sequence;
};

/* Before the handshake, for TLS 1.3: its secret is taken down. */
void raw_tls_watch(SSL_CTX *ctx);
/* After the handshake; from here on the library must not write. False: other suites. */
bool raw_tls_init(struct raw_tls *r, SSL *ssl);
/* One record, with `padding` bytes of zeros behind its content (1.3). */
void raw_tls_put(struct raw_tls *r, struct buf *out, enum raw_type type, struct slice content,
                 size_t padding);
/* A KeyUpdate (1.3), and the key that it announces. `pieces`: records of one byte, and one empty
 * one would end it: 1 puts it into one record, 5 a byte into each. */
void raw_tls_put_key_update(struct raw_tls *r, struct buf *out, bool requested, unsigned pieces);

#endif
