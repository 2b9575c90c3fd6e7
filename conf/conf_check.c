/* Combinations: what no single key can tell.  A table of rules over the merged values of each
 * listener.  Thread: the caller's. */
#include "conf/conf_check.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/require.h"
#include "conf/conf_check_https.h"
#include "conf/conf_check_peers.h"
#include "conf/schema_section.h"
#include "conf/schema_table.h"

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

static bool demands_certificates_of_nobody(const struct conf_listener *l)
{
	return l->authentication.login == LOGIN_DEMANDS_BOTH &&
	       (l->tls.client_certificates == CLIENT_CERTIFICATES_NONE ||
	        l->authentication.certificate_user == CERTIFICATE_USER_NONE);
}

static bool demands_more_of_peers(const struct conf_listener *l)
{
	return l->authentication.login == LOGIN_DEMANDS_BOTH && l->peer_users.count > 0;
}

static bool connect_exceeds_packet(const struct conf_listener *l)
{
	return l->limits.max_connect_size > l->limits.max_packet_size;
}

static bool packet_exceeds_queue(const struct conf_listener *l)
{
	return l->limits.max_packet_size > l->limits.queue_bytes;
}

static bool byte_rate_is_tiny(const struct conf_listener *l)
{
	return l->limits.byte_rate > 0 && l->limits.byte_rate < 1024;
}

static bool has_idle_ca(const struct conf_listener *l)
{
	return l->tls.client_certificates == CLIENT_CERTIFICATES_NONE && l->tls.client_ca != NULL;
}

static bool has_idle_crl(const struct conf_listener *l)
{
	return l->tls.client_certificates == CLIENT_CERTIFICATES_NONE && l->tls.client_crl != NULL;
}

static bool has_idle_policy(const struct conf_listener *l)
{
	return l->tls.crl_expired != CRL_EXPIRED_REFUSE &&
	       (l->tls.client_crl == NULL ||
	        l->tls.client_certificates == CLIENT_CERTIFICATES_NONE);
}

static bool keeps_sessions_of_nobody(const struct conf_listener *l)
{
	return l->authentication.anonymous_sessions && !l->authentication.anonymous;
}

struct conf_rule {
	const char *section, *key; /* who is to blame */
	bool (*broken)(const struct conf_listener *l);
	const char *text;
	bool at_listener; /* the place of the error, whoever is to blame */
	bool tcp_only;
	/* A key that does nothing: a warning, where it does nothing for any listener. */
	bool is_idle;
};

static const struct conf_rule rules[] = {
    {"tls", "certificates", has_no_certificate,
     "this TCP listener has no certificate, and without TLS there are unix sockets only: add "
     "tls: {certificates: [{certificate: FILE, key: FILE}]}",
     true, true, false},
    {"tls", "client_certificates", has_no_ca,
     "client_certificates needs client_ca: the file with the CA that signs the clients' "
     "certificates",
     false, true, false},
    {"authentication", "certificate_user", names_user_without_certificate,
     "certificate_user needs client certificates: set client_certificates: optional or required in "
     "tls:",
     false, true, false},
    {"authentication", "login", demands_certificates_of_nobody,
     "login: certificate_and_password needs certificates that name users: set client_certificates: "
     "optional or required in tls:, and certificate_user",
     false, true, false},
    {"authentication", "login", demands_more_of_peers,
     "login: certificate_and_password and peer_users do not go together: a process at a Unix "
     "socket "
     "shows neither; set login: either for this listener",
     true, false, false},
    {"limits", "max_connect_size", connect_exceeds_packet,
     "max_connect_size is larger than max_packet_size: a CONNECT is a packet too, lower it or "
     "raise max_packet_size",
     false, false, false},
    {"limits", "queue_bytes", packet_exceeds_queue,
     "queue_bytes is smaller than max_packet_size: the largest message could never wait, raise it "
     "or lower max_packet_size",
     false, false, false},
    {"limits", "byte_rate", byte_rate_is_tiny,
     "byte_rate is in bytes per second, and less than 1k would stop a client for minutes after "
     "each "
     "read: raise it, with a unit such as 64k, or set 0 for no limit",
     false, false, false},
    {"tls", "client_ca", has_idle_ca,
     "client_ca does nothing with client_certificates: none; set client_certificates: optional or "
     "required, or remove it",
     false, true, true},
    {"tls", "client_crl", has_idle_crl,
     "client_crl does nothing with client_certificates: none; set client_certificates: optional "
     "or required, or remove it",
     false, true, true},
    {"tls", "crl_expired", has_idle_policy,
     "crl_expired does nothing without client_crl; add it, or remove crl_expired", false, true,
     true},
    {"authentication", "anonymous_sessions", keeps_sessions_of_nobody,
     "anonymous_sessions does nothing without anonymous: true; remove it", false, false, true},
};

