/* Every key of broker.yaml: good and bad values, both ends of its range.  That no key
 * lacks its rows is checked against the schema table. */
#include <inttypes.h>

#include "conf/conf_diff.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "conf/schema_field.h"
#include "conf/schema_section.h"
#include "conf/schema_table.h"
#include "conf/value.h"
#include "support.h"

struct row {
	const char *section, *key, *value;
	const char *want; /* as --dump shows it; NULL: refused */
};

#define NO_NUMBER(section, key)                                                                    \
	{section, key, "-1", NULL}, {section, key, "1.5", NULL}, {section, key, "1e3", NULL},      \
	    {section, key, "0x10", NULL}, {section, key, "010", NULL},                             \
	    {section, key, "many", NULL}, {section, key, "[1]", NULL},                             \
	    {section, key, "{a: 1}", NULL}, {section, key, "", NULL}, {section, key, "~", NULL},   \
	    {section, key, "18446744073709551617", NULL},                                          \
	{                                                                                          \
		section, key, "' 1'", NULL                                                         \
	}
#define NO_BOOL(section, key)                                                                      \
	{section, key, "yes", NULL}, {section, key, "True", NULL}, {section, key, "1", NULL},      \
	    {section, key, "", NULL},                                                              \
	{                                                                                          \
		section, key, "[true]", NULL                                                       \
	}
#define NO_PATH(section, key)                                                                      \
	{section, key, "''", NULL}, {section, key, "", NULL}, {section, key, "[a]", NULL},         \
	    {section, key, "\"a\\nb\"", NULL}, {section, key, "{a: b}", NULL},                     \
	    {section, key, "~", "null"}, {section, key, "a b.crt", "\"a b.crt\""},                 \
	{                                                                                          \
		section, key, "/x/y", "\"/x/y\""                                                   \
	}

