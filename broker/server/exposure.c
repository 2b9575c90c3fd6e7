/* A line for each listener, then persistence, memory, and how many users and rules there are. */
#include "server/exposure.h"

#include <string.h>

#include "base/array.h"
#include "client/conn_memory.h"

#define USERS_SHOWN 10

static const char *reach_of(const struct conf_listener *l)
{
	if (strcmp(l->host, "::") == 0 || strcmp(l->host, "0.0.0.0") == 0)
		return "anywhere";
	if (strcmp(l->host, "::1") == 0 || strncmp(l->host, "127.", 4) == 0)
		return "this machine";
	return l->host;
}

static void put_means(struct buf *out, const struct config_snapshot *p,
                      const struct conf_listener *l)
{
	bool names = l->authentication.certificate_user != CERTIFICATE_USER_NONE;
	bool by_proxy = l->is_unix && l->trust_tls_fields && names;
	const char *means = identity_source_means(p->identities);

	if (l->authentication.login == LOGIN_DEMANDS_BOTH) {
		if (l->is_unix && !by_proxy)
			buf_printf(out, "nobody can log in with a user name (login: "
			                "certificate_and_password, and a Unix socket has no "
			                "certificates)");
		else
			buf_printf(out,
			           by_proxy ? "certificate at the proxy and %s"
			                    : "certificate and %s",
			           means == NULL ? "password" : means);
		return;
	}
	if (l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED) {
		buf_printf(out, "certificate");
		if (!names && means != NULL)
			buf_printf(out, " and %s", means);
	} else if (by_proxy ||
	           (l->tls.client_certificates == CLIENT_CERTIFICATES_OPTIONAL && names)) {
		if (means != NULL)
			buf_printf(out, "%s or ", means);
		buf_printf(out, by_proxy ? "certificate at the proxy" : "certificate");
	} else if (means != NULL) {
		buf_printf(out, "%s", means);
	} else {
		buf_printf(out, "nobody can log in with a user name (no %s)",
		           identity_source_keys());
	}
}

static void put_list(struct buf *out, const struct conf_peers *peers)
{
	char text[CIDR_TEXT];

	for (size_t i = 0; i < peers->count; i++) {
		const struct conf_peer *peer = &peers->items[i];

		buf_printf(out, i == 0 ? " " : ", ");
		if (peer->kind == CONF_PEER_NETWORK)
			buf_put(out, text, cidr_text(&peer->network, text, sizeof(text)));
		else
			buf_printf(out, "uid %u", peer->id);
	}
}

/* Whom a client can be who needs no password of the broker's. */
static void put_users(struct buf *out, const struct identity_source *source)
{
	size_t count = identity_source_count(source), left = 0;
	const char *separator = " ";

	if (!identity_source_exists(source)) {
		buf_printf(out, " any user");
		return;
	}
	for (size_t i = 0, shown = 0; i < count; i++) {
		struct identity_entry user;

		identity_source_at(source, i, &user);
		if (user.locked || user.assumed)
			continue;
		if (shown++ < USERS_SHOWN) {
			buf_printf(out, "%s%s", separator, user.name);
			separator = ", ";
		} else {
			left++;
		}
	}
	if (left > 0)
		buf_printf(out, " and %zu more", left);
}

/* From where clients may come, and who is believed about them. */
static void put_peers(struct buf *out, const struct config_snapshot *p,
                      const struct conf_listener *l)
{
	if (l->allow_from.count > 0) {
		buf_printf(out, "; only from");
		put_list(out, &l->allow_from);
	}
	if (l->proxy_protocol != PROXY_PROTOCOL_REQUIRED)
		return;
	buf_printf(out, "; only by a proxy, which may name any address:");
	put_list(out, &l->trusted);
	if (l->trust_tls_fields && l->authentication.certificate_user == CERTIFICATE_USER_CN) {
		/* mutant: whom_a_proxy_may_become */
		buf_printf(out, "; it may become");
		put_users(out, p->identities);
	}
}

