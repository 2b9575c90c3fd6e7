/* Between OpenSSL and a loop: what it reads comes from memory at hand, and what it writes goes to a
 * buffer, both without a copy of their own for each connection. All connections of a loop share
 * one BIO.  Thread: the loop's. */
#ifndef NET_TLS_IO_H
#define NET_TLS_IO_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "net/tls/tls_work.h"

struct loop;
struct peer_address;
struct tls_hello;

/* Of one connection. */
struct tls_io {
	/* Ciphertext at hand. */
	struct slice in;
	/* The count of what the peer makes OpenSSL do. */
	struct tls_work work;
	/* During the handshake, else NULL. */
	struct tls_hello *hello;
	/* Of the stream. */
	const struct peer_address *peer;
};

#define TLS_IO_PLAIN_BYTES 65536

/* Of one loop. The buffers are used from the start to the end of one read or write, never across a
 * call of another stream's owner. */
struct tls_loop {
	BIO *bio;
	/* Whose turn it is. */
	struct tls_io *current;
	/* Ciphertext that OpenSSL made; empty whenever an owner is called. */
	struct buf out;
	/* Decrypted. */
	uint8_t plain[TLS_IO_PLAIN_BYTES];
};

/* Made at its first use, freed with the loop. */
struct tls_loop *tls_io_loop(struct loop *loop);
/* From now on this connection works with that loop. */
void tls_io_attach(const struct tls_loop *shared, SSL *ssl);
/* Before anything that makes OpenSSL read or write. Clears OpenSSL's queue of errors. */
void tls_io_select(struct tls_loop *shared, struct tls_io *io);
/* From inside OpenSSL's callbacks. */
struct tls_io *tls_io_of(const SSL *ssl);

#endif
