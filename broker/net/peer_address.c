/* Addresses as text and as keys. */
#include "net/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/require.h"

#define IP4_BYTES         4
#define IP6_BYTES         16
#define IP6_NETWORK_BYTES 8
#define ID_BYTES          4
/* What the kernel says of ids that have none in this user namespace. */
#define ID_OVERFLOW 65534

struct peer_address peer_address_from_sockaddr(const struct sockaddr *address)
{
	struct peer_address p = {.kind = PEER_IP4};
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (address->sa_family == AF_INET) {
		memcpy(&four, address, sizeof(four));
		memcpy(p.bytes, &four.sin_addr, sizeof(four.sin_addr));
		p.port = ntohs(four.sin_port);
		return p;
	}
	REQUIRE(address->sa_family == AF_INET6);
	memcpy(&six, address, sizeof(six));
	p.port = ntohs(six.sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
		memcpy(p.bytes, &six.sin6_addr.s6_addr[12], IP4_BYTES);
		return p;
	}
	p.kind = PEER_IP6;
	memcpy(p.bytes, &six.sin6_addr, sizeof(six.sin6_addr));
	return p;
}

struct peer_address peer_address_from_unix(int fd)
{
	struct peer_address p = {.kind = PEER_UNIX};
	struct ucred credentials = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	socklen_t len = sizeof(credentials);
	uint32_t uid, gid;

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
	uid = (uint32_t)credentials.uid;
	gid = (uint32_t)credentials.gid;
	memcpy(p.bytes, &uid, sizeof(uid));
	memcpy(p.bytes + ID_BYTES, &gid, sizeof(gid));
	return p;
}

static uint32_t id_of(const struct peer_address *p, enum conf_peer_kind kind)
{
	uint32_t id;

	memcpy(&id, p->bytes + (kind == CONF_PEER_GID ? ID_BYTES : 0), sizeof(id));
	return id;
}

static bool is_peer(const struct peer_address *p, const struct conf_peer *peer)
{
	if (peer->kind == CONF_PEER_NETWORK)
		return peer_address_is_network(p) &&
		       cidr_has(&peer->network, p->bytes,
		                p->kind == PEER_IP4 ? IP4_BYTES : IP6_BYTES);
	return p->kind == PEER_UNIX && id_of(p, peer->kind) == peer->id;
}

bool peer_address_is_among(const struct peer_address *p, const struct conf_peers *peers)
{
	for (size_t i = 0; i < peers->count; i++) {
		if (is_peer(p, &peers->items[i]))
			return true;
	}
	return false;
}

static const char *user_of(const struct peer_address *p, enum conf_peer_kind kind,
                           const struct conf_peer_users *users)
{
	for (size_t i = 0; i < users->count; i++) {
		const struct conf_peer_user *user = &users->items[i];

		if (user->peer.kind == kind && is_peer(p, &user->peer))
			return user->user;
	}
	return NULL;
}

/* A user id of another namespace is anybody's, whatever its group is. */
const char *peer_address_user(const struct peer_address *p, const struct conf_peer_users *users)
{
	const char *user;

	/* mutant: peers_of_other_namespaces */
	if (p->kind != PEER_UNIX || id_of(p, CONF_PEER_UID) == ID_OVERFLOW ||
	    id_of(p, CONF_PEER_UID) == UINT32_MAX)
		return NULL;
	user = user_of(p, CONF_PEER_UID, users);
	return user == NULL ? user_of(p, CONF_PEER_GID, users) : user;
}

bool peer_address_is_network(const struct peer_address *p)
{
	return p->kind == PEER_IP4 || p->kind == PEER_IP6;
}

static int put_uid(const struct peer_address *p, char *out, size_t cap)
{
	uint32_t uid;

	memcpy(&uid, p->bytes, sizeof(uid));
	return snprintf(out, cap, "unix:uid=%u", uid);
}

static size_t cut_length(int n, size_t cap)
{
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

size_t peer_address_text(const struct peer_address *p, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN] = "?";
	int n = 0;

	REQUIRE(cap > 0);
	switch ((enum peer_kind)p->kind) {
	case PEER_IP4:
		(void)inet_ntop(AF_INET, p->bytes, address, sizeof(address));
		n = snprintf(out, cap, "%s:%u", address, p->port);
		break;
	case PEER_IP6:
		(void)inet_ntop(AF_INET6, p->bytes, address, sizeof(address));
		n = snprintf(out, cap, "[%s]:%u", address, p->port);
		break;
	case PEER_UNIX:
		n = put_uid(p, out, cap);
		break;
	case PEER_NAMED:
		n = snprintf(out, cap, "%s", p->name);
		break;
	}
	return cut_length(n, cap);
}

size_t peer_address_key_text(const struct peer_address *p, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN] = "?";
	uint8_t network[16] = {0};
	int n = 0;

	REQUIRE(cap > 0);
	switch ((enum peer_kind)p->kind) {
	case PEER_IP4:
		(void)inet_ntop(AF_INET, p->bytes, address, sizeof(address));
		n = snprintf(out, cap, "%s", address);
		break;
	case PEER_IP6:
		memcpy(network, p->bytes, IP6_NETWORK_BYTES);
		(void)inet_ntop(AF_INET6, network, address, sizeof(address));
		n = snprintf(out, cap, "%s/64", address);
		break;
	case PEER_UNIX:
		n = put_uid(p, out, cap);
		break;
	case PEER_NAMED:
		n = snprintf(out, cap, "%s", p->name);
		break;
	}
	return cut_length(n, cap);
}

struct slice peer_address_key(const struct peer_address *p)
{
	if (p->kind == PEER_NAMED)
		return slice_of_str(p->name);
	return slice_of(p->bytes, p->kind == PEER_IP6 ? IP6_NETWORK_BYTES : IP4_BYTES);
}