static const struct row rows[] = {
    {"", "workers", "1", "1"},
    {"", "workers", "64", "64"},
    {"", "workers", "0", NULL},
    {"", "workers", "65", NULL},
    {"", "workers", "'7'", "7"},
    {"", "workers", "Auto", NULL},
    NO_NUMBER("", "workers"),
    {"", "user", "vakt", "\"vakt\""},
    {"", "user", "'994'", "\"994\""},
    {"", "user", "[a]", NULL},
    {"", "sandbox", "on", "on"},
    {"", "sandbox", "off", "off"},
    {"", "sandbox", "true", NULL},
    {"", "sandbox", "landlock", NULL},

    {"listeners", "protocol", "mqtt", "mqtt"},
    {"listeners", "protocol", "websocket", NULL},
    {"https", "protocol", "https", "https"},
    {"https", "serve", "[websocket, health]", "[websocket, health]"},
    {"https", "serve", "[health, websocket, health]", "[websocket, health]"},
    {"https", "serve", "websocket", "[websocket]"},
    {"https", "serve", "[publish]", "[publish]"},
    {"https", "serve", "[dashboard]", "[dashboard]"},
    {"https", "serve",
     "[metrics]"
     "\n    metrics: {token_file: t}",
     "[metrics]"},
    {"https", "serve", "[]", NULL},
    {"https", "serve", "[files]", NULL},
    {"https", "serve", "{health: 1}", NULL},
    {"https", "serve", "", NULL},
    {"https", "hsts", "off", "off"},
    {"https", "hsts", "0s", "0"},
    {"https", "hsts", "365d", "365d"},
    {"https", "hsts", "731d", NULL},
    {"https", "hsts", "3600", NULL},
    {"https", "hsts", "on", NULL},
    {"websocket", "paths", "[/a, /b/c]", "[\"/a\", \"/b/c\"]"},
    {"websocket", "paths", "/", "[\"/\"]"},
    {"websocket", "paths", "a", NULL},
    {"websocket", "paths", "//a", NULL},
    {"websocket", "paths", "/a/../b", NULL},
    {"websocket", "paths", "/a b", NULL},
    {"websocket", "paths", "/a?b", NULL},
    {"websocket", "paths", "[]", NULL},
    {"websocket", "paths", "[[/a]]", NULL},
    {"websocket", "origins", "any", "[\"any\"]"},
    {"websocket", "origins", "[same, \"https://a.example\"]", "[\"same\", \"https://a.example\"]"},
    {"websocket", "origins", "https://a.example:8443", "[\"https://a.example:8443\"]"},
    {"websocket", "origins", "https://a.example/", NULL},
    {"websocket", "origins", "https://A.example", NULL},
    {"websocket", "origins", "'*'", NULL},
    {"websocket", "origins", "https://*.example", NULL},
    {"websocket", "origins", "a.example", NULL},
    {"metrics", "path", "/m", "\"/m\""},
    {"metrics", "path", "m", NULL},
    {"metrics", "token_file", "/t", "\"/t\""},
    {"metrics", "token_file", "''", NULL},
    {"metrics", "allow_from", "10.0.0.0/8", "[\"10.0.0.0/8\"]"},
    {"metrics", "allow_from", "10.0.0.0/33", NULL},
    {"health", "path", "/up", "\"/up\""},
    {"health", "path", "up", NULL},
    {"dashboard", "path", "/ui/", "\"/ui/\""},
    {"dashboard", "path", "/ui", NULL},
    {"dashboard", "path", "//", NULL},
    {"dashboard", "directory", "/d", "\"/d\""},
    {"publish", "path", "/pub", "\"/pub\""},
    {"publish", "path", "pub", NULL},
    {"publish", "retained", "/last", "\"/last\""},
    {"publish", "retained", "last", NULL},
    {"publish", "events", "/e", "\"/e\""},
    {"publish", "events", "e", NULL},
    {"publish", "origins", "same", "[\"same\"]"},
    {"publish", "origins", "https://a.example", "[\"https://a.example\"]"},
    {"publish", "origins", "https://a.example/", NULL},
    {"listeners", "protocol", "", NULL},
    {"listeners", "mode", "0660", "\"0660\""},
    {"listeners", "mode", "\"0600\"", "\"0600\""},
    {"listeners", "mode", "777", "\"0777\""},
    {"listeners", "mode", "0000", "\"0000\""},
    {"listeners", "mode", "1777", NULL},
    {"listeners", "mode", "0668", NULL},
    {"listeners", "mode", "66", NULL},
    {"listeners", "mode", "00660", NULL},
    {"listeners", "mode", "rw-rw----", NULL},
    {"listeners", "mode", "[0660]", NULL},
    {"listeners", "mode", "", NULL},
    {"listeners", "mode", "0o660", NULL},
    {"listeners", "owner", "broker", "\"broker\""},
    {"listeners", "owner", "998", "\"998\""},
    {"listeners", "owner", "''", NULL},
    {"listeners", "owner", "~", "null"},
    {"listeners", "owner", "[a]", NULL},
    {"listeners", "server_reference", "other.example:8883", "\"other.example:8883\""},
    {"listeners", "server_reference", "", NULL},
    {"listeners", "server_moved", "true", "true"},
    {"listeners", "server_moved", "maybe", NULL},
    {"listeners", "group", "home auto", "\"home auto\""},
    {"listeners", "group", "\"a\\tb\"", NULL},
    {"listeners", "group", "", NULL},
    {"listeners", "group", "null", "null"},
    {"listeners", "group", "'null'", "\"null\""},

    {"listeners", "allow_from",
     "[10.0.0.0/8, \"2001:db8::/32\", 192.0.2.7]\n    proxy_protocol: required\n    trusted: uid:7",
     "[\"10.0.0.0/8\", \"2001:db8::/32\", \"192.0.2.7\"]"},
    {"listeners", "allow_from", "\"::1\"\n    proxy_protocol: required\n    trusted: uid:7",
     "[\"::1\"]"},
    {"listeners", "allow_from", "~", "null"},
    {"listeners", "allow_from", "", NULL},
    {"listeners", "allow_from", "[]", NULL},
    {"listeners", "allow_from", "[10.0.0.1/8]", NULL},
    {"listeners", "allow_from", "[uid:7]", NULL},
    {"listeners", "allow_from", "[localhost]", NULL},
    {"listeners", "allow_from", "[~]", NULL},
    {"listeners", "allow_from", "[[10.0.0.0/8]]", NULL},
    {"listeners", "allow_from", "{10.0.0.0/8: 1}", NULL},
    {"listeners", "allow_from", "10.0.0.0/8, 192.0.2.7", NULL},
    {"listeners", "proxy_protocol", "off", "off"},
    {"listeners", "proxy_protocol", "required\n    trusted: [uid:998]", "required"},
    {"listeners", "proxy_protocol", "optional", NULL},
    {"listeners", "proxy_protocol", "true", NULL},
    {"listeners", "proxy_protocol", "~", NULL},
    {"listeners", "trusted", "[uid:998, uid:0]\n    proxy_protocol: required",
     "[\"uid:998\", \"uid:0\"]"},
    {"listeners", "trusted", "uid:998\n    proxy_protocol: required", "[\"uid:998\"]"},
    {"listeners", "trusted", "~", "null"},
    {"listeners", "trusted", "[uid:65534]", NULL},
    {"listeners", "trusted", "[uid:4294967295]", NULL},
    {"listeners", "trusted", "[uid:-1]", NULL},
    {"listeners", "trusted", "[uid:07]", NULL},
    {"listeners", "trusted", "[uid:haproxy]", NULL},
    {"listeners", "trusted", "[gid:7]", NULL},
    {"listeners", "trusted", "[998]", NULL},
    {"listeners", "trusted", "[]", NULL},
    {"listeners", "trust_tls_fields", "true", "true"},
    {"listeners", "trust_tls_fields", "false", "false"},
    NO_BOOL("listeners", "trust_tls_fields"),

    {"listeners", "peer_users", "{1000: anna, gid:100: family}",
     "{1000: \"anna\", \"gid:100\": \"family\"}"},
    {"listeners", "peer_users", "{0: root}", "{0: \"root\"}"},
    {"listeners", "peer_users", "~", "null"},
    {"listeners", "peer_users", "{}", NULL},
    {"listeners", "peer_users", "", NULL},
    {"listeners", "peer_users", "anna", NULL},
    {"listeners", "peer_users", "[anna]", NULL},
    {"listeners", "peer_users", "{anna: anna}", NULL},
    {"listeners", "peer_users", "{uid:1000: anna}", NULL},
    {"listeners", "peer_users", "{-1: anna}", NULL},
    {"listeners", "peer_users", "{01: anna}", NULL},
    {"listeners", "peer_users", "{65534: anna}", NULL},
    {"listeners", "peer_users", "{gid:65534: anna}", NULL},
    {"listeners", "peer_users", "{4294967295: anna}", NULL},
    {"listeners", "peer_users", "{1000: ''}", NULL},
    {"listeners", "peer_users", "{1000: ~}", NULL},
    {"listeners", "peer_users", "{1000: [anna]}", NULL},
    {"listeners", "assume_user", "porch", "\"porch\""},
    {"listeners", "assume_user", "~", "null"},
    {"listeners", "assume_user", "", NULL},
    {"listeners", "assume_user", "[porch]", NULL},

    {"tls", "min_version", "1.2", "\"1.2\""},
    {"tls", "min_version", "\"1.3\"", "\"1.3\""},
    {"tls", "min_version", "1.1", NULL},
    {"tls", "min_version", "1.0", NULL},
    {"tls", "min_version", "SSLv3", NULL},
    {"tls", "min_version", "1", NULL},
    {"tls", "min_version", "13", NULL},
    {"tls", "client_certificates", "none", "none"},
    {"tls", "client_certificates", "optional\n  client_ca: ca.crt", "optional"},
    {"tls", "client_certificates", "required\n  client_ca: ca.crt", "required"},
    {"tls", "client_certificates", "true", NULL},
    {"tls", "client_certificates", "~", NULL},
    {"tls", "client_ca", "ca.crt", "\"ca.crt\""},
    NO_PATH("tls", "client_ca"),
    {"tls", "client_crl", "crl.pem", "\"crl.pem\""},
    NO_PATH("tls", "client_crl"),
    {"tls", "crl_expired", "refuse", "refuse"},
    {"tls", "crl_expired", "accept", "accept"},
    {"tls", "crl_expired", "ignore", NULL},
    {"tls", "crl_expired", "true", NULL},

    {"authentication", "anonymous", "true", "true"},
    {"authentication", "anonymous", "false", "false"},
    NO_BOOL("authentication", "anonymous"),
    {"authentication", "anonymous_sessions", "true", "true"},
    {"authentication", "anonymous_sessions", "false", "false"},
    NO_BOOL("authentication", "anonymous_sessions"),
    {"authentication", "password_file", "users.passwd", "\"users.passwd\""},
    NO_PATH("authentication", "password_file"),
    {"authentication", "certificate_user", "none", "none"},
    {"authentication", "certificate_user", "CN", NULL},
    {"authentication", "certificate_user", "san", NULL},
    {"authentication", "certificate_user", "[cn]", NULL},
    {"authentication", "login", "either", "either"},
    {"authentication", "login", "both", NULL},
    {"authentication", "login", "[either]", NULL},
    {"authentication", "bind_client_id", "none", "none"},
    {"authentication", "bind_client_id", "equal", "equal"},
    {"authentication", "bind_client_id", "prefix", "prefix"},
    {"authentication", "bind_client_id", "prefix_any", "prefix_any"},
    {"authentication", "bind_client_id", "prefix-any", NULL},
    {"authentication", "bind_client_id", "true", NULL},

    {"authorization", "acl_file", "acl.yaml", "\"acl.yaml\""},
    NO_PATH("authorization", "acl_file"),
    {"authorization", "partial_subscriptions", "refuse", "refuse"},
    {"authorization", "partial_subscriptions", "filter", "filter"},
    {"authorization", "partial_subscriptions", "allow", NULL},

    {"persistence", "directory", "store", "\"store\""},
    NO_PATH("persistence", "directory"),
    {"persistence", "durability", "ack", "ack"},
    {"persistence", "durability", "interval", "interval"},
    {"persistence", "durability", "none", "none"},
    {"persistence", "durability", "always", NULL},
    {"persistence", "durability", "true", NULL},
    {"persistence", "durability", "", NULL},
    {"persistence", "interval", "10ms", "10ms"},
    {"persistence", "interval", "10m", "10m"},
    {"persistence", "interval", "9ms", NULL},
    {"persistence", "interval", "601s", NULL},
    {"persistence", "interval", "0", NULL},
    {"persistence", "interval", "5", NULL},
    NO_NUMBER("persistence", "interval"),
    {"persistence", "max_size", "0", "0"},
    {"persistence", "max_size", "1M", "1M"},
    {"persistence", "max_size", "1048575", NULL},
    {"persistence", "max_size", "16384G", "16384G"},
    {"persistence", "max_size", "16385G", NULL},
    NO_NUMBER("persistence", "max_size"),

    {"limits", "connections", "1", "1"},
    {"limits", "connections", "1000000", "1000000"},
    {"limits", "connections", "0", NULL},
    {"limits", "connections", "1000001", NULL},
    {"limits", "connections", "10k", NULL},
    NO_NUMBER("limits", "connections"),
    {"limits", "max_packet_size", "1k\n  max_connect_size: 1k", "1k"},
    {"limits", "max_packet_size", "256M\n  queue_bytes: 1G", "256M"},
    {"limits", "max_packet_size", "1023", NULL},
    {"limits", "max_packet_size", "257M", NULL},
    {"limits", "max_packet_size", "1048576", "1M"},
    {"limits", "max_packet_size", "100001", "100001"},
    {"limits", "max_packet_size", "2m", NULL},
    {"limits", "max_packet_size", "2MB", NULL},
    {"limits", "max_packet_size", "2 M", NULL},
    {"limits", "max_packet_size", "99999999999G", NULL},
    NO_NUMBER("limits", "max_packet_size"),
    {"limits", "max_connect_size", "256", "256"},
    {"limits", "max_connect_size", "2M", "2M"},
    {"limits", "max_connect_size", "255", NULL},
    {"limits", "max_connect_size", "256M\n  max_packet_size: 256M\n  queue_bytes: 256M", "256M"},
    {"limits", "max_connect_size", "257M", NULL},
    NO_NUMBER("limits", "max_connect_size"),
    {"limits", "max_packet_size_enforcement", "lenient", "lenient"},
    {"limits", "max_packet_size_enforcement", "strict", "strict"},
    {"limits", "max_packet_size_enforcement", "loose", NULL},
    {"limits", "receive_maximum", "1", "1"},
    {"limits", "receive_maximum", "65535", "65535"},
    {"limits", "receive_maximum", "0", NULL},
    {"limits", "receive_maximum", "65536", NULL},
    NO_NUMBER("limits", "receive_maximum"),
    {"limits", "receive_maximum_enforcement", "lenient", "lenient"},
    {"limits", "receive_maximum_enforcement", "strict", "strict"},
    {"limits", "receive_maximum_enforcement", "loose", NULL},
    {"limits", "topic_alias_maximum", "0", "0"},
    {"limits", "topic_alias_maximum", "65535", "65535"},
    {"limits", "topic_alias_maximum", "65536", NULL},
    NO_NUMBER("limits", "topic_alias_maximum"),
    {"limits", "max_qos", "0", "0"},
    {"limits", "max_qos", "2", "2"},
    {"limits", "max_qos", "3", NULL},
    {"limits", "max_qos", "258", NULL},
    NO_NUMBER("limits", "max_qos"),
    {"limits", "retain_available", "false", "false"},
    {"limits", "retain_available", "true", "true"},
    NO_BOOL("limits", "retain_available"),
    {"limits", "max_keepalive", "0", "0"},
    {"limits", "max_keepalive", "65535s", "65535s"},
    {"limits", "max_keepalive", "90s", "90s"},
    {"limits", "max_keepalive", "120s", "2m"},
    {"limits", "max_keepalive", "65536s", NULL},
    {"limits", "max_keepalive", "1500ms", NULL},
    {"limits", "max_keepalive", "2000ms", "2s"},
    {"limits", "max_keepalive", "60", NULL},
    {"limits", "max_keepalive", "19h", NULL},
    NO_NUMBER("limits", "max_keepalive"),
    {"limits", "max_session_expiry", "0", "0"},
    {"limits", "max_session_expiry", "36500d", "36500d"},
    {"limits", "max_session_expiry", "36501d", NULL},
    {"limits", "max_session_expiry", "36h", "36h"},
    {"limits", "max_session_expiry", "1w", NULL},
    {"limits", "max_session_expiry", "999999999999999999d", NULL},
    NO_NUMBER("limits", "max_session_expiry"),
    {"limits", "queue_messages", "1", "1"},
    {"limits", "queue_messages", "10000000", "10000000"},
    {"limits", "queue_messages", "0", NULL},
    {"limits", "queue_messages", "10000001", NULL},
    NO_NUMBER("limits", "queue_messages"),
    {"limits", "queue_bytes", "1k\n  max_packet_size: 1k\n  max_connect_size: 1k", "1k"},
    {"limits", "queue_bytes", "64G", "64G"},
    {"limits", "queue_bytes", "65G", NULL},
    {"limits", "queue_bytes", "1023", NULL},
    NO_NUMBER("limits", "queue_bytes"),
    {"limits", "connect_timeout", "100ms", "100ms"},
    {"limits", "connect_timeout", "10m", "10m"},
    {"limits", "connect_timeout", "99ms", NULL},
    {"limits", "connect_timeout", "601s", NULL},
    {"limits", "connect_timeout", "0", NULL},
    {"limits", "connect_timeout", "10", NULL},
    {"limits", "connect_timeout", "1500ms", "1500ms"},
    {"limits", "connect_timeout", "10 s", NULL},
    NO_NUMBER("limits", "connect_timeout"),
    {"limits", "unauthenticated", "1", "1"},
    {"limits", "unauthenticated", "1000000", "1000000"},
    {"limits", "unauthenticated", "0", NULL},
    {"limits", "unauthenticated", "1000001", NULL},
    NO_NUMBER("limits", "unauthenticated"),
    {"limits", "subscriptions", "1", "1"},
    {"limits", "subscriptions", "1000000", "1000000"},
    {"limits", "subscriptions", "0", NULL},
    {"limits", "subscriptions", "1000001", NULL},
    NO_NUMBER("limits", "subscriptions"),
    {"limits", "sessions_per_user", "0", "0"},
    {"limits", "sessions_per_user", "1000000", "1000000"},
    {"limits", "sessions_per_user", "1000001", NULL},
    NO_NUMBER("limits", "sessions_per_user"),
    {"limits", "topic_levels", "1", "1"},
    {"limits", "topic_levels", "1024", "1024"},
    {"limits", "topic_levels", "0", NULL},
    {"limits", "topic_levels", "1025", NULL},
    NO_NUMBER("limits", "topic_levels"),
    {"limits", "user_properties", "0", "0"},
    {"limits", "user_properties", "10000", "10000"},
    {"limits", "user_properties", "10001", NULL},
    NO_NUMBER("limits", "user_properties"),
    {"limits", "connections_per_address", "0", "0"},
    {"limits", "connections_per_address", "1000000", "1000000"},
    {"limits", "connections_per_address", "1000001", NULL},
    {"limits", "connections_per_address", "10k", NULL},
    NO_NUMBER("limits", "connections_per_address"),
    {"limits", "connections_per_user", "0", "0"},
    {"limits", "connections_per_user", "1000000", "1000000"},
    {"limits", "connections_per_user", "1000001", NULL},
    NO_NUMBER("limits", "connections_per_user"),
    {"limits", "message_rate", "0", "0"},
    {"limits", "message_rate", "1000000", "1000000"},
    {"limits", "message_rate", "1000001", NULL},
    {"limits", "message_rate", "10/s", NULL},
    NO_NUMBER("limits", "message_rate"),
    {"limits", "byte_rate", "0", "0"},
    {"limits", "byte_rate", "1k", "1k"},
    {"limits", "byte_rate", "1023", NULL},
    {"limits", "byte_rate", "1G", "1G"},
    {"limits", "byte_rate", "1073741825", NULL},
    {"limits", "byte_rate", "10/s", NULL},
    {"limits", "retained_messages", "1", "1"},
    {"limits", "retained_messages", "100000000", "100000000"},
    {"limits", "retained_messages", "0", NULL},
    {"limits", "retained_messages", "100000001", NULL},
    NO_NUMBER("limits", "retained_messages"),
    {"limits", "retained_per_user", "1", "1"},
    {"limits", "retained_per_user", "100000000", "100000000"},
    {"limits", "retained_per_user", "0", NULL},
    {"limits", "retained_per_user", "100000001", NULL},
    NO_NUMBER("limits", "retained_per_user"),
    {"limits", "retained_bytes", "1k", "1k"},
    {"limits", "retained_bytes", "1024G", "1024G"},
    {"limits", "retained_bytes", "1023", NULL},
    {"limits", "retained_bytes", "1025G", NULL},
    NO_NUMBER("limits", "retained_bytes"),
    {"limits", "memory", "0", "0"},
    {"limits", "memory", "1024G", "1024G"},
    {"limits", "memory", "1025G", NULL},
    {"limits", "memory", "1G5", NULL},
    NO_NUMBER("limits", "memory"),
    {"limits", "memory_per_user", "auto", "auto"},
    {"limits", "memory_per_user", "0", "0"},
    {"limits", "memory_per_user", "3M", "3M"},
    {"limits", "memory_per_user", "1025G", NULL},
    {"limits", "memory_per_user", "half", NULL},
    {"limits", "store_per_user", "auto", "auto"},
    {"limits", "store_per_user", "0", "0"},
    {"limits", "store_per_user", "1025G", NULL},
    {"limits", "retained_bytes_per_user", "auto", "auto"},
    {"limits", "retained_bytes_per_user", "0", "0"},
    {"limits", "retained_bytes_per_user", "1024G", "1024G"},
    {"limits", "retained_bytes_per_user", "1025G", NULL},
    {"limits", "subscription_bytes", "1k", "1k"},
    {"limits", "subscription_bytes", "1G", "1G"},
    {"limits", "subscription_bytes", "1023", NULL},
    {"limits", "subscription_bytes", "2G", NULL},
    NO_NUMBER("limits", "subscription_bytes"),

    {"log", "level", "error", "error"},
    {"log", "level", "warning", "warning"},
    {"log", "level", "info", "info"},
    {"log", "level", "debug", "debug"},
    {"log", "level", "warn", NULL},
    {"log", "level", "3", NULL},
    {"log", "areas", "[store=debug, handshake-failed=error]",
     "[\"store=debug\", \"handshake-failed=error\"]"},
    {"log", "areas", "[]", NULL},
    {"log", "areas", "[store]", NULL},
    {"log", "areas", "[store=loud]", NULL},
    {"log", "format", "text", "text"},
    {"log", "format", "json", "json"},
    {"log", "format", "xml", NULL},
    {"log", "trace", "lamp", "\"lamp\""},
    {"log", "trace", "anna@house.example", "\"anna@house.example\""},
    {"log", "trace", "", NULL},
    {"log", "trace", "[lamp]", NULL},
    {"log", "audit", "audit.log", "\"audit.log\""},
    NO_PATH("log", "audit"),

    {"audit", "file", "audit.jsonl", "\"audit.jsonl\""},
    NO_PATH("audit", "file"),
    {"audit", "key", "audit.key", "\"audit.key\""},
    NO_PATH("audit", "key"),

    {"control", "socket", "control.sock", "\"control.sock\""},
    NO_PATH("control", "socket"),
};

