/* A table of rules, each with the key that is to blame. */
#include "conf/conf_check_peers.h"

#include "base/array.h"

static bool is_behind_proxy(const struct conf_listener *l)
{
	return l->proxy_protocol == PROXY_PROTOCOL_REQUIRED;
}

static bool has_kind(const struct conf_peers *peers, enum conf_peer_kind kind)
{
	for (size_t i = 0; i < peers->count; i++) {
		if (peers->items[i].kind == kind)
			return true;
	}
	return false;
}

static bool has_everybody(const struct conf_peers *peers)
{
	for (size_t i = 0; i < peers->count; i++) {
		if (peers->items[i].kind == CONF_PEER_NETWORK &&
		    peers->items[i].network.prefix == 0)
			return true;
	}
	return false;
}

/* --- errors --- */

static bool trusts_nobody(const struct conf_listener *l)
{
	return is_behind_proxy(l) && l->trusted.count == 0;
}

static bool trusts_users_on_tcp(const struct conf_listener *l)
{
	return !l->is_unix && has_kind(&l->trusted, CONF_PEER_UID);
}

static bool trusts_networks_on_unix(const struct conf_listener *l)
{
	return l->is_unix && has_kind(&l->trusted, CONF_PEER_NETWORK);
}

static bool allows_addresses_on_unix(const struct conf_listener *l)
{
	return l->is_unix && !is_behind_proxy(l) && l->allow_from.count > 0;
}

static bool maps_the_proxy(const struct conf_listener *l)
{
	return is_behind_proxy(l) && l->peer_users.count > 0;
}

static bool believes_other_names(const struct conf_listener *l)
{
	return l->trust_tls_fields && l->authentication.certificate_user != CERTIFICATE_USER_NONE &&
	       l->authentication.certificate_user != CERTIFICATE_USER_CN;
}

static bool assumes_for_everybody(const struct conf_listener *l)
{
	/* mutant: assume_user_for_everybody */
	return l->assume_user != NULL && !l->is_unix && l->allow_from.count == 0;
}

static bool assumes_for_unknown_peers(const struct conf_listener *l)
{
	return l->assume_user != NULL && l->peer_users.count > 0;
}

/* --- keys that do nothing, or too much --- */

static bool trusts_for_nothing(const struct conf_listener *l)
{
	return !is_behind_proxy(l) && l->trusted.count > 0;
}

static bool believes_for_nothing(const struct conf_listener *l)
{
	return l->is_unix && l->trust_tls_fields &&
	       (!is_behind_proxy(l) || l->authentication.certificate_user == CERTIFICATE_USER_NONE);
}

static bool trusts_everybody(const struct conf_listener *l)
{
	return is_behind_proxy(l) && has_everybody(&l->trusted);
}

static bool assumes_from_anywhere(const struct conf_listener *l)
{
	return l->assume_user != NULL && has_everybody(&l->allow_from);
}

struct peer_rule {
	const char *key;
	bool (*is_broken)(const struct conf_listener *l);
	bool is_warning;
	const char *text;
	/* The key that is missing; where it has a value, what is wrong with that was said. NULL:
	 * none. */
	const char *missing;
};

static const struct peer_rule rules[] = {
    {"proxy_protocol", trusts_nobody, false,
     "proxy_protocol: required needs trusted: who may send a PROXY header can say that a client is "
     "anywhere; write the address of the proxy, trusted: [\"192.0.2.7\"], or on a unix socket the "
     "number of its user, trusted: [\"uid:998\"]",
     "trusted"},
    {"trusted", trusts_users_on_tcp, false,
     "uid: is for unix sockets: on TCP the user of a proxy is not known; write its address", NULL},
    {"trusted", trusts_networks_on_unix, false,
     "a unix socket has no addresses: write the number of the proxy's user, uid:998", NULL},
    {"allow_from", allows_addresses_on_unix, false,
     "a unix socket has no addresses: mode, owner and group say who may connect; remove "
     "allow_from, or set proxy_protocol: required where a proxy connects for others",
     NULL},
    {"peer_users", maps_the_proxy, false,
     "peer_users and proxy_protocol do not go together: the peer of each connection is the proxy; "
     "remove one of them",
     NULL},
    {"trust_tls_fields", believes_other_names, false,
     "a PROXY header has the common name of a certificate only: set certificate_user: cn for this "
     "listener, or remove trust_tls_fields",
     NULL},
    {"assume_user", assumes_for_everybody, false,
     "assume_user on TCP needs allow_from: each client that comes without a login is this user; "
     "name the addresses of the gateway, allow_from: [\"192.0.2.7\"]",
     "allow_from"},
    {"assume_user", assumes_for_unknown_peers, false,
     "assume_user and peer_users do not go together: a peer that peer_users does not name needs a "
     "password; give them a socket each",
     NULL},
    {"trusted", trusts_for_nothing, true,
     "trusted does nothing without proxy_protocol: required; add it, or remove trusted", NULL},
    {"trust_tls_fields", believes_for_nothing, true,
     "trust_tls_fields does nothing without proxy_protocol: required and certificate_user: cn; add "
     "them, or remove it",
     NULL},
    {"trusted", trusts_everybody, true,
     "trusted has all addresses: whoever can connect may say that a client is anywhere; name the "
     "proxies",
     NULL},
    {"allow_from", assumes_from_anywhere, true,
     "allow_from has all addresses: everybody who can connect is the user of assume_user; name the "
     "gateways",
     NULL},
};

static bool has_value(const struct yaml_node *node, const char *key)
{
	const struct yaml_node *value = key == NULL ? NULL : yaml_get(node, key);

	return value != NULL && !yaml_is_null(value);
}

void conf_check_peers(const struct conf_listener *l, const char *name, const struct yaml_node *node,
                      struct errors *errors)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct yaml_node *place = yaml_get(node, rules[i].key);

		if (place == NULL || has_value(node, rules[i].missing) || !rules[i].is_broken(l))
			continue;
		if (rules[i].is_warning)
			errors_warn(errors, name, place->line, place->column, "%s", rules[i].text);
		else
			errors_add(errors, name, place->line, place->column, "%s", rules[i].text);
	}
}
