/* A BIO without a buffer. Nothing stays in it, so that all connections of a loop share one. (The
 * buffer that OpenSSL puts before it during a handshake knows of it, and not the other way round.)
 */
#include "net/tls/tls_io.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "base/alloc.h"
#include "base/require.h"
#include "net/loop_internal.h"

static int on_read(BIO *bio, char *out, size_t cap, size_t *len)
{
	struct tls_io *io = ((struct tls_loop *)BIO_get_data(bio))->current;
	size_t n = tls_work_take(&io->work, io->in, cap);

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(out, io->in.data, n);
	io->in = slice_skip(io->in, n);
	*len = n;
	return 1;
}

static int on_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
	struct tls_loop *shared = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_put(&shared->out, bytes, len);
	*written = len;
	return 1;
}

static long on_control(BIO *bio, int command, long number, void *arg)
{
	(void)bio;
	(void)number;
	(void)arg;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vakt");
	REQUIRE(method != NULL);
	REQUIRE(BIO_meth_set_read_ex(method, on_read) == 1);
	REQUIRE(BIO_meth_set_write_ex(method, on_write) == 1);
	REQUIRE(BIO_meth_set_ctrl(method, on_control) == 1);
}

static void free_shared(void *arg)
{
	struct tls_loop *shared = arg;

	BIO_free(shared->bio);
	buf_fini(&shared->out);
	free(shared);
}

struct tls_loop *tls_io_loop(struct loop *loop)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_loop *shared = loop->shared;

	REQUIRE_EXECUTOR(loop->executor);
	if (shared != NULL)
		return shared;
	pthread_once(&once, make_method);
	shared = xnew(shared);
	shared->bio = BIO_new(method);
	REQUIRE(shared->bio != NULL); /* once for each loop */
	BIO_set_init(shared->bio, 1);
	BIO_set_data(shared->bio, shared);
	loop->shared = shared;
	loop->shared_free = free_shared;
	return shared;
}

void tls_io_attach(const struct tls_loop *shared, SSL *ssl)
{
	/* It was here before: OpenSSL would not take the reference. */
	if (SSL_get_rbio(ssl) == shared->bio)
		return;
	REQUIRE(BIO_up_ref(shared->bio) == 1);
	SSL_set_bio(ssl, shared->bio, shared->bio);
}

void tls_io_select(struct tls_loop *shared, struct tls_io *io)
{
	REQUIRE(shared != NULL && io != NULL);
	shared->current = io;
	ERR_clear_error();
}

struct tls_io *tls_io_of(const SSL *ssl)
{
	const struct tls_loop *shared = BIO_get_data(SSL_get_rbio(ssl));

	REQUIRE(shared->current != NULL); /* OpenSSL calls from inside a call of ours only */
	return shared->current;
}