/* Keys of a listener with protocol: https, "https" for those outside of a section. */
static bool is_https(const struct row *row)
{
	static const char *const sections[] = {"https",  "websocket", "metrics",
	                                       "health", "dashboard", "publish"};

	for (size_t i = 0; i < ROWS(sections); i++) {
		if (strcmp(row->section, sections[i]) == 0)
			return true;
	}
	return false;
}

static char *https_file(const struct row *row, const char *lines)
{
	bool serve = strcmp(row->key, "serve") == 0, protocol = strcmp(row->key, "protocol") == 0;

	return xasprintf("listeners:\n  - bind: \"[::]:8884\"\n%s%s%s" TLS,
	                 protocol ? "" : "    protocol: https\n",
	                 serve ? "" : "    serve: [websocket, health, publish]\n", lines);
}

static char *file_around_https(const struct row *row)
{
	bool inner = strcmp(row->section, "https") != 0;
	char *lines =
	    xasprintf("%s%s%s%s%s: %s\n", inner ? "    " : "", inner ? row->section : "",
	              inner ? ":\n" : "", inner ? "      " : "    ", row->key, row->value);
	char *text = https_file(row, lines);

	free(lines);
	return text;
}

/* A whole file around one line. */
static char *file_around(const struct row *row)
{
	if (is_https(row))
		return file_around_https(row);
	if (row->section[0] == '\0')
		return xasprintf("%s: %s\n" LISTENERS TLS, row->key, row->value);
	if (strcmp(row->section, "listeners") == 0)
		return xasprintf("listeners:\n  - bind: unix:/run/x.sock\n    %s: %s\n", row->key,
		                 row->value);
	if (strcmp(row->section, "tls") == 0)
		return xasprintf(LISTENERS TLS "  %s: %s\n", row->key, row->value);
	return xasprintf(LISTENERS TLS "%s:\n  %s: %s\n", row->section, row->key, row->value);
}

