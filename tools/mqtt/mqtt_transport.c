/* Sockets that do not block, and OpenSSL above them. */
#include "mqtt/mqtt_transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/require.h"

#define WRITE_BYTES_MAX ((size_t)1 << 30)

/* ---- to connect ---- */

bool mqtt_target_unix(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return false;
	memcpy(address->sun_path, path, strlen(path));
	return true;
}

/* The port is left to connect(2): there are more of them than a local address alone has. */
static int bind_to(int fd, const char *source, int family)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	int on = 1;

	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (family == AF_INET && inet_pton(AF_INET, source, &in4.sin_addr) == 1)
		return bind(fd, (const struct sockaddr *)&in4, sizeof(in4));
	if (family == AF_INET6 && inet_pton(AF_INET6, source, &in6.sin6_addr) == 1)
		return bind(fd, (const struct sockaddr *)&in6, sizeof(in6));
	errno = EAFNOSUPPORT;
	return -1;
}

/* The size of the buffer counts when the connection begins: it decides the window's scale. */
static void set_options(int fd, const struct mqtt_target *t)
{
	int on = 1;

	if (t->address->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (t->receive_buffer_bytes > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &t->receive_buffer_bytes,
		                 sizeof(t->receive_buffer_bytes));
}

int mqtt_transport_dial(const struct mqtt_target *t)
{
	int family = t->address->sa_family, error;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool binds = t->source != NULL && family != AF_UNIX;

	if (fd < 0)
		return -errno;
	set_options(fd, t);
	if ((!binds || bind_to(fd, t->source, family) == 0) &&
	    (connect(fd, t->address, t->address_bytes) == 0 || errno == EINPROGRESS))
		return fd;
	error = errno;
	(void)close(fd);
	return -error;
}

int mqtt_transport_connect_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

/* ---- TLS ---- */

enum mqtt_handshake mqtt_transport_shake(struct mqtt_transport *t, struct mqtt_tls *tls,
                                         struct mqtt_tls_problem *problem, struct buf *words)
{
	int rc, error;

	REQUIRE(t->ssl != NULL && t->fd >= 0);
	ERR_clear_error();
	rc = SSL_do_handshake(t->ssl);
	error = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, rc);
	if (error == SSL_ERROR_WANT_READ)
		return MQTT_HANDSHAKE_WANTS_READ;
	if (error == SSL_ERROR_WANT_WRITE)
		return MQTT_HANDSHAKE_WANTS_WRITE;
	if (error == SSL_ERROR_NONE && mqtt_tls_accept(tls, t->ssl, problem))
		return MQTT_HANDSHAKE_DONE;
	if (problem->untrusted) {
		buf_put_slice(words, buf_slice(&problem->words));
		return MQTT_HANDSHAKE_UNTRUSTED;
	}
	mqtt_tls_explain(tls, error, words);
	return MQTT_HANDSHAKE_FAILED;
}

/* ---- bytes ---- */

ssize_t mqtt_transport_write(struct mqtt_transport *t, struct slice bytes)
{
	ssize_t n;
	int rc;

	REQUIRE(t->fd >= 0);
	if (t->ssl == NULL) {
		n = send(t->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	if (bytes.len > WRITE_BYTES_MAX)
		bytes.len = WRITE_BYTES_MAX;
	ERR_clear_error();
	rc = SSL_write(t->ssl, bytes.data, (int)bytes.len);
	if (rc > 0)
		return rc;
	rc = SSL_get_error(t->ssl, rc);
	return rc == SSL_ERROR_WANT_WRITE || rc == SSL_ERROR_WANT_READ ? 0 : -1;
}

ssize_t mqtt_transport_read(struct mqtt_transport *t, uint8_t *out, size_t cap, int *ssl_error)
{
	ssize_t n;
	int rc;

	REQUIRE(t->fd >= 0 && cap > 0 && cap <= INT_MAX);
	*ssl_error = SSL_ERROR_NONE;
	if (t->ssl == NULL) {
		n = recv(t->fd, out, cap, 0);
		return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	ERR_clear_error();
	rc = SSL_read(t->ssl, out, (int)cap);
	if (rc > 0)
		return rc;
	*ssl_error = SSL_get_error(t->ssl, rc);
	if (*ssl_error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		*ssl_error = SSL_ERROR_SYSCALL;
	return *ssl_error == SSL_ERROR_WANT_READ || *ssl_error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

bool mqtt_transport_has_bytes(const struct mqtt_transport *t)
{
	return t->ssl != NULL && SSL_has_pending(t->ssl) == 1;
}

void mqtt_transport_close(struct mqtt_transport *t, bool says_so)
{
	if (t->ssl != NULL && says_so)
		(void)SSL_shutdown(t->ssl);
	/* Otherwise OpenSSL would spoil the ticket. */
	if (t->ssl != NULL)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	ERR_clear_error();
	t->ssl = NULL;
	if (t->fd >= 0)
		(void)close(t->fd);
	t->fd = -1;
}
