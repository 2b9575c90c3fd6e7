/* Addresses as mosquitto's clients know them, without passwords and with TLS only. */
#include "options/client_url.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"

#define SCHEME "mqtts://"

static int refuse_scheme(const char *value)
{
	if (strncmp(value, "mqtt://", strlen("mqtt://")) == 0)
		return report_error(EXIT_USAGE,
		                    "-L: '%s' is an address without TLS, which this program does "
		                    "not speak: mqtts://%s, with the port of TLS",
		                    value, value + strlen("mqtt://"));
	return report_error(EXIT_USAGE, "-L: '%s' does not begin with " SCHEME, value);
}

/* HOST[:PORT], where the host may be an address in brackets. */
static int take_place(struct client_options *o, char *text)
{
	char *colon = text;
	uint64_t port;

	o->host = text;
	if (text[0] == '[' && (colon = strchr(text, ']')) != NULL) {
		o->host = text + 1;
		*colon++ = '\0';
	}
	colon = colon == NULL ? NULL : strchr(colon, ':');
	if (colon != NULL) {
		*colon = '\0';
		if (!client_parse_number(colon + 1, UINT16_MAX, &port) || port == 0)
			return report_usage("-L: '%s' is no port: a number from 1 to 65535",
			                    colon + 1);
		o->port = (uint16_t)port;
	}
	return o->host[0] != '\0' ? 0 : report_usage("-L: the address has no host");
}

int client_url_take(struct client_options *o, const char *value)
{
	char *rest, *slash, *at;

	REQUIRE(value != NULL);
	if (strncmp(value, SCHEME, strlen(SCHEME)) != 0)
		return refuse_scheme(value);
	free(o->url);
	o->url = rest = xstrdup(value + strlen(SCHEME));
	slash = strchr(rest, '/');
	o->url_topic = NULL;
	if (slash != NULL) {
		*slash = '\0';
		o->url_topic = slash[1] == '\0' ? NULL : slash + 1;
	}
	at = strrchr(rest, '@');
	if (at != NULL) {
		*at = '\0';
		if (strchr(rest, ':') != NULL)
			return report_error(EXIT_USAGE, CLIENT_PASSWORD_IN_SIGHT);
		o->user = rest;
		rest = at + 1;
	}
	return take_place(o, rest);
}