/* The dumped line of the key, in its section. */
static bool dump_has(const char *dump, const struct row *row)
{
	bool root = row->section[0] == '\0', https = strcmp(row->section, "https") == 0;
	bool listener = strcmp(row->section, "listeners") == 0 || https;
	char *head = xasprintf("%s:\n", https ? "listeners" : row->section);
	char *line = xasprintf("%s%s: %s\n",
	                       root            ? ""
	                       : listener      ? "    "
	                       : is_https(row) ? "      "
	                                       : "  ",
	                       row->key, row->want);
	const char *section = root ? dump : strstr(dump, head);
	bool found = section != NULL && strstr(section, line) != NULL;

	free(head);
	free(line);
	return found;
}

static void check_row(const struct row *row)
{
	char *text = file_around(row);
	struct errors e = {0};
	struct conf *conf = conf_parse("broker.yaml", slice_of_str(text), &e);
	char *wrong = errors_text(&e);
	char *dump = conf == NULL ? xstrdup("") : conf_dump(conf);

	if (row->want != NULL
	        ? conf == NULL || !dump_has(dump, row)
	        : conf != NULL || e.error_count != 1 || strstr(wrong, row->key) == NULL)
		fail_msg("%s\n%s%s", text, wrong, dump);
	free(text);
	free(wrong);
	free(dump);
	conf_free(conf);
	errors_fini(&e);
}

