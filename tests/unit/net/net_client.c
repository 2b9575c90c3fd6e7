#include "net_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "base/alloc.h"
#include "net_fixture.h"

static void set_patience(int fd)
{
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
}

int net_client_dial(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	set_patience(fd);
	return fd;
}

void net_client_join_unix(int fd, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	strcpy(to.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	set_patience(fd);
}

int net_client_dial_unix(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	net_client_join_unix(fd, path);
	return fd;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct net_client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->ticket);
	c->ticket = session;
	return 1;
}

static void configure(SSL_CTX *ctx, const struct net_client_options *options)
{
	if (options->no_security)
		SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, options->min_version);
	SSL_CTX_set_max_proto_version(ctx, options->max_version);
	if (options->suites_12 != NULL)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, options->suites_12), 1);
	if (options->suites_13 != NULL)
		assert_int_equal(SSL_CTX_set_ciphersuites(ctx, options->suites_13), 1);
	if (options->groups != NULL) {
		char *groups = xstrdup(options->groups);

		assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups), 1);
		free(groups);
	}
	if (options->ca != NULL) {
		assert_int_equal(SSL_CTX_load_verify_file(ctx, options->ca), 1);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	}
	if (options->certificate != NULL) {
		assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, options->certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, options->key, SSL_FILETYPE_PEM),
		                 1);
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
}

bool net_client_open(struct net_client *c, uint16_t port, const struct net_client_options *options)
{
	bool ok;

	*c = (struct net_client){.ctx = SSL_CTX_new(TLS_client_method()),
	                         .fd = net_client_dial(port)};
	configure(c->ctx, options);
	if (options->prepare != NULL)
		options->prepare(c->ctx);
	c->ssl = SSL_new(c->ctx);
	SSL_set_app_data(c->ssl, c);
	SSL_set_fd(c->ssl, c->fd);
	if (options->server_name != NULL) {
		char *name = xstrdup(options->server_name);

		assert_int_equal(SSL_set_tlsext_host_name(c->ssl, name), 1);
		free(name);
	}
	if (options->alpn != NULL)
		SSL_set_alpn_protos(c->ssl, (const unsigned char *)options->alpn,
		                    (unsigned)strlen(options->alpn));
	if (options->session != NULL)
		assert_int_equal(SSL_set_session(c->ssl, options->session), 1);
	ok = SSL_connect(c->ssl) == 1;
	ERR_clear_error();
	return ok;
}

bool net_client_send(struct net_client *c, const void *bytes, size_t len)
{
	size_t n;

	ERR_clear_error();
	while (len > 0) {
		if (SSL_write_ex(c->ssl, bytes, len, &n) != 1)
			return false;
		bytes = slice_skip(slice_of(bytes, len), n).data;
		len -= n;
	}
	return true;
}

bool net_client_recv(struct net_client *c, void *bytes, size_t len)
{
	size_t n;

	ERR_clear_error();
	while (len > 0) {
		if (SSL_read_ex(c->ssl, bytes, len, &n) != 1)
			return false;
		bytes = (char *)bytes + n;
		len -= n;
	}
	return true;
}

bool net_client_echoes(struct net_client *c)
{
	char back[4];

	return net_client_send(c, "ping", 4) && net_client_recv(c, back, 4) &&
	       memcmp(back, "ping", 4) == 0;
}

void net_client_close(struct net_client *c)
{
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	SSL_SESSION_free(c->ticket);
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	*c = (struct net_client){.fd = -1};
}