struct conf_check {
	const struct conf *conf;
	const char *name;
	const struct yaml_node *root;
	struct errors *errors;
	struct conf_listener global;   /* what a listener without overrides would have; borrowed */
	bool blamed[ARRAY_LEN(rules)]; /* the global value was: once is enough */
};

static const struct yaml_node *listener_node(const struct conf_check *c, size_t index)
{
	const struct yaml_node *listeners = yaml_get(c->root, "listeners");

	REQUIRE(listeners != NULL && index < listeners->count);
	return listeners->entries[index].value;
}

/* An error about this node was given already: what follows from it is noise. */
static bool is_reported(const struct conf_check *c, const struct yaml_node *node)
{
	for (size_t i = 0; node != NULL && i < c->errors->count; i++)
		if (c->errors->items[i].line == node->line &&
		    c->errors->items[i].column == node->column &&
		    strcmp(c->errors->items[i].file, c->name) == 0)
			return true;
	return false;
}

/* The listener's own key, else the global one (once for all listeners), else what made the
 * difference: the listener's section. */
static const struct yaml_node *find_place(struct conf_check *c, size_t index,
                                          const struct yaml_node *listener)
{
	const struct conf_rule *rule = &rules[index];
	const struct yaml_node *own = yaml_get(listener, rule->section);
	const struct yaml_node *global = yaml_get(c->root, rule->section);
	const struct yaml_node *own_key = yaml_get(own, rule->key);
	const struct yaml_node *global_key = yaml_get(global, rule->key);

	if (is_reported(c, own) || is_reported(c, own_key) || is_reported(c, global) ||
	    is_reported(c, global_key))
		return NULL;
	if (rule->at_listener)
		return listener;
	if (own_key != NULL)
		return own_key;
	if (!rule->broken(&c->global))
		return own == NULL ? listener : own;
	if (c->blamed[index])
		return NULL;
	c->blamed[index] = true;
	return global_key == NULL ? c->root : global_key;
}

static bool is_broken(const struct conf_listener *l, const struct conf_rule *rule)
{
	return !(rule->tcp_only && l->is_unix) && rule->broken(l);
}

/* Does the key do something for some listener? */
static bool is_used(const struct conf_check *c, const struct conf_rule *rule)
{
	for (size_t i = 0; i < c->conf->listener_count; i++) {
		const struct conf_listener *l = &c->conf->listeners[i];

		if (!(rule->tcp_only && l->is_unix) && !rule->broken(l))
			return true;
	}
	return false;
}

static void check_rule(struct conf_check *c, size_t rule, size_t listener)
{
	const struct conf_listener *l = &c->conf->listeners[listener];
	const struct yaml_node *place;

	if (!is_broken(l, &rules[rule]) || (rules[rule].is_idle && is_used(c, &rules[rule])))
		return;
	place = find_place(c, rule, listener_node(c, listener));
	if (place == NULL)
		return;
	if (rules[rule].is_idle)
		errors_warn(c->errors, c->name, place->line, place->column, "%s", rules[rule].text);
	else
		errors_add(c->errors, c->name, place->line, place->column, "%s", rules[rule].text);
}

static uint64_t largest_packet(const struct conf *conf)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < conf->listener_count; i++) {
		if (conf->listeners[i].limits.max_packet_size > largest)
			largest = conf->listeners[i].limits.max_packet_size;
	}
	return largest;
}

/* --- limits that contradict one another: what the first says can never be reached --- */

static bool exceeds(uint64_t part, uint64_t whole)
{
	return part != 0 && part != CONF_SHARE_AUTO && whole != 0 && part > whole;
}

struct odd_limit {
	const char *key; /* of limits:, where it is given */
	bool (*is_odd)(const struct conf *conf);
	const char *text;
};

#define ODD(name, part, whole)                                                                     \
	static bool name(const struct conf *conf)                                                  \
	{                                                                                          \
		return exceeds((part), (whole));                                                   \
	}
/* A message is in memory up to three times (what was read of its packet, itself, what a reader has
 * not taken yet), and above three quarters of the memory shares count. */
ODD(packet_exceeds_memory, 4 * largest_packet(conf), conf->shared.memory_bytes)
ODD(packet_exceeds_share, 2 * largest_packet(conf),
    conf->shared.memory_bytes == 0 && conf->shared.memory_per_user != CONF_SHARE_AUTO
        ? conf->shared.memory_per_user
        : 0)
