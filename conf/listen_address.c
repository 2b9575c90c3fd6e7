/* Each refusal says what to write instead. */
#include "conf/listen_address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "conf/conf_file.h"

#define UNIX_PREFIX   "unix:"
#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static bool refuse(struct value_input *in, char *why)
{
	in->why = why;
	return false;
}

static bool parse_unix(struct value_input *in, struct conf_listener *listener)
{
	const char *path = in->text + strlen(UNIX_PREFIX);

	if (path[0] == '\0')
		return refuse(in, xstrdup("unix: needs the path of the socket: "
		                          "unix:/run/broker/broker.sock"));
	listener->is_unix = true;
	listener->path = conf_resolve_path(in->file, path);
	listener->bind = xasprintf(UNIX_PREFIX "%s", listener->path);
	if (strlen(listener->path) <= UNIX_PATH_MAX)
		return true;
	listen_address_clear(listener);
	return refuse(in,
	              xasprintf("the path of a unix socket has at most %zu bytes", UNIX_PATH_MAX));
}

static bool parse_port(const char *text, uint16_t *out)
{
	size_t len = strlen(text);
	unsigned long value;

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1))
		return false;
	value = strtoul(text, NULL, 10);
	if (value > UINT16_MAX)
		return false;
	*out = (uint16_t)value;
	return true;
}

/* The address as the system would print it, so that equal ones are equal; NULL: not numeric. */
static char *canonical(int family, const char *host)
{
	uint8_t address[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(family, host, address) != 1 ||
	    inet_ntop(family, address, text, sizeof(text)) == NULL)
		return NULL;
	return xstrdup(text);
}

/* What was probably meant by an address that is none. */
static char *address_remedy(const char *host, const char *port)
{
	uint8_t address[sizeof(struct in6_addr)];

	if (strcmp(host, "localhost") == 0)
		return xasprintf("names are not taken, only numeric addresses: write "
		                 "\"127.0.0.1:%s\", or \"[::1]:%s\" for IPv6",
		                 port, port);
	if (host[0] == '\0' || strcmp(host, "*") == 0)
		return xasprintf("the address is missing: write \"[::]:%s\" for all of them", port);
	if (inet_pton(AF_INET6, host, address) == 1)
		return xasprintf("an IPv6 address must be in brackets: write \"[%s]:%s\"", host,
		                 port);
	return xasprintf("'%.80s' is not a numeric address (names are not taken): write "
	                 "\"127.0.0.1:%s\" for this machine alone, \"[::]:%s\" for all addresses",
	                 host, port, port);
}

static char *missing_port(const char *text)
{
	uint8_t address[sizeof(struct in6_addr)];
	uint16_t port;

	if (parse_port(text, &port))
		return xasprintf("the address is missing: write \"[::]:%s\" for all of them", text);
	if (inet_pton(AF_INET6, text, address) == 1)
		return xasprintf("the port is missing: write \"[%s]:8883\"", text);
	return xasprintf("the port is missing: write \"%.80s:8883\"", text);
}

static bool parse_host_port(struct value_input *in, char *host, const char *port,
                            struct conf_listener *listener)
{
	size_t len = strlen(host);
	bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';

	if (!parse_port(port, &listener->port))
		return refuse(in, xasprintf("'%.80s' is not a port: use a number from 0 to 65535 "
		                            "(0 selects a free one)",
		                            port));
	if (brackets) {
		host[len - 1] = '\0';
		listener->host = canonical(AF_INET6, host + 1);
		host[len - 1] = ']';
	} else {
		listener->host = canonical(AF_INET, host);
	}
	if (listener->host == NULL)
		return refuse(in, address_remedy(host, port));
	listener->bind = xstrdup(in->text);
	listener->has_tls = true;
	return true;
}

bool listen_address_parse(struct value_input *in, struct conf_listener *listener)
{
	const char *colon = strrchr(in->text, ':');
	const char *bracket = strrchr(in->text, ']');
	uint8_t address[sizeof(struct in6_addr)];
	char *host;
	bool fine;

	listen_address_clear(listener);
	if (strncmp(in->text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		return parse_unix(in, listener);
	if (in->text[0] == '/')
		return refuse(in, xasprintf("a unix socket is written \"unix:%.200s\"", in->text));
	if (colon == NULL || (bracket != NULL && colon < bracket))
		return refuse(in, missing_port(in->text));
	host = xstrndup(in->text, (size_t)(colon - in->text));
	/* "::1" is all address; "::1:8883" is one too, but was meant otherwise. */
	if (inet_pton(AF_INET6, host, address) != 1 && inet_pton(AF_INET6, in->text, address) == 1)
		fine = refuse(in, missing_port(in->text));
	else
		fine = parse_host_port(in, host, colon + 1, listener);
	free(host);
	return fine;
}

void listen_address_clear(struct conf_listener *listener)
{
	free(listener->bind);
	free(listener->host);
	free(listener->path);
	listener->bind = NULL;
	listener->host = NULL;
	listener->path = NULL;
	listener->is_unix = false;
	listener->has_tls = false;
	listener->port = 0;
}
