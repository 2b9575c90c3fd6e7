/* How fast this machine is now, without any broker: a figure of a broker means little without it.
 *     bench_floor handshake CERTIFICATE KEY    the server's share of a TLS handshake in memory
 *     bench_floor disk FILE                    what a commit must take
 * Results go to stdout, one a line: NAME VALUE. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { HANDSHAKES = 300, BIO_BYTES = 65536, COMMITS = 1000, COMMIT_BYTES = 16384 };

static char group[] = "X25519"; /* OpenSSL's macro casts its const away */

static void fail(const char *what)
{
	fprintf(stderr, "bench_floor: %s\n", what);
	exit(1);
}

static double clock_us(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* --- TLS --- */

static double thread_us(void)
{
	return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static SSL_CTX *server_context(const char *certificate, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 1) != 1)
		fail("cannot use the certificate and the key");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static SSL_CTX *client_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, group) != 1)
		fail("the TLS library does not have what is measured");
	return ctx;
}

/* Microseconds of the server in one handshake. */
static double shake_once(SSL_CTX *server_ctx, SSL_CTX *client_ctx)
{
	double used = 0, since = thread_us();
	SSL *server = SSL_new(server_ctx), *client;
	BIO *here = NULL, *there = NULL;

	if (server == NULL || BIO_new_bio_pair(&here, BIO_BYTES, &there, BIO_BYTES) != 1)
		fail("no memory for TLS");
	SSL_set_bio(server, here, here);
	SSL_set_accept_state(server);
	used += thread_us() - since;
	client = SSL_new(client_ctx);
	if (client == NULL)
		fail("no memory for TLS");
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

static void measure_handshake(const char *certificate, const char *key)
{
	SSL_CTX *server_ctx = server_context(certificate, key), *client_ctx = client_context();
	double used = 0;

	for (int i = 0; i < HANDSHAKES; i++)
		used += shake_once(server_ctx, client_ctx);
	printf("us_per_handshake %g\n", used / HANDSHAKES);
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
}

/* --- the disk --- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Some pages, flushed, and a meta page through a descriptor that waits. */
static void measure_disk(const char *path)
{
	static uint8_t pages[COMMIT_BYTES];
	static double us[COMMITS];
	double start = clock_us(CLOCK_MONOTONIC), all;
	int data = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int meta = open(path, O_RDWR | O_DSYNC | O_CLOEXEC);

	if (data < 0 || meta < 0)
		fail("cannot open the file");
	for (unsigned i = 0; i < COMMITS; i++) {
		double one = clock_us(CLOCK_MONOTONIC);

		if (pwrite(data, pages, sizeof(pages), (off_t)(1 + i % 64) * COMMIT_BYTES) < 0 ||
		    fdatasync(data) != 0 || pwrite(meta, pages, 4096, 0) < 0)
			fail("cannot write the file");
		us[i] = clock_us(CLOCK_MONOTONIC) - one;
	}
	all = clock_us(CLOCK_MONOTONIC) - start;
	qsort(us, COMMITS, sizeof(*us), compare);
	printf("commits_per_s %g\np50_us %g\np99_us %g\n", COMMITS / (all / 1e6), us[COMMITS / 2],
	       us[COMMITS * 99 / 100]);
	close(meta);
	close(data);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "handshake") == 0)
		measure_handshake(argv[2], argv[3]);
	else if (argc == 3 && strcmp(argv[1], "disk") == 0)
		measure_disk(argv[2]);
	else
		fail("handshake CERTIFICATE KEY, or disk FILE");
	return 0;
}
