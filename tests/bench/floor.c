/* How fast this machine is now: what OpenSSL alone takes on the server's side of a handshake, in
 * memory, without a broker.  A figure of the broker means little without it. */
#include <time.h>

#include <openssl/ssl.h>

#include "load.h"

enum { BIO_BYTES = 65536 };

static double thread_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static SSL_CTX *server_context(const struct options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 1) != 1)
		die("cannot use %s and %s", o->certificate, o->key);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static SSL_CTX *client_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, LOAD_CIPHER) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, load_group) != 1)
		die("the TLS library does not have what is measured");
	return ctx;
}

/* Microseconds of the server in one handshake. */
static double shake_once(SSL_CTX *server_ctx, SSL_CTX *client_ctx)
{
	double used = 0, since = thread_us();
	SSL *server = SSL_new(server_ctx), *client;
	BIO *here = NULL, *there = NULL;

	if (server == NULL || BIO_new_bio_pair(&here, BIO_BYTES, &there, BIO_BYTES) != 1)
		die("no memory for TLS");
	SSL_set_bio(server, here, here);
	SSL_set_accept_state(server);
	used += thread_us() - since;
	client = SSL_new(client_ctx);
	if (client == NULL)
		die("no memory for TLS");
	SSL_set_bio(client, there, there);
	SSL_set_connect_state(client);
	while (SSL_is_init_finished(server) == 0 || SSL_is_init_finished(client) == 0) {
		(void)SSL_do_handshake(client);
		since = thread_us();
		(void)SSL_do_handshake(server);
		used += thread_us() - since;
	}
	since = thread_us();
	SSL_free(server);
	used += thread_us() - since;
	SSL_free(client);
	return used;
}

void run_floor(const struct options *o)
{
	SSL_CTX *server_ctx, *client_ctx;
	double used = 0;

	if (o->certificate == NULL || o->key == NULL)
		die("floor wants certificate=FILE key=FILE");
	server_ctx = server_context(o);
	client_ctx = client_context();
	for (uint64_t i = 0; i < o->count; i++)
		used += shake_once(server_ctx, client_ctx);
	report("us_per_handshake", used / (double)o->count);
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
}
