/* Addresses; what is wrong with files of TLS is said now, and not by the first client. */
#include "link_settings.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "program/command_line.h"

static int use_unix_path(struct link_settings *s, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return report_error(EXIT_USAGE, "--unix: the path has %zu bytes, at most %zu fit",
		                    strlen(path), sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	memcpy(&s->address, &address, sizeof(address));
	s->address_bytes = sizeof(address);
	return 0;
}

static int find_address(struct link_settings *s, const struct link_options *o)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	const char *port = o->port != NULL ? o->port : o->plain ? "1883" : "8883";
	int rc = getaddrinfo(s->host, port, &hints, &found);

	if (rc != 0)
		return report_error(EXIT_FAILED, "no address for %s, port %s: %s", s->host, port,
		                    gai_strerror(rc));
	if (snprintf(s->authority, sizeof(s->authority),
	             strchr(s->host, ':') == NULL ? "%s:%s" : "[%s]:%s", s->host,
	             port) >= (int)sizeof(s->authority))
		rc = report_error(EXIT_USAGE, "--host: the name is too long");
	memcpy(&s->address, found->ai_addr, found->ai_addrlen);
	s->address_bytes = found->ai_addrlen;
	freeaddrinfo(found);
	return rc;
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

int link_settings_init(struct link_settings *s, const struct link_options *o)
{
	int rc;

	s->host = o->host == NULL ? "localhost" : o->host;
	s->tls = o->tls;
	s->websocket = o->websocket;
	if (o->websocket != NULL &&
	    (o->websocket[0] != '/' || strpbrk(o->websocket, " \r\n") != NULL))
		return report_usage("--websocket: expected a path like /mqtt, not '%s'",
		                    o->websocket);
	if (o->websocket != NULL && o->port == NULL && o->unix_path == NULL)
		return report_usage("--websocket needs --port: the one of the HTTPS listener");
	(void)snprintf(s->authority, sizeof(s->authority), "localhost");
	if (o->unix_path != NULL && (o->host != NULL || o->port != NULL || o->plain))
		return report_usage("--unix excludes --host, --port and --plain");
	if (o->unix_path != NULL)
		return use_unix_path(s, o->unix_path);
	s->has_tls = !o->plain;
	rc = find_address(s, o);
	return rc != 0 || o->plain ? rc : check_tls(s);
}
