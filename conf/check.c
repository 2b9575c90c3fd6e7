/* Combinations: what no single key can tell.  A table of rules over the merged values of each
 * listener.  Thread: the caller's. */
#include <stdio.h>
#include <string.h>

#include "conf/read.h"
#include "conf/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool has_no_certificate(const struct conf_listener *l)
{
	return l->tls.certificate_count == 0;
}

static bool has_no_ca(const struct conf_listener *l)
{
	return l->tls.client_certificates != CLIENT_CERTIFICATES_NONE && l->tls.client_ca == NULL;
}

static bool names_user_without_certificate(const struct conf_listener *l)
{
	return l->authentication.certificate_user != CERTIFICATE_USER_NONE &&
	       l->tls.client_certificates == CLIENT_CERTIFICATES_NONE;
}

static bool connect_exceeds_packet(const struct conf_listener *l)
{
	return l->limits.max_connect_size > l->limits.max_packet_size;
}

static bool packet_exceeds_queue(const struct conf_listener *l)
{
	return l->limits.max_packet_size > l->limits.queue_bytes;
}

struct rule {
	const char *section, *key; /* who is to blame; NULL: the listener */
	bool tcp_only;
	bool (*broken)(const struct conf_listener *l);
	const char *text;
};

/* clang-format off: a table */
static const struct rule rules[] = {
    {NULL, NULL, true, has_no_certificate,
     "this TCP listener has no certificate, and without TLS there are unix sockets only: add "
     "tls: {certificates: [{certificate: FILE, key: FILE}]}"},
    {"tls", "client_certificates", true, has_no_ca,
     "client_certificates needs client_ca: the file with the CA that signs the clients' "
     "certificates"},
    {"authentication", "certificate_user", true, names_user_without_certificate,
     "certificate_user needs client certificates: set client_certificates: optional or required in "
     "tls:"},
    {"limits", "max_connect_size", false, connect_exceeds_packet,
     "max_connect_size is larger than max_packet_size: a CONNECT is a packet too, lower it or "
     "raise max_packet_size"},
    {"limits", "queue_bytes", false, packet_exceeds_queue,
     "queue_bytes is smaller than max_packet_size: the largest message could never wait, raise it "
     "or lower max_packet_size"},
};
/* clang-format on */

struct check {
	const struct conf *conf;
	const char *name;
	const struct yaml_node *root;
	struct errors *errors;
	bool blamed[COUNT(rules)]; /* the global value was: once is enough */
};

static const struct yaml_node *listener_node(const struct check *c, size_t index)
{
	return yaml_get(c->root, "listeners")->entries[index].value;
}

/* Where a rule is broken: at the listener's own key, at the global one, else at the listener. */
static const struct yaml_node *place_of(const struct check *c, const struct rule *rule,
                                        const struct yaml_node *listener, bool *is_global)
{
	const struct yaml_node *node = NULL;

	*is_global = false;
	if (rule->key == NULL)
		return listener;
	if ((node = yaml_get(yaml_get(listener, rule->section), rule->key)) != NULL)
		return node;
	if (yaml_get(listener, rule->section) != NULL)
		return listener;
	node = yaml_get(yaml_get(c->root, rule->section), rule->key);
	*is_global = true;
	return node == NULL ? c->root : node;
}

static void check_rule(struct check *c, size_t rule, size_t listener)
{
	const struct conf_listener *l = &c->conf->listeners[listener];
	const struct yaml_node *place;
	bool is_global;

	if ((rules[rule].tcp_only && l->is_unix) || !rules[rule].broken(l))
		return;
	place = place_of(c, &rules[rule], listener_node(c, listener), &is_global);
	if (is_global && c->blamed[rule])
		return;
	c->blamed[rule] = c->blamed[rule] || is_global;
	errors_add(c->errors, c->name, place->line, place->column, "%s", rules[rule].text);
}

/* Keys of unix sockets in a TCP listener, and the other way round. */
static void check_transport(const struct check *c, size_t listener)
{
	const struct conf_listener *l = &c->conf->listeners[listener];
	const struct yaml_node *node = listener_node(c, listener);
	unsigned wrong = l->is_unix ? KEY_TCP : KEY_UNIX;

	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *key_node = node->entries[i].key;
		const struct schema_key *key = schema_find(&schema_listener, key_node->text);

		if (key != NULL && (key->flags & wrong) != 0)
			errors_add(c->errors, c->name, key_node->line, key_node->column,
			           "%s is for %s only, this listener is %s: remove it", key->name,
			           l->is_unix ? "TCP" : "unix sockets",
			           l->is_unix ? "a unix socket" : "on TCP");
	}
}

static bool takes_all(const struct conf_listener *l)
{
	return strcmp(l->host, "::") == 0;
}

static bool is_ipv4(const struct conf_listener *l)
{
	return strchr(l->host, ':') == NULL;
}

/* [::] takes IPv4 too, so it collides with 0.0.0.0. */
static bool collide(const struct conf_listener *a, const struct conf_listener *b)
{
	if (a->is_unix != b->is_unix)
		return false;
	if (a->is_unix)
		return strcmp(a->path, b->path) == 0;
	if (a->port != b->port || a->port == 0)
		return false;
	return strcmp(a->host, b->host) == 0 || (takes_all(a) && strcmp(b->host, "0.0.0.0") == 0) ||
	       (takes_all(b) && strcmp(a->host, "0.0.0.0") == 0);
}

static void check_collision(const struct check *c, size_t listener)
{
	const struct conf_listener *l = &c->conf->listeners[listener];
	const struct yaml_node *place = yaml_get(listener_node(c, listener), "bind");

	for (size_t i = 0; i < listener; i++) {
		const struct conf_listener *other = &c->conf->listeners[i];

		if (other->bind == NULL || !collide(l, other))
			continue;
		errors_add(c->errors, c->name, place->line, place->column,
		           "bind '%s' is taken by the listener on line %u already%s: remove one",
		           l->bind, other->line,
		           !l->is_unix && is_ipv4(l) != is_ipv4(other) ? " ([::] takes IPv4 too)"
		                                                       : "");
		return;
	}
}

void conf_check(const struct conf *conf, const char *name, const struct yaml_node *root,
                struct errors *errors)
{
	struct check c = {.conf = conf, .name = name, .root = root, .errors = errors};

	for (size_t i = 0; i < conf->listener_count; i++) {
		if (conf->listeners[i].bind == NULL) /* told already */
			continue;
		check_transport(&c, i);
		check_collision(&c, i);
		for (size_t rule = 0; rule < COUNT(rules); rule++)
			check_rule(&c, rule, i);
	}
}
