/* Addresses as text and as keys. */
#include "net/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

struct peer peer_of_address(const struct sockaddr *address)
{
	struct peer p = {.kind = PEER_IP4};
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (address->sa_family == AF_INET) {
		memcpy(&four, address, sizeof(four));
		memcpy(p.bytes, &four.sin_addr, sizeof(four.sin_addr));
		p.port = ntohs(four.sin_port);
		return p;
	}
	memcpy(&six, address, sizeof(six));
	p.port = ntohs(six.sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
		memcpy(p.bytes, &six.sin6_addr.s6_addr[12], 4);
		return p;
	}
	p.kind = PEER_IP6;
	memcpy(p.bytes, &six.sin6_addr, sizeof(six.sin6_addr));
	return p;
}

struct peer peer_of_unix(int fd)
{
	struct peer p = {.kind = PEER_UNIX};
	struct ucred credentials = {.uid = (uid_t)-1};
	socklen_t len = sizeof(credentials);
	uint32_t uid;

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
	uid = (uint32_t)credentials.uid;
	memcpy(p.bytes, &uid, sizeof(uid));
	return p;
}

size_t peer_text(const struct peer *p, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN] = "?";
	uint32_t uid;
	int n = 0;

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
		memcpy(&uid, p->bytes, sizeof(uid));
		n = snprintf(out, cap, "unix:uid=%u", uid);
		break;
	}
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

size_t peer_key_text(struct slice key, bool is_unix, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN] = "?";
	uint8_t network[16] = {0};
	uint32_t uid;
	int n;

	if (key.len == 8) {
		memcpy(network, key.data, key.len);
		(void)inet_ntop(AF_INET6, network, address, sizeof(address));
		n = snprintf(out, cap, "%s/64", address);
	} else if (key.len == sizeof(uid) && is_unix) {
		memcpy(&uid, key.data, sizeof(uid));
		n = snprintf(out, cap, "unix:uid=%u", uid);
	} else if (key.len == 4) {
		(void)inet_ntop(AF_INET, key.data, address, sizeof(address));
		n = snprintf(out, cap, "%s", address);
	} else {
		n = snprintf(out, cap, "%.*s", (int)key.len, (const char *)key.data);
	}
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

struct slice peer_key(const struct peer *p)
{
	return slice_of(p->bytes, p->kind == PEER_IP6 ? 8 : 4);
}