ODD(queue_exceeds_memory, conf->limits.queue_bytes, conf->shared.memory_bytes)
ODD(subscriptions_exceed_memory, conf->limits.subscription_bytes, conf->shared.memory_bytes)
ODD(user_exceeds_memory, conf->shared.memory_per_user, conf->shared.memory_bytes)
ODD(retained_exceed_memory, conf->shared.retained_bytes, conf->shared.memory_bytes)
ODD(packet_exceeds_retained, largest_packet(conf), conf->shared.retained_bytes)
ODD(user_exceeds_retained, conf->shared.retained_per_user, conf->shared.retained_messages)
ODD(user_exceeds_retained_bytes, conf->shared.retained_bytes_per_user, conf->shared.retained_bytes)
ODD(user_exceeds_store, conf->shared.store_per_user, conf->persistence_max_bytes)
ODD(address_exceeds_all, conf->limits.connections_per_address, conf->limits.connections)
ODD(user_exceeds_all, conf->limits.connections_per_user, conf->limits.connections)
ODD(waiting_exceed_all, conf->limits.unauthenticated, conf->limits.connections)
#undef ODD

static const struct odd_limit odd_limits[] = {
    {"memory", packet_exceeds_memory,
     "memory is less than four times max_packet_size: a message that large may never pass, "
     "whatever else there is; raise it, or lower max_packet_size"},
    {"queue_bytes", queue_exceeds_memory,
     "queue_bytes is larger than memory, and memory is reached first: lower it"},
    {"subscription_bytes", subscriptions_exceed_memory,
     "subscription_bytes is larger than memory, and memory is reached first: lower it"},
    {"memory_per_user", packet_exceeds_share,
     "memory_per_user is less than two times max_packet_size, and without a limit of memory it "
     "always counts: a message that large may never pass; raise it, or lower max_packet_size"},
    {"memory_per_user", user_exceeds_memory,
     "memory_per_user is larger than memory, and memory is reached first: lower it"},
    {"retained_bytes", retained_exceed_memory,
     "retained_bytes is larger than memory, and memory is reached first: lower it"},
    {"retained_bytes", packet_exceeds_retained,
     "retained_bytes is smaller than max_packet_size: the largest message can never be retained; "
     "raise it or lower max_packet_size"},
    {"retained_per_user", user_exceeds_retained,
     "retained_per_user is larger than retained_messages, which is reached first: lower it"},
    {"retained_bytes_per_user", user_exceeds_retained_bytes,
     "retained_bytes_per_user is larger than retained_bytes, which is reached first: lower it"},
    {"store_per_user", user_exceeds_store,
     "store_per_user is larger than persistence.max_size, which is reached first: lower it"},
    {"connections_per_address", address_exceeds_all,
     "connections_per_address is larger than connections, which is reached first: lower it"},
    {"connections_per_user", user_exceeds_all,
     "connections_per_user is larger than connections, which is reached first: lower it"},
    {"unauthenticated", waiting_exceed_all,
     "unauthenticated is larger than connections, which is reached first: lower it"},
};

static void check_limits(const struct conf_check *c)
{
	const struct yaml_node *limits = yaml_get(c->root, "limits");

	for (size_t i = 0; i < ARRAY_LEN(odd_limits); i++) {
		const struct yaml_node *given = yaml_get(limits, odd_limits[i].key);

		if (given != NULL && !is_reported(c, given) && odd_limits[i].is_odd(c->conf))
			errors_warn(c->errors, c->name, given->line, given->column, "%s",
			            odd_limits[i].text);
	}
}

/* --- keys of one listener that do nothing, or let nobody in --- */

static void check_listener_keys(const struct conf_check *c, size_t listener)
{
	const struct conf_listener *l = &c->conf->listeners[listener];
	const struct yaml_node *node = listener_node(c, listener);
	const struct yaml_node *moved = yaml_get(node, "server_moved");
	const struct yaml_node *mode = yaml_get(node, "mode");
	const struct yaml_node *connections = yaml_get(yaml_get(node, "limits"), "connections");

	if (l->server_moved && l->server_reference == NULL && moved != NULL)
		errors_warn(c->errors, c->name, moved->line, moved->column,
		            "server_moved does nothing without server_reference: name the other "
		            "server, or remove it");
	if (l->is_unix && mode != NULL && (l->mode & 0222) == 0)
		errors_warn(c->errors, c->name, mode->line, mode->column,
		            "mode %04o: nobody but root can connect to a socket without the right "
		            "to write: set \"0660\", for example",
		            l->mode);
	if (connections != NULL && l->limits.connections > c->conf->limits.connections)
		errors_warn(
		    c->errors, c->name, connections->line, connections->column,
		    "connections is larger here than for all listeners together (%u), which "
		    "is reached first: lower it, or raise limits.connections at the top "
		    "level",
		    c->conf->limits.connections);
}

