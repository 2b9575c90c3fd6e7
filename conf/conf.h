/* The configuration: one schema table (conf/schema_table.c) is the source of parsing, ranges,
 * defaults,
 * --dump and the manual. A struct conf is immutable once built and freed by whoever built it.
 * Strings are NUL-terminated, paths absolute or relative to the working directory (already resolved
 * against the file's directory); NULL: left out, off.  Thread: built on main, read everywhere. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/log.h"
#include "conf/errors.h"

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
	char *certificate; /* PEM, leaf first, chain behind it */
	char *key;
	unsigned line, column;
};

struct conf_tls {
	struct conf_certificate *certificates;
	size_t certificate_count;
	unsigned min_version; /* 12 or 13 */
	enum conf_client_certificates client_certificates;
	char *client_ca;
	char *client_crl;
};

struct conf_authentication {
	bool anonymous;
	bool anonymous_sessions;
	enum conf_certificate_user certificate_user;
	enum conf_bind_client_id bind_client_id;
};

struct conf_limits {
	uint32_t connections; /* a listener that overrides it counts its own; the global one counts
	                         all */
	uint32_t max_packet_size;
	uint32_t max_connect_size;
	uint16_t receive_maximum;
	uint16_t topic_alias_maximum;
	uint8_t max_qos;
	bool retain_available;
	uint16_t max_keepalive_s; /* 0: the client's choice */
	uint32_t max_session_expiry_s;
	uint32_t queue_messages;
	uint64_t queue_bytes;
	uint32_t connect_timeout_ms;
	uint32_t unauthenticated;
	uint32_t subscriptions;
	uint32_t sessions_per_user;
	uint32_t topic_levels;
	uint32_t user_properties;
	uint32_t subscription_bytes;
	uint32_t message_rate;            /* PUBLISH packets a second; 0: any */
	uint32_t connections_per_address; /* 0: any */
	uint32_t connections_per_user;    /* 0: any */
};

/* Limits of what all clients share: not a listener's. */
struct conf_shared_limits {
	uint32_t retained_messages;
	uint32_t retained_per_user;
	uint64_t retained_bytes;
	uint64_t retained_bytes_per_user; /* CONF_SHARE_AUTO: a quarter of it; 0: any part */
	uint64_t memory_bytes;            /* 0: any */
	uint64_t memory_per_user;         /* as above */
	uint64_t store_per_user;          /* the same of persistence.max_size */
};
/* A user's share of something: a quarter of the whole. */
#define CONF_SHARE_AUTO UINT64_MAX

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
	struct conf_tls tls;    /* merged with the global one */
	struct conf_authentication authentication; /* likewise */
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
	struct conf_limits limits;
	struct conf_shared_limits shared;
	char *password_file;
	char *acl_file;
	enum conf_partial_subscriptions partial_subscriptions;
	char *persistence_directory;     /* NULL: nothing is kept over a restart */
	enum conf_durability durability; /* of what no row of persistence_topics matches */
	struct conf_durable_topic *persistence_topics;
	size_t persistence_topic_count;
	uint32_t persistence_interval_ms;
	uint64_t persistence_max_bytes; /* 0: no limit of ours */
	enum log_level log_level;
	bool log_json;
	char *log_audit;
	char *control_socket;
};

/* Parse and check the file by itself: syntax, keys, types, ranges, combinations (TCP needs
 * certificates, certificate_user needs client_certificates, ...) and who can change it
 * (base/trust.h). Files it names are judged by those who read them. NULL when there are
 * errors. */
struct conf *conf_load(const char *path, struct errors *errors);
struct conf *conf_parse(const char *name, struct slice bytes,
                        struct errors *errors); /* the same from memory: tests, fuzzing */
void conf_free(struct conf *conf);

/* The effective configuration as YAML, defaults filled in. The caller frees. */
char *conf_dump(const struct conf *conf);

/* The option section of broker.yaml(5) in mdoc, from the schema table. The caller frees. */
char *conf_manual(void);

/* Can nobody but those who are trusted (base/trust.h) make files in this directory, or put another
 * one in its place? It may be missing: it is made by whoever needs it. 0, or -errno with an error
 * that says the mode, the owner and what to run; `what` is "persistence.directory". */
int conf_check_directory(const char *path, const char *what, struct errors *errors);

#endif
