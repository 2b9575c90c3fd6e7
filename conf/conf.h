/* The configuration: one schema table (conf/schema_table.c) is the source of parsing, ranges,
 * defaults, --dump and the manual. A struct conf is immutable once built and freed by whoever built
 * it. Strings are NUL-terminated, paths absolute or relative to the working directory (already
 * resolved against the file's directory); NULL: left out, off.  Thread: built on main, read
 * everywhere. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/log.h"

enum conf_client_certificates {
	CLIENT_CERTIFICATES_NONE,
	CLIENT_CERTIFICATES_OPTIONAL,
	CLIENT_CERTIFICATES_REQUIRED,
};

enum conf_certificate_user {
	CERTIFICATE_USER_NONE,
	CERTIFICATE_USER_CN,
	CERTIFICATE_USER_SAN_DNS,
	CERTIFICATE_USER_SAN_URI,
	CERTIFICATE_USER_SAN_EMAIL,
};

enum conf_bind_client_id {
	BIND_CLIENT_ID_NONE,
	BIND_CLIENT_ID_EQUAL,
	BIND_CLIENT_ID_PREFIX,     /* the name ends where it ends in the client id */
	BIND_CLIENT_ID_PREFIX_ANY, /* whatever follows the name */
};

enum conf_partial_subscriptions {
	PARTIAL_SUBSCRIPTIONS_REFUSE,
	PARTIAL_SUBSCRIPTIONS_FILTER,
};

enum conf_protocol {
#define PROTOCOL(id, name, wrap) CONF_PROTOCOL_##id,
#include "conf/protocols.def"
#undef PROTOCOL
};

/* What happens to a client that exceeds what CONNACK allows it. */
enum conf_enforcement {
	ENFORCEMENT_LENIENT,
	ENFORCEMENT_STRICT,
};

/* What an acknowledgement of the broker says about its disk. */
enum conf_durability {
	DURABILITY_ACK,      /* acknowledged means on disk */
	DURABILITY_INTERVAL, /* on disk after persistence_interval_ms at the latest */
	DURABILITY_NONE,     /* not kept over a restart */
};

/* Messages of these topics; the first one whose filter matches decides. */
struct conf_durable_topic {
	char *filter; /* valid, never $share/... */
	enum conf_durability durability;
};

struct conf_certificate {
	char *certificate; /* PEM, leaf first, chain after it */
	char *key;
	char *ocsp_response; /* DER; NULL: none */
	unsigned line, column;
};

/* What becomes of logins by certificate when the revocation list has expired. */
enum conf_sandbox {
	CONF_SANDBOX_ON,
	CONF_SANDBOX_OFF,
};

enum conf_crl_expired {
	CRL_EXPIRED_REFUSE,
	CRL_EXPIRED_ACCEPT,
};

struct conf_tls {
	struct conf_certificate *certificates;
	size_t certificate_count;
	unsigned min_version; /* 12 or 13 */
	enum conf_client_certificates client_certificates;
	char *client_ca;
	char *client_crl;
	enum conf_crl_expired crl_expired;
};

/* What a user has to show. */
enum conf_login {
	/* A certificate that names the user, or else the password. */
	LOGIN_DEMANDS_EITHER,
	/* Both, SCRAM counts as password. */
	LOGIN_DEMANDS_BOTH,
};

struct conf_authentication {
	bool anonymous;
	bool anonymous_sessions;
	enum conf_certificate_user certificate_user;
	enum conf_login login;
	enum conf_bind_client_id bind_client_id;
};

struct conf_authorization {
	enum conf_partial_subscriptions partial_subscriptions;
};

#define LIMIT(type, member, ...) type member;
#define SHARED_LIMIT(...)
struct conf_limits {
#include "conf/limits.def"
};
#undef LIMIT
#undef SHARED_LIMIT

/* Limits of what all clients share: not a listener's. */
#define LIMIT(...)
#define SHARED_LIMIT(type, member, ...) type member;
struct conf_shared_limits {
#include "conf/limits.def"
};
#undef LIMIT
#undef SHARED_LIMIT

/* A user's share of something: a quarter of the whole. */
#define CONF_SHARE_AUTO UINT64_MAX

/* A peer by its address, or of a Unix socket by the ids of its process. */
enum conf_peer_kind {
	CONF_PEER_NETWORK,
	CONF_PEER_UID,
	CONF_PEER_GID,
};

