/* A client that is a plain blocking OpenSSL program. */
#ifndef TEST_NET_CLIENT_H
#define TEST_NET_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

struct net_client_options {
	const char *ca; /* trusted; NULL: nobody is verified */
	const char *certificate, *key;
	int min_version, max_version;
	const char *suites_12, *suites_13, *groups;
	const char *server_name;
	const char *alpn; /* wire format */
	SSL_SESSION *session;
	void (*prepare)(SSL_CTX *ctx); /* NULL: nothing more */
	bool no_security;              /* level 0: old versions, short keys */
};

struct net_client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *ticket; /* the newest one */
};

int net_client_dial(uint16_t port);
int net_client_dial_unix(const char *path);
void net_client_join_unix(int fd, const char *path); /* a socket made before */
/* True: the handshake went through (TLS 1.3: as far as the client knows). */
bool net_client_open(struct net_client *c, uint16_t port, const struct net_client_options *options);
bool net_client_send(struct net_client *c, const void *bytes, size_t len);
/* Exactly len bytes, false at the end. */
bool net_client_recv(struct net_client *c, void *bytes, size_t len);
/* Does the server's answer to "ping" come back? */
bool net_client_echoes(struct net_client *c);
void net_client_close(struct net_client *c);

#endif
