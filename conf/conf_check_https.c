/* A listener serves what `serve` lists and nothing else, and no two services on one path. */
#include "conf/conf_check_https.h"

#include <stdio.h>
#include <string.h>

/* --- values --- */

/* RFC 3986, unreserved characters and slashes: nothing in it has to be decoded. */
static bool is_path_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("/-._~", c) != NULL;
}

const char *conf_path_wrong(const char *text)
{
	if (text[0] != '/')
		return "the path of a URL begins with a slash, like /mqtt";
	for (const char *p = text; *p != '\0'; p++) {
		if (!is_path_character(*p))
			return "a path has letters, digits and - . _ ~ between its slashes";
		if (*p == '/' && (p[1] == '/' || (p[1] == '.' && (p[2] == '/' || p[2] == '\0'))))
			return "browsers change a path with // or /./ before they ask for it";
		if (strncmp(p, "/..", 3) == 0 && (p[3] == '/' || p[3] == '\0'))
			return "browsers change a path with /../ before they ask for it";
	}
	return NULL;
}

const char *conf_folder_wrong(const char *text)
{
	const char *why = conf_path_wrong(text);

	if (why == NULL && text[strlen(text) - 1] != '/')
		why =
		    "it ends with a slash, like / or /dashboard/: what the page names is below it";
	return why;
}

/* RFC 6454 6.2: scheme, host, and a port unless it is the default one. */
const char *conf_origin_wrong(const char *text)
{
	const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
	                   : strncmp(text, "http://", 7) == 0 ? text + 7
	                                                      : NULL;

	if (strcmp(text, "same") == 0 || strcmp(text, "any") == 0 || strcmp(text, "null") == 0)
		return NULL;
	if (host == NULL || *host == '\0')
		return "an origin is same, any, or what a browser sends: a scheme and a host like "
		       "https://home.example, with the port if it is not the usual one";
	for (const char *p = host; *p != '\0'; p++) {
		if (*p == '/')
			return "an origin has no path: write it without what follows the host";
		if (*p >= 'A' && *p <= 'Z')
			return "browsers send an origin in lower case: write it so";
		if (*p <= ' ' || *p > '~' || strchr("?#@*", *p) != NULL)
			return "an origin is a scheme and a host, like https://home.example; there "
			       "are "
			       "no wildcards";
	}
	return NULL;
}

/* --- the listener --- */

struct https_check {
	const struct conf_listener *listener;
	const char *name;
	const struct yaml_node *node;
	struct errors *errors;
};

/* The key's own place, else the listener's. */
static const struct yaml_node *place_of(const struct https_check *c, const char *section,
                                        const char *key)
{
	const struct yaml_node *own = yaml_get(c->node, section);
	const struct yaml_node *found = key == NULL || own == NULL ? own : yaml_get(own, key);

	return found == NULL ? c->node : found;
}

static void check_serve(const struct https_check *c)
{
	const struct yaml_node *serve = yaml_get(c->node, "serve");

	if (serve == NULL)
		errors_add(c->errors, c->name, c->node->line, c->node->column,
		           "a listener with protocol: https serves what serve lists, and that is "
		           "missing: add, for example, serve: [websocket]");
}

/* A section of what is not served does nothing. */
static void check_idle(const struct https_check *c, unsigned service, const char *section)
{
	const struct yaml_node *node = yaml_get(c->node, section);

	if (node != NULL && (c->listener->serve & service) == 0 && c->listener->serve != 0)
		errors_warn(c->errors, c->name, node->line, node->column,
		            "%s does nothing unless serve lists %s: add it there, or remove this",
		            section, section);
}

static void check_metrics(const struct https_check *c)
{
	const struct conf_listener *l = c->listener;
	const struct yaml_node *place = place_of(c, "metrics", NULL);

	if ((l->serve & CONF_SERVICE_METRICS) == 0 || l->metrics.token_file != NULL ||
	    l->metrics.allow_from.count > 0)
		return;
	if (l->tls.client_certificates != CLIENT_CERTIFICATES_NONE &&
	    l->authentication.certificate_user != CERTIFICATE_USER_NONE)
		return;
	errors_add(c->errors, c->name, place->line, place->column,
	           "nobody could read the metrics: add metrics: {token_file: FILE} or metrics: "
	           "{allow_from: [ADDRESS]}, or let client certificates name users "
	           "(client_certificates and certificate_user)");
}

static bool has_path(const struct conf_strings *paths, const char *path)
{
	for (size_t i = 0; i < paths->count; i++) {
		if (strcmp(paths->items[i], path) == 0)
			return true;
	}
	return false;
}