struct conf_peer {
	enum conf_peer_kind kind;
	uint32_t id;
	struct cidr network;
};

struct conf_peers {
	struct conf_peer *items;
	size_t count;
};

struct conf_peer_user {
	struct conf_peer peer;
	char *user;
};

struct conf_peer_users {
	struct conf_peer_user *items;
	size_t count;
};

enum conf_proxy_protocol {
	PROXY_PROTOCOL_OFF,
	PROXY_PROTOCOL_REQUIRED,
};

/* A list of texts. */
struct conf_strings {
	char **items;
	size_t count;
};

/* What a listener with protocol: https serves: bits. */
enum conf_service {
#define SERVICE(id, name, bit) CONF_SERVICE_##id = 1u << (bit),
#include "conf/services.def"
#undef SERVICE
};

struct conf_websocket {
	struct conf_strings paths;
	/* "same", "any", or an origin. */
	struct conf_strings origins;
};

struct conf_metrics {
	char *path;
	char *token_file;
	struct conf_peers allow_from;
};

struct conf_health {
	char *path;
};

struct conf_publish {
	char *path, *retained_path, *events_path;
	/* "same", "any", or an origin. */
	struct conf_strings origins;
};

struct conf_dashboard {
	char *path, *directory;
};

/* hsts: off. */
#define CONF_HSTS_OFF UINT32_MAX

struct conf_listener {
	char *bind; /* "[::]:8883", "unix:/run/broker/broker.sock" (path resolved) */
	enum conf_protocol protocol;
	bool is_unix;
	bool has_tls; /* each TCP listener */
	char *host;   /* "::", "127.0.0.1"; numeric */
	uint16_t port;
	char *path;    /* unix */
	unsigned mode; /* unix, default 0660 */
	char *owner;   /* unix: user name or number; NULL: leave */
	char *group;
	char *server_reference; /* clients are sent there instead of being accepted; NULL: they are
	                           accepted */
	bool server_moved;      /* for good (0x9D), or for now (0x9C) */
	bool trust_tls_fields;  /* unix: a PROXY header is believed about certificates */
	enum conf_proxy_protocol proxy_protocol;
	struct conf_peers trusted;         /* who may send a PROXY header */
	struct conf_peers allow_from;      /* empty: everybody */
	struct conf_peer_users peer_users; /* unix */
	char *assume_user; /* who clients without login are; NULL: anonymous, or refused */
	unsigned serve;    /* enum conf_service bits; 0 unless protocol is https */
	uint32_t hsts_s;   /* CONF_HSTS_OFF, or for how long */
	struct conf_websocket websocket;
	struct conf_metrics metrics;
	struct conf_health health;
	struct conf_dashboard dashboard;
	struct conf_publish publish;
	struct conf_tls tls;                       /* merged with the global one */
	struct conf_authentication authentication; /* likewise */
	struct conf_authorization authorization;   /* likewise */
	struct conf_limits limits;                 /* likewise */
	bool own_connections;                      /* limits.connections was overridden here */
	unsigned line, column;
};

struct conf {
	char *path;       /* of the file itself */
	unsigned workers; /* 1..64, `auto` already resolved */
	struct conf_listener *listeners;
	size_t listener_count; /* at least one */
	struct conf_tls tls;
	struct conf_authentication authentication;
	struct conf_authorization authorization;
	struct conf_limits limits;
	struct conf_shared_limits shared;
	/* Paths: at most one is set. */
#define IDENTITY_SOURCE(key, backend, help) char *key;
#include "conf/identity_sources.def"
#undef IDENTITY_SOURCE
	char *acl_file;
	char *persistence_directory;     /* NULL: nothing is kept over a restart */
	enum conf_durability durability; /* of what no row of persistence_topics matches */
	struct conf_durable_topic *persistence_topics;
	size_t persistence_topic_count;
	uint32_t persistence_interval_ms;
	uint64_t persistence_max_bytes; /* 0: no limit of ours */
	enum log_level log_level;
	bool log_json;
	struct conf_strings log_areas;
	char *log_trace; /* NULL: all */
	char *log_audit;
	/* Both or none: the chained audit. */
	char *audit_file, *audit_key;
	char *control_socket;
	char *user; /* NULL: it stays who it is */
	enum conf_sandbox sandbox;
};

#endif