/* Who comes in without a login, and as whom. */
static void put_without_login(struct buf *out, const struct conf_listener *l)
{
	for (size_t i = 0; i < l->peer_users.count; i++) {
		const struct conf_peer_user *peer = &l->peer_users.items[i];

		buf_printf(out, "%s%s %u is %s", i == 0 ? "; without password: " : ", ",
		           peer->peer.kind == CONF_PEER_UID ? "uid" : "gid", peer->peer.id,
		           peer->user);
	}
	/* mutant: check_names_assumed_users */
	if (l->assume_user != NULL)
		buf_printf(out, "; everybody without login: %s", l->assume_user);
	else if (l->peer_users.count == 0)
		buf_printf(out, "; anonymous: %s", l->authentication.anonymous ? "yes" : "no");
}

static void put_persistence(struct buf *out, const struct conf *conf)
{
	if (conf->persistence_directory == NULL) {
		buf_printf(out, "nothing is stored (no persistence.directory)\n");
		return;
	}
	buf_printf(out, "stored in %s: ", conf->persistence_directory);
	if (conf->durability == DURABILITY_ACK)
		buf_printf(out, "sessions, and each message before it is acknowledged");
	else if (conf->durability == DURABILITY_INTERVAL)
		buf_printf(out, "sessions, and messages within %u ms",
		           conf->persistence_interval_ms);
	else
		buf_printf(out, "sessions, no messages");
	if (conf->persistence_topic_count > 0)
		buf_printf(out, "; persistence.topics changes this for %zu %s",
		           conf->persistence_topic_count,
		           conf->persistence_topic_count == 1 ? "filter" : "filters");
	buf_printf(out, "\n");
}

static void put_size(struct buf *out, uint64_t bytes)
{
	const uint64_t mega = (uint64_t)1 << 20;

	if (bytes >= mega << 10)
		buf_printf(out, "%.1fG", (double)bytes / (double)(mega << 10));
	else
		buf_printf(out, "%.1fM", (double)bytes / (double)mega);
}

/* What clients may make the process take, all together: what is counted, and what is not. */
static void put_memory(struct buf *out, const struct conf *conf)
{
	uint64_t connections = (uint64_t)conf->limits.connections + conf->limits.unauthenticated;
	uint64_t fixed = connections * CONN_FIXED_BYTES;

	buf_printf(out, "memory: ");
	if (conf->shared.memory_bytes == 0) {
		buf_printf(out, "any (limits.memory is 0), and ");
	} else {
		buf_printf(out, "at most ");
		put_size(out, conf->shared.memory_bytes + fixed);
		buf_printf(out, ": ");
		put_size(out, conf->shared.memory_bytes);
		buf_printf(out, " for data of clients (limits.memory), and ");
	}
	put_size(out, fixed);
	buf_printf(out,
	           " for the fixed part of %llu connections (limits.connections, "
	           "limits.unauthenticated), %zuk each; about 20k while one is idle\n",
	           (unsigned long long)connections, CONN_FIXED_BYTES >> 10);
}

/* What a listener with protocol: https serves, and where. */
static void put_services(struct buf *out, const struct conf_listener *l)
{
	static const struct {
		unsigned service;
		const char *text;
	} rows[] = {
	    {CONF_SERVICE_WEBSOCKET, "MQTT over WebSocket"},
	    {CONF_SERVICE_METRICS, "metrics"},
	    {CONF_SERVICE_HEALTH, "health, without a login"},
	    {CONF_SERVICE_PUBLISH, "publishing and reading by HTTP"},
	};
	const char *separator = "; over HTTPS: ";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((l->serve & rows[i].service) == 0)
			continue;
		buf_printf(out, "%s%s", separator, rows[i].text);
		separator = ", ";
	}
}

char *exposure_text(const struct config_snapshot *p)
{
	struct buf out = {0};

	for (size_t i = 0; i < p->conf->listener_count; i++) {
		const struct conf_listener *l = &p->conf->listeners[i];

		if (l->is_unix)
			buf_printf(&out, "%s (mode %04o) from this machine: ", l->bind, l->mode);
		else
			buf_printf(&out, "%u%s from %s: ", l->port, l->has_tls ? "/TLS" : "",
			           reach_of(l));
		put_means(&out, p, l);
		put_without_login(&out, l);
		put_services(&out, l);
		put_peers(&out, p, l);
		buf_put_u8(&out, '\n');
	}
	put_persistence(&out, p->conf);
	put_memory(&out, p->conf);
	buf_printf(&out, "%zu users, %zu roles, %zu rules", identity_source_count(p->identities),
	           acl_role_count(p->acl), acl_rule_count(p->acl));
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}