/* Keys of unix sockets in a TCP listener, and the other way round; those of HTTPS elsewhere. */
static void check_transport(const struct conf_check *c, size_t listener)
{
	const struct conf_listener *l = &c->conf->listeners[listener];
	const struct yaml_node *node = listener_node(c, listener);
	unsigned wrong = l->is_unix ? KEY_TCP : KEY_UNIX;
	bool is_https = l->protocol == CONF_PROTOCOL_HTTPS;

	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *key_node = node->entries[i].key;
		const struct schema_key *key = schema_find(&schema_listener, key_node->text);

		if (key != NULL && (key->flags & wrong) != 0)
			errors_add(c->errors, c->name, key_node->line, key_node->column,
			           "%s is for %s only, this listener is %s: remove it", key->name,
			           l->is_unix ? "TCP" : "unix sockets",
			           l->is_unix ? "a unix socket" : "on TCP");
		if (key != NULL && (key->flags & KEY_HTTPS) != 0 && !is_https)
			errors_add(c->errors, c->name, key_node->line, key_node->column,
			           "%s is for listeners with protocol: https only: add that, or "
			           "remove it",
			           key->name);
	}
}

static bool is_ipv4(const struct conf_listener *l)
{
	return strchr(l->host, ':') == NULL;
}

/* Every address that the other one has: [::] takes IPv4, too. */
static bool takes_all_of(const struct conf_listener *l, const struct conf_listener *other)
{
	return strcmp(l->host, "::") == 0 || (strcmp(l->host, "0.0.0.0") == 0 && is_ipv4(other));
}

static bool collide(const struct conf_listener *a, const struct conf_listener *b)
{
	if (a->is_unix != b->is_unix)
		return false;
	if (a->is_unix)
		return strcmp(a->path, b->path) == 0;
	if (a->port != b->port || a->port == 0)
		return false;
	/* mutant: wildcard_takes_itself_only */
	return strcmp(a->host, b->host) == 0 || takes_all_of(a, b) || takes_all_of(b, a);
}

static void check_collision(const struct conf_check *c, size_t listener)
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

#define STORE_BYTES_MIN ((uint64_t)1 << 20)

/* What is said about a store that there is none. A directory that is switched off in so many words
 * is not forgotten. */
static void check_persistence(const struct conf_check *c)
{
	const struct yaml_node *node = yaml_get(c->root, "persistence");
	const struct yaml_node *size = yaml_get(node, "max_size");
	uint64_t max_bytes = c->conf->persistence_max_bytes;

	if (max_bytes != 0 && max_bytes < STORE_BYTES_MIN)
		errors_add(c->errors, c->name, size->line, size->column,
		           "max_size is too small for any store: 1M at least, or 0 for no limit");
	else if (max_bytes != 0 && size != NULL && max_bytes / 4 < largest_packet(c->conf))
		errors_warn(c->errors, c->name, size->line, size->column,
		            "max_size is less than four times limits.max_packet_size: a message "
		            "that large may wait for space forever and delay others; raise it, or "
		            "lower max_packet_size");
	if (node == NULL || node->kind != YAML_MAPPING || yaml_get(node, "directory") != NULL)
		return;
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *key = node->entries[i].key;

		errors_warn(c->errors, c->name, key->line, key->column,
		            "%s does nothing without persistence.directory: add the directory, or "
		            "remove it",
		            key->text);
	}
}

void conf_check(const struct conf *conf, const char *name, const struct yaml_node *root,
                struct errors *errors)
{
	struct conf_check c = {
	    .conf = conf,
	    .name = name,
	    .root = root,
	    .errors = errors,
	    .global = {.tls = conf->tls,
	               .authentication = conf->authentication,
	               .authorization = conf->authorization,
	               .limits = conf->limits},
	};

	check_persistence(&c);
	check_limits(&c);
	for (size_t i = 0; i < conf->listener_count; i++) {
		if (conf->listeners[i].bind == NULL) /* reported already */
			continue;
		check_transport(&c, i);
		conf_check_peers(&conf->listeners[i], name, listener_node(&c, i), errors);
		conf_check_https(&conf->listeners[i], name, listener_node(&c, i), errors);
		check_listener_keys(&c, i);
		check_collision(&c, i);
		for (size_t rule = 0; rule < ARRAY_LEN(rules); rule++)
			check_rule(&c, rule, i);
	}
}
