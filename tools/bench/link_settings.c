/* Addresses; what is wrong with files of TLS is said now, and not by the first client. */
#include "link_settings.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "mqtt/mqtt_transport.h"
#include "program/command_line.h"

static int use_unix_path(struct link_settings *s, const char *path)
{
	struct sockaddr_un address;

	if (!mqtt_target_unix(path, &address))
		return report_error(EXIT_USAGE, "--unix: the path has %zu bytes, at most %zu fit",
		                    strlen(path), sizeof(address.sun_path) - 1);
	memcpy(&s->address, &address, sizeof(address));
	s->address_bytes = sizeof(address);
	return 0;
}

static int find_address(struct link_settings *s, const struct client_options *o)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char port[8];
	int rc;

	(void)snprintf(port, sizeof(port), "%u", o->port);
	if (snprintf(s->authority, sizeof(s->authority),
	             strchr(s->host, ':') == NULL ? "%s:%s" : "[%s]:%s", s->host,
	             port) >= (int)sizeof(s->authority))
		return report_error(EXIT_USAGE, "--host: the name is too long");
	rc = getaddrinfo(s->host, port, &hints, &found);
	if (rc != 0)
		return report_error(EXIT_FAILED, "no address for %s, port %s: %s", s->host, port,
		                    gai_strerror(rc));
	memcpy(&s->address, found->ai_addr, found->ai_addrlen);
	s->address_bytes = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int check_tls(const struct link_settings *s)
{
	struct buf why = {0};
	struct mqtt_tls *tls = mqtt_tls_new(&s->tls, &why);
	int rc = 0;

	if (tls == NULL)
		rc = report_error(EXIT_USAGE, "%.*s", (int)why.len, (const char *)why.data);
	mqtt_tls_free(tls);
	buf_fini(&why);
	return rc;
}

int link_settings_init(struct link_settings *s, const struct client_options *o)
{
	struct mqtt_endpoint endpoint;

	REQUIRE((o->host != NULL) != (o->socket != NULL));
	client_options_fill(o, NULL, &endpoint, &s->mqtt);
	s->host = o->host;
	s->source = o->source;
	s->tls = client_options_tls_options(o);
	s->has_tls = client_options_have_tls(o);
	(void)snprintf(s->authority, sizeof(s->authority), "localhost");
	if (o->socket != NULL)
		return use_unix_path(s, o->socket);
	return find_address(s, o);
}

int link_settings_check(const struct link_settings *s)
{
	if (s->websocket != NULL &&
	    (s->websocket[0] != '/' || strpbrk(s->websocket, " \r\n") != NULL))
		return report_usage("--websocket: expected a path like /mqtt, not '%s'",
		                    s->websocket);
	return s->has_tls ? check_tls(s) : 0;
}