static void values_of_every_key_are_taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		check_row(&rows[i]);
}

struct seen_change {
	size_t count;
	char *text; /* "limits.max_qos: 2 -> 1;", one after the other */
};

static void on_change(void *arg, const struct conf_change *change)
{
	struct seen_change *seen = arg;

	char *before = seen->text;

	seen->count++;
	seen->text =
	    xasprintf("%s%s%s%s: %s -> %s;", before == NULL ? "" : before, change->name,
	              change->bind == NULL ? "" : " of ", change->bind == NULL ? "" : change->bind,
	              change->before, change->after);
	free(before);
}

static char *default_of(const struct row *row)
{
	/* Without serve the file has an error. */
	if (is_https(row) && strcmp(row->key, "serve") == 0)
		return xstrdup("listeners:\n  - bind: \"[::]:8884\"\n    protocol: https\n"
		               "    serve: [dashboard, publish]\n" TLS);
	if (is_https(row) && strcmp(row->key, "protocol") == 0)
		return xstrdup("listeners:\n  - bind: \"[::]:8884\"\n" TLS);
	if (is_https(row))
		return https_file(row, "");
	if (strcmp(row->section, "listeners") == 0)
		return xstrdup("listeners:\n  - bind: unix:/run/x.sock\n");
	return xstrdup(LISTENERS TLS);
}