/* / can be a page and, with Upgrade, WebSocket. */
static void check_paths(const struct https_check *c)
{
	const struct conf_listener *l = c->listener;
	const struct {
		unsigned service;
		const char *path, *section, *key;
	} rows[] = {
	    {CONF_SERVICE_METRICS, l->metrics.path, "metrics", "path"},
	    {CONF_SERVICE_HEALTH, l->health.path, "health", "path"},
	    {CONF_SERVICE_PUBLISH, l->publish.path, "publish", "path"},
	    {CONF_SERVICE_PUBLISH, l->publish.retained_path, "publish", "retained"},
	    {CONF_SERVICE_PUBLISH, l->publish.events_path, "publish", "events"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool twice = (l->serve & CONF_SERVICE_WEBSOCKET) != 0 && rows[i].path != NULL &&
		             has_path(&l->websocket.paths, rows[i].path);

		if (rows[i].path == NULL || (l->serve & rows[i].service) == 0)
			continue; /* reported already, or not served */
		for (size_t k = 0; k < i; k++)
			twice |= (l->serve & rows[k].service) != 0 && rows[k].path != NULL &&
			         strcmp(rows[i].path, rows[k].path) == 0;
		if (!twice)
			continue;
		errors_add(c->errors, c->name, place_of(c, rows[i].section, rows[i].key)->line,
		           place_of(c, rows[i].section, rows[i].key)->column,
		           "two services have the path %s: give each a path of its own",
		           rows[i].path);
		return;
	}
}

/* The page is a client over WebSocket. */
static void check_dashboard(const struct https_check *c)
{
	const struct conf_listener *l = c->listener;
	const struct yaml_node *place = place_of(c, "dashboard", "path");
	char path[256];

	if ((l->serve & CONF_SERVICE_DASHBOARD) == 0 || l->dashboard.path == NULL)
		return;
	(void)snprintf(path, sizeof(path), "%smqtt", l->dashboard.path);
	if ((l->serve & CONF_SERVICE_WEBSOCKET) == 0)
		errors_warn(c->errors, c->name, place->line, place->column,
		            "the dashboard connects by WebSocket to the listener that serves it: "
		            "add websocket to serve");
	else if (!has_path(&l->websocket.paths, path))
		errors_warn(c->errors, c->name, place->line, place->column,
		            "the dashboard connects to %s, which is not among websocket.paths: add "
		            "it there",
		            path);
}

static void check_publish(const struct https_check *c)
{
	const struct conf_strings *origins = &c->listener->publish.origins;

	for (size_t i = 0; i < origins->count; i++) {
		if (strcmp(origins->items[i], "any") == 0)
			errors_warn(c->errors, c->name, place_of(c, "publish", "origins")->line,
			            place_of(c, "publish", "origins")->column,
			            "publish.origins: any: every page that somebody opens can "
			            "publish and read with the password or certificate that the "
			            "browser has; list the pages that may");
	}
}

static void check_hsts(const struct https_check *c)
{
	const struct yaml_node *hsts = yaml_get(c->node, "hsts");

	if (hsts == NULL || c->listener->hsts_s == CONF_HSTS_OFF || c->listener->hsts_s == 0)
		return;
	errors_warn(
	    c->errors, c->name, hsts->line, hsts->column,
	    "hsts: browsers apply it to every port of this host name: a page on the same "
	    "name that speaks plain http, like that of Home Assistant, cannot be opened any "
	    "more. hsts: 0s makes browsers forget it");
}

void conf_check_https(const struct conf_listener *l, const char *name, const struct yaml_node *node,
                      struct errors *errors)
{
	struct https_check c = {.listener = l, .name = name, .node = node, .errors = errors};

	if (l->protocol != CONF_PROTOCOL_HTTPS)
		return;
	if (l->is_unix) {
		errors_add(errors, name, place_of(&c, "protocol", NULL)->line,
		           place_of(&c, "protocol", NULL)->column,
		           "protocol: https needs TLS, and a unix socket has none: use an address "
		           "with a port");
		return;
	}
	check_serve(&c);
	check_idle(&c, CONF_SERVICE_WEBSOCKET, "websocket");
	check_idle(&c, CONF_SERVICE_METRICS, "metrics");
	check_idle(&c, CONF_SERVICE_HEALTH, "health");
	check_idle(&c, CONF_SERVICE_PUBLISH, "publish");
	check_idle(&c, CONF_SERVICE_DASHBOARD, "dashboard");
	check_dashboard(&c);
	check_metrics(&c);
	check_paths(&c);
	check_publish(&c);
	check_hsts(&c);
}
