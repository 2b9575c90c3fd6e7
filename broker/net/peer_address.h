/* Who is at the other end of a socket: for logs, and the source that limits count.  Thread: any. */
#ifndef NET_PEER_ADDRESS_H
#define NET_PEER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"

enum peer_kind {
	PEER_IP4,
	PEER_IP6,
	PEER_UNIX,
};

struct peer {
	/* IPv4: 4 bytes, IPv6: 16, Unix: the user id. The key is the first of them. */
	uint8_t bytes[16];
	uint16_t port;
	uint8_t kind;
};

/* IPv4 in IPv6 becomes what it is: IPv4. */
struct peer peer_of_address(const struct sockaddr *address);
struct peer peer_of_unix(int fd); /* SO_PEERCRED */
/* "192.0.2.7:50123", "[2001:db8::1]:50123", "unix:uid=1000"; the length, cut to cap - 1. */
size_t peer_text(const struct peer *p, char *out, size_t cap);
struct slice peer_key(const struct peer *p);
/* A key as text: "192.0.2.7", "2001:db8:0:1::/64", "unix:uid=1000"; what is none of ours, as it is.
 * The length, cut to cap - 1. */
size_t peer_key_text(struct slice key, bool is_unix, char *out, size_t cap);

#define PEER_TEXT_MAX 64

#endif