/* Between the file without the line and the file with it. */
static void check_change(const struct row *row)
{
	bool root = row->section[0] == '\0', listener = strcmp(row->section, "listeners") == 0;
	char *without = default_of(row), *with = file_around(row);
	struct errors e = {0};
	struct conf *before = conf_parse("f", slice_of_str(without), &e);
	struct conf *after = conf_parse("f", slice_of_str(with), &e);
	bool bare = root || listener || strcmp(row->section, "https") == 0;
	char *head = xasprintf("%s%s%s%s: ", bare ? "" : row->section, bare ? "" : ".", row->key,
	                       listener        ? " of unix:/run/x.sock"
	                       : is_https(row) ? " of [::]:8884"
	                                       : "");
	char *dumps[] = {conf_dump(before), conf_dump(after)};
	bool same = strcmp(dumps[0], dumps[1]) == 0; /* the default, asked for */
	struct seen_change seen = {0};

	conf_diff(before, after, on_change, &seen);
	if ((seen.count == 0) != same ||
	    (seen.count > 1 && strchr(row->value, '\n') == NULL &&
	     strcmp(row->key, "protocol") != 0) || /* it needs another key */
	    (!same && (strstr(seen.text, head) == NULL || strstr(seen.text, row->want) == NULL)))
		fail_msg("%s%zu changes, %s", with, seen.count, seen.text);
	free(seen.text);
	free(dumps[0]);
	free(dumps[1]);
	free(head);
	free(with);
	free(without);
	conf_free(before);
	conf_free(after);
	errors_fini(&e);
}

