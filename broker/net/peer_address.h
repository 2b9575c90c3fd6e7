/* The address at the other end of a stream: for logs, and for limits.  Thread: any. */
#ifndef NET_PEER_ADDRESS_H
#define NET_PEER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "conf/conf.h"

struct sockaddr;

enum peer_kind {
	PEER_IP4,
	PEER_IP6,
	PEER_UNIX,
	/* Not a socket: a stream in memory. */
	PEER_NAMED,
};

struct peer_address {
	/* IPv4: 4 bytes, IPv6: 16, Unix: the user id, then the primary group id. */
	uint8_t bytes[16];
	/* Of PEER_NAMED; borrowed. */
	const char *name;
	uint16_t port;
	uint8_t kind;
};

/* IPv4 in IPv6 becomes IPv4. */
struct peer_address peer_address_from_sockaddr(const struct sockaddr *address);
/* User and primary group at the other end of a connected Unix socket (SO_PEERCRED). */
struct peer_address peer_address_from_unix(int fd);
/* Is it one of these? */
bool peer_address_is_among(const struct peer_address *p, const struct conf_peers *peers);
/* The user whom the list names for it: for its user id, else for its group. NULL: nobody. */
const char *peer_address_user(const struct peer_address *p, const struct conf_peer_users *users);
/* Is it an address of a network, which limits for each address count? */
bool peer_address_is_network(const struct peer_address *p);
/* "192.0.2.7:50123", "[2001:db8::1]:50123", "unix:uid=1000"; the length, cut to cap - 1. */
size_t peer_address_text(const struct peer_address *p, char *out, size_t cap);
/* Bytes that name the source without its port (IPv6: the /64). Borrowed from `p`. */
struct slice peer_address_key(const struct peer_address *p);
/* The key as text: "192.0.2.7", "2001:db8:0:1::/64", "unix:uid=1000"; the length, cut to cap - 1.
 */
size_t peer_address_key_text(const struct peer_address *p, char *out, size_t cap);

#define PEER_TEXT_MAX 64

#endif