static void change_of_every_key_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (rows[i].want != NULL)
			check_change(&rows[i]);
	}
}

/* bind, certificates and their keys have tests of their own. */
static bool is_tested_elsewhere(const struct schema_section *section, const struct schema_key *key)
{
	return strcmp(section->name, "certificates") == 0 || key->kind == SCHEMA_MAPPING ||
	       key->kind == SCHEMA_LIST || key->kind == SCHEMA_BIND ||
	       (key->flags & KEY_REQUIRED) != 0;
}

static void every_key_has_rows_in_this_test(void **state)
{
	(void)state;
	for (size_t s = 0; s < schema_section_count; s++) {
		const struct schema_section *section = schema_sections[s];

		for (size_t k = 0; k < section->count; k++) {
			const struct schema_key *key = &section->keys[k];
			size_t good = 0, bad = 0;

			for (size_t i = 0; i < ROWS(rows); i++) {
				bool same = strcmp(rows[i].key, key->name) == 0;

				good += same && rows[i].want != NULL ? 1 : 0;
				bad += same && rows[i].want == NULL ? 1 : 0;
			}
			if (!is_tested_elsewhere(section, key) && (good == 0 || bad == 0))
				fail_msg("%s.%s", section->name, key->name);
		}
	}
}

static void check_key(const struct schema_key *key)
{
	uint64_t room = key->width >= 8 ? UINT64_MAX : ((uint64_t)1 << (key->width * 8)) - 1;
	bool number = key->kind == SCHEMA_INTEGER || key->kind == SCHEMA_SIZE ||
	              key->kind == SCHEMA_SECONDS || key->kind == SCHEMA_MILLISECONDS ||
	              key->kind == SCHEMA_MODE;

	assert_non_null(key->help);
	assert_int_equal(key->help[strlen(key->help) - 1], '.');
	assert_true(!number || (key->max > key->min && key->max <= room));
	assert_true((key->flags & KEY_GLOBAL) == 0 || key->hint != NULL);
	assert_true((key->section != NULL) ==
	            (key->kind == SCHEMA_MAPPING || key->kind == SCHEMA_LIST));
	assert_true((key->word_count > 0) || key->kind != SCHEMA_ENUM);
	/* what is neither required nor has a default can be off */
	assert_true(key->default_text != NULL || key->kind == SCHEMA_PATH ||
	            key->kind == SCHEMA_NETWORKS || key->kind == SCHEMA_SENDERS ||
	            key->kind == SCHEMA_PEER_USERS || key->kind == SCHEMA_STRING ||
	            key->kind == SCHEMA_FLAGS || key->kind == SCHEMA_STRINGS ||
	            key->kind == SCHEMA_MAPPING || key->kind == SCHEMA_LIST ||
	            (key->flags & KEY_REQUIRED) != 0);
}

static void schema_table_is_consistent(void **state)
{
	(void)state;
	for (size_t s = 0; s < schema_section_count; s++)
		for (size_t k = 0; k < schema_sections[s]->count; k++)
			check_key(&schema_sections[s]->keys[k]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_of_every_key_are_taken_or_refused),
	    cmocka_unit_test(change_of_every_key_is_told),
	    cmocka_unit_test(every_key_has_rows_in_this_test),
	    cmocka_unit_test(schema_table_is_consistent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
