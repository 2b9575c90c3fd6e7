/* The table of broker.yaml's keys, one row a key.  A new key is a new row and a field.  Thread:
 * any; constant. */
#include "conf/schema_table.h"

#include "base/array.h"
#include "base/log_area.h"
#include "conf/conf_check_https.h"

#define AT(type, field) .offset = offsetof(type, field), .width = sizeof(((type *)NULL)->field)
#define PLACE(type)                                                                                \
	.has_place = true, .line_offset = offsetof(type, line),                                    \
	.column_offset = offsetof(type, column)
#define WORDS(table)         .words = (table), .word_count = ARRAY_LEN(table)
#define INHERITS(field)      .inherits = true, .inherit_offset = offsetof(struct conf, field)
#define LISTENER_FLAG(field) .given_offset = offsetof(struct conf_listener, field)
#define SECTION(table)       .keys = (table), .count = ARRAY_LEN(table)

static const struct schema_word worker_words[] = {{"auto", 0}};
static const struct schema_word share_words[] = {{"auto", CONF_SHARE_AUTO}};
static const struct schema_word protocol_words[] = {
#define PROTOCOL(id, name, wrap) {name, CONF_PROTOCOL_##id},
#include "conf/protocols.def"
#undef PROTOCOL
};
static const struct schema_word proxy_words[] = {
    {"off", PROXY_PROTOCOL_OFF},
    {"required", PROXY_PROTOCOL_REQUIRED},
};
static const struct schema_word service_words[] = {
#define SERVICE(id, name, bit) {name, CONF_SERVICE_##id},
#include "conf/services.def"
#undef SERVICE
};
static const struct schema_word hsts_words[] = {{"off", CONF_HSTS_OFF}};
static const struct schema_word version_words[] = {{"1.2", 12}, {"1.3", 13}};
static const struct schema_word client_certificate_words[] = {
    {"none", CLIENT_CERTIFICATES_NONE},
    {"optional", CLIENT_CERTIFICATES_OPTIONAL},
    {"required", CLIENT_CERTIFICATES_REQUIRED},
};
static const struct schema_word crl_expired_words[] = {
    {"refuse", CRL_EXPIRED_REFUSE},
    {"accept", CRL_EXPIRED_ACCEPT},
};
static const struct schema_word sandbox_words[] = {
    {"on", CONF_SANDBOX_ON},
    {"off", CONF_SANDBOX_OFF},
};
static const struct schema_word certificate_user_words[] = {
    {"none", CERTIFICATE_USER_NONE},           {"cn", CERTIFICATE_USER_CN},
    {"san_dns", CERTIFICATE_USER_SAN_DNS},     {"san_uri", CERTIFICATE_USER_SAN_URI},
    {"san_email", CERTIFICATE_USER_SAN_EMAIL},
};
static const struct schema_word login_words[] = {
    {"either", LOGIN_DEMANDS_EITHER},
    {"certificate_and_password", LOGIN_DEMANDS_BOTH},
};
static const struct schema_word bind_client_id_words[] = {
    {"none", BIND_CLIENT_ID_NONE},
    {"equal", BIND_CLIENT_ID_EQUAL},
    {"prefix", BIND_CLIENT_ID_PREFIX},
    {"prefix_any", BIND_CLIENT_ID_PREFIX_ANY},
};
static const struct schema_word partial_words[] = {
    {"refuse", PARTIAL_SUBSCRIPTIONS_REFUSE},
    {"filter", PARTIAL_SUBSCRIPTIONS_FILTER},
};
static const struct schema_word enforcement_words[] = {
    {"lenient", ENFORCEMENT_LENIENT},
    {"strict", ENFORCEMENT_STRICT},
};
static const struct schema_word level_words[] = {
    {"error", LOG_LEVEL_ERROR},
    {"warning", LOG_LEVEL_WARNING},
    {"info", LOG_LEVEL_INFO},
    {"debug", LOG_LEVEL_DEBUG},
};
static const struct schema_word durability_words[] = {
    {"ack", DURABILITY_ACK},
    {"interval", DURABILITY_INTERVAL},
    {"none", DURABILITY_NONE},
};
static const struct schema_word format_words[] = {{"text", false}, {"json", true}};

static const struct schema_key certificate_keys[] = {
    {"certificate", SCHEMA_PATH, KEY_REQUIRED, AT(struct conf_certificate, certificate),
     .help = "PEM file with the server's certificate first, followed by the chain to the CA, "
             "without the root."},
    {"key", SCHEMA_PATH, KEY_REQUIRED, AT(struct conf_certificate, key),
     .help = "PEM file with the private key. It must not be readable by others."},
    {"ocsp_response", SCHEMA_PATH, 0, AT(struct conf_certificate, ocsp_response),
     .help = "DER file with an OCSP response about the certificate, as openssl-ocsp(1) writes it "
             "with -respout. Clients that ask for it get it (OCSP stapling). The broker fetches "
             "none: whoever renews the file is noticed, and the log warns of one that has ended. A "
             "response that has ended, or is about another certificate, is not sent; nor is that "
             "of a missing file, with a warning."},
};
static const struct schema_section certificate_section = {
    "certificates",
    SECTION(certificate_keys),
    sizeof(struct conf_certificate),
    PLACE(struct conf_certificate),
    "Each item is a certificate and its key. RSA and ECDSA certificates can be used side by side: "
    "each client gets one that it supports. With certificates for several names, the server name "
    "of the client (SNI) selects one.",
};

static const struct schema_key tls_keys[] = {
    {"certificates", SCHEMA_LIST, 0, .offset = offsetof(struct conf_tls, certificates),
     .count_offset = offsetof(struct conf_tls, certificate_count), .min = 1, .max = 16,
     .section = &certificate_section,
     .help = "The server's certificates. Every TCP listener needs at least one."},
    {"min_version", SCHEMA_ENUM, 0, AT(struct conf_tls, min_version), .default_text = "1.2",
     WORDS(version_words), .hint = "versions older than TLS 1.2 are insecure and cannot be enabled",
     .help = "The oldest version of TLS that is accepted."},
    {"client_certificates", SCHEMA_ENUM, 0, AT(struct conf_tls, client_certificates),
     .default_text = "none", WORDS(client_certificate_words),
     .help = "Whether clients are asked for a certificate, and whether they must have one. Needs "
             "client_ca."},
    {"client_ca", SCHEMA_PATH, 0, AT(struct conf_tls, client_ca),
     .help = "PEM or DER file with the CAs that sign client certificates. The system's CAs are "
             "never used "
             "for clients."},
    {"client_crl", SCHEMA_PATH, 0, AT(struct conf_tls, client_crl),
     .help = "PEM or DER file with the revocation lists of the client CAs. The log warns of their "
             "end from seven days before, of lists for less than 14 days from the half of their "
             "time."},
    {"crl_expired", SCHEMA_ENUM, 0, AT(struct conf_tls, crl_expired), .default_text = "refuse",
     WORDS(crl_expired_words),
     .help = "What happens when a revocation list has expired. refuse: no certificate of its CA "
             "logs in until it is renewed; who is connected and is not on the list stays, at a "
             "reload too. accept: the list counts as it is, so that who is on it is refused, and "
             "who was revoked since is not."},
};
static const struct schema_section tls_section = {
    "tls",
    SECTION(tls_keys),
    sizeof(struct conf_tls),
    .help = "TLS of all TCP listeners. There are no TCP listeners without TLS.",
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a designator */
#define IDENTITY_SOURCE(key, backend, words)                                                       \
	{.name = #key,                                                                             \
	 .kind = SCHEMA_PATH,                                                                      \
	 .flags = KEY_GLOBAL,                                                                      \
	 AT(struct conf, key),                                                                     \
	 .hint = "a user is the same on all listeners; set it in authentication: at the top "      \
	         "level",                                                                          \
	 .help = words},
/* NOLINTEND(bugprone-macro-parentheses) */
static const struct schema_key authentication_keys[] = {
    {"anonymous", SCHEMA_BOOL, 0, AT(struct conf_authentication, anonymous),
     .default_text = "false", .help = "Whether clients may connect without a user name."},
    {"anonymous_sessions", SCHEMA_BOOL, 0, AT(struct conf_authentication, anonymous_sessions),
     .default_text = "false",
     .help = "Whether the sessions of anonymous clients continue after they disconnect. All "
             "anonymous clients share one name space of client ids."},
#include "conf/identity_sources.def"
    {"certificate_user", SCHEMA_ENUM, 0, AT(struct conf_authentication, certificate_user),
     .default_text = "none", WORDS(certificate_user_words),
     .help = "The part of a client certificate that names the user. Needs client_certificates "
             "other than none. A user who is pinned to keys (broker-passwd(1), pin) logs in only "
             "with a certificate that has one of these keys."},
    {"login", SCHEMA_ENUM, 0, AT(struct conf_authentication, login), .default_text = "either",
     WORDS(login_words),
     .help =
         "What a user has to show. either: a certificate that names the user is enough, and a "
         "password beside it is ignored; without one the password decides. "
         "certificate_and_password: a certificate that names the user, and the user's "
         "password too; SCRAM counts as password, and so does HTTP's. Needs client_certificates "
         "other than none, certificate_user and password_file. A Unix socket has no "
         "certificates, so nobody can log in there with a user name. Clients without a user "
         "name are not concerned."},
    {"bind_client_id", SCHEMA_ENUM, 0, AT(struct conf_authentication, bind_client_id),
     .default_text = "none", WORDS(bind_client_id_words),
     .help = "Binds the client id to the user name. equal: the id is the name. prefix: the id is "
             "the name, or the name followed by an ASCII character that is neither a letter nor a "
             "digit: user al can be al-lamp, but not alice-lamp. prefix_any: the id begins with "
             "the name. With equal and prefix, a client without an id is refused, because the "
             "assigned id is not the user's. Anonymous clients can have any id."},
};
#undef IDENTITY_SOURCE
static const struct schema_section authentication_section = {
    "authentication",
    SECTION(authentication_keys),
    sizeof(struct conf_authentication),
    .help = "Who may connect, and how clients authenticate.",
};

static const struct schema_key authorization_keys[] = {
    {"acl_file", SCHEMA_PATH, KEY_GLOBAL, AT(struct conf, acl_file),
     .hint = "the rules are the same on all listeners; set it in authorization: at the top level",
     .help = "The access rules, see acl.yaml(5). Without it everything is denied."},
    {"partial_subscriptions", SCHEMA_ENUM, 0, AT(struct conf_authorization, partial_subscriptions),
     .default_text = "refuse", WORDS(partial_words),
     .help = "What happens to a subscription that is permitted only in part. refuse: it is "
             "refused. filter: it is granted, and only permitted messages are delivered, for "
             "example to an application that subscribes to # and shows what it gets. What is left "
             "out is counted, not logged as a warning. A user or a role can say it for itself in "
             "acl.yaml(5), which comes first."},
};
static const struct schema_section authorization_section = {
    "authorization",
    SECTION(authorization_keys),
    sizeof(struct conf_authorization),
    .help = "What connected clients may do.",
};

static const struct schema_key durable_topic_keys[] = {
    {"filter", SCHEMA_FILTER, KEY_REQUIRED, AT(struct conf_durable_topic, filter),
     .help = "The filter of the topics."},
    {"durability", SCHEMA_ENUM, KEY_REQUIRED, AT(struct conf_durable_topic, durability),
     WORDS(durability_words), .help = "The durability of these topics, as above."},
};
static const struct schema_section durable_topic_section = {
    "topics",
    SECTION(durable_topic_keys),
    sizeof(struct conf_durable_topic),
    .help = "Each item sets the durability of some topics: a sensor that reports every minute "
	    "needs less than a command.",
};

static const struct schema_key persistence_keys[] = {
    {"directory", SCHEMA_PATH, KEY_DIRECTORY | KEY_RESTART, AT(struct conf, persistence_directory),
     .help = "Where sessions, queues and retained messages are stored. The directory is created "
             "with mode 0700 if it is missing, and refused if others may write it. Its content is "
             "not encrypted. A change takes effect at the next start."},
    {"durability", SCHEMA_ENUM, 0, AT(struct conf, durability), .default_text = "ack",
     WORDS(durability_words),
     .help = "When a message is stored. ack: before it is acknowledged, so that neither a crash "
             "nor a power cut loses it. interval: it is acknowledged at once and stored after the "
             "interval; a crash loses at most the messages of one interval. none: messages are not "
             "stored; sessions and their subscriptions are."},
    {"interval", SCHEMA_MILLISECONDS, KEY_RESTART, AT(struct conf, persistence_interval_ms),
     .min = 10, .max = 600000, .default_text = "1s",
     .help = "The longest time after which data that nothing waits for is written: messages with "
             "durability interval, and small changes such as the end of a delivery. A change takes "
             "effect at the next start."},
    {"max_size", SCHEMA_SIZE, KEY_RESTART, AT(struct conf, persistence_max_bytes), .min = 0,
     .max = (uint64_t)16 << 40, .default_text = "8G",
     .help = "The maximum size of the store's file, at least 1M; 0 means no limit but the "
             "machine's. An eighth of it, at most 4M, is reserved for deliveries from queues. A "
             "change takes effect at the next start."},
    {"topics", SCHEMA_LIST, 0, .offset = offsetof(struct conf, persistence_topics),
     .count_offset = offsetof(struct conf, persistence_topic_count), .min = 1, .max = 256,
     .section = &durable_topic_section,
     .help = "The durability of some topics; the first item whose filter matches decides."},
};
static const struct schema_section persistence_section = {
    "persistence",
    SECTION(persistence_keys),
    sizeof(struct conf),
    .help = "What survives a restart. Without a directory, nothing does.",
};

/* NOLINTBEGIN(bugprone-macro-parentheses): names of members, and designators */
#define LIMIT(type, member, key, value_kind, least, most, default_value, extra, words)             \
	{.name = key,                                                                              \
	 .kind = SCHEMA_##value_kind,                                                              \
	 AT(struct conf_limits, member),                                                           \
	 .min = (least),                                                                           \
	 .max = (most),                                                                            \
	 .default_text = default_value,                                                            \
	 extra,                                                                                    \
	 .help = words},
#define SHARED_LIMIT(type, member, key, value_kind, least, most, default_value, extra, words)      \
	{.name = key,                                                                              \
	 .kind = SCHEMA_##value_kind,                                                              \
	 .flags = KEY_GLOBAL,                                                                      \
	 AT(struct conf, shared.member),                                                           \
	 .min = (least),                                                                           \
	 .max = (most),                                                                            \
	 .default_text = default_value,                                                            \
	 extra,                                                                                    \
	 .hint = "it limits what all clients share; set it in limits: at the top level",           \
	 .help = words},
#define NO_EXTRA .words = NULL
/* NOLINTEND(bugprone-macro-parentheses) */
static const struct schema_key limits_keys[] = {
#include "conf/limits.def"
};
#undef LIMIT
#undef SHARED_LIMIT
static const struct schema_section limits_section = {
    "limits",
    SECTION(limits_keys),
    sizeof(struct conf_limits),
    .help = "What one client, or all clients together, can use. What exceeds a limit is refused "
	    "before memory is allocated for it.",
};

static const struct schema_key log_keys[] = {
    {"level", SCHEMA_ENUM, 0, AT(struct conf, log_level), .default_text = "info",
     WORDS(level_words), .help = "The least important events that are logged."},
    {"areas", SCHEMA_STRINGS, 0, AT(struct conf, log_areas), .min = 1, .max = 64,
     .items = "areas with their level, like [store=debug, handshake-failed=error]",
     .item_wrong = log_area_wrong,
     .help = "Other levels for parts of the log. An area is how the names of events begin, up to a "
             "hyphen: store is store-full and store-failed. The longest one counts. A reload "
             "puts them in force."},
    {"format", SCHEMA_ENUM, 0, AT(struct conf, log_json), .default_text = "text",
     WORDS(format_words), .help = "key=value pairs (logfmt), or JSON; one line for each event."},
    {"trace", SCHEMA_STRING, 0, AT(struct conf, log_trace),
     .help =
         "A client id or a user name. With level: debug, packets and decisions of its clients are "
         "logged, and not of all."},
    {"audit", SCHEMA_PATH, KEY_RESTART, AT(struct conf, log_audit),
     .help = "A file for the events that matter to security, whatever the level is. SIGUSR1 "
             "reopens it after rotation."},
};
static const struct schema_key audit_keys[] = {
    {"file", SCHEMA_PATH, KEY_RESTART, AT(struct conf, audit_file),
     .help = "The audit file: one line of JSON for each event that matters to security, whatever "
             "log.level is. SIGUSR1 begins a new one after the old one was moved away; the chain "
             "goes on there."},
    {"key", SCHEMA_PATH, KEY_RESTART, AT(struct conf, audit_key),
     .help = "The key of the chain, which nobody else may read. It is made at the first start, or "
             "by broker-audit key. Whoever has it can forge the audit: copy it to where the audit "
             "is verified, and nowhere else."},
};
static const struct schema_section audit_section = {
    "audit",
    SECTION(audit_keys),
    sizeof(struct conf),
    .help = "A record that cannot be changed unnoticed: each line is bound to the one before by an "
	    "HMAC-SHA-256, and broker-audit(1) finds what was changed, deleted, moved or cut off. "
	    "Without the section there is none. Both keys are needed.",
};
static const struct schema_section log_section = {
    "log",
    SECTION(log_keys),
    sizeof(struct conf),
    .help = "The log is written to standard error. The broker does not wait for whoever reads it: "
	    "lines that are not taken are dropped, counted and reported as log-dropped.",
};

static const struct schema_key control_keys[] = {
    {"socket", SCHEMA_PATH, KEY_RESTART, AT(struct conf, control_socket),
     .help =
         "A Unix socket for broker-ctl(1). It has mode 0600 and belongs to the broker's user; its "
         "directory must not be writable by others. A change takes effect at the next start."},
};
static const struct schema_section control_section = {
    "control",
    SECTION(control_keys),
    sizeof(struct conf),
    .help = "Inspection and control of a running broker.",
};

static const struct schema_key websocket_keys[] = {
    {"paths", SCHEMA_STRINGS, 0, AT(struct conf_websocket, paths), .min = 1, .max = 16,
     .default_text = "/mqtt, /", .items = "paths of URLs, like [\"/mqtt\"]",
     .item_wrong = conf_path_wrong,
     .help = "Where MQTT over WebSocket is served: a client connects to wss://HOST:PORT and one "
             "of these paths. A request for / that does not ask for WebSocket is not meant."},
    {"origins", SCHEMA_STRINGS, 0, AT(struct conf_websocket, origins), .min = 1, .max = 64,
     .default_text = "same", .items = "origins, like [same, \"https://home.example\"]",
     .item_wrong = conf_origin_wrong,
     .help = "The pages from which a browser may connect. same: those that have the host and port "
             "of this listener. any: all pages; a page that a user happens to open can then use "
             "what the broker gives to the browser without asking, a client certificate for "
             "example. Programs send no Origin, and are always allowed."},
};
static const struct schema_section websocket_section = {
    "websocket",
    SECTION(websocket_keys),
    sizeof(struct conf_websocket),
    .help = "MQTT over WebSocket, where serve lists websocket.",
};

static const struct schema_key metrics_keys[] = {
    {"path", SCHEMA_STRING, 0, AT(struct conf_metrics, path), .default_text = "/metrics",
     .item_wrong = conf_path_wrong, .help = "Where metrics are served."},
    {"token_file", SCHEMA_PATH, 0, AT(struct conf_metrics, token_file),
     .help =
         "A file with a token in one line, of 16 characters or more ('openssl rand -hex 24' makes "
         "one). Who sends it as a bearer token can read the metrics. It must not be readable by "
         "others. A changed file is noticed as certificates are."},
    {"allow_from", SCHEMA_NETWORKS, 0, AT(struct conf_metrics, allow_from), .min = 1, .max = 256,
     .help = "The addresses that read the metrics without a token. Without it there are none."},
};
static const struct schema_section metrics_section = {
    "metrics",
    SECTION(metrics_keys),
    sizeof(struct conf_metrics),
    .help = "Metrics, where serve lists metrics.",
};

static const struct schema_key health_keys[] = {
    {"path", SCHEMA_STRING, 0, AT(struct conf_health, path), .default_text = "/health",
     .item_wrong = conf_path_wrong,
     .help = "Where the health of the broker is served: status 200 while it accepts clients and "
             "can acknowledge what they publish, else 503 with the reason. Everybody can read it."},
};
static const struct schema_section health_section = {
    "health",
    SECTION(health_keys),
    sizeof(struct conf_health),
    .help = "The health of the broker, where serve lists health.",
};

static const struct schema_key dashboard_keys[] = {
    {"path", SCHEMA_STRING, 0, AT(struct conf_dashboard, path), .default_text = "/",
     .item_wrong = conf_folder_wrong,
     .help = "Where the dashboard is served; it ends with a slash. The page connects to the path "
             "mqtt below it, /mqtt: it must be one of websocket.paths."},
    {"directory", SCHEMA_PATH, KEY_DIRECTORY, AT(struct conf_dashboard, directory),
     .default_text = VAKT_DASHBOARD,
     .help =
         "The folder of its files. They are read at start and reload; a reload shows new ones."},
};
static const struct schema_section dashboard_section = {
    "dashboard",
    SECTION(dashboard_keys),
    sizeof(struct conf_dashboard),
    .help = "The dashboard, where serve lists dashboard.",
};

static const struct schema_key publish_keys[] = {
    {"path", SCHEMA_STRING, 0, AT(struct conf_publish, path), .default_text = "/publish",
     .item_wrong = conf_path_wrong,
     .help = "POST to this path and /TOPIC publishes the body. ?qos= is 0, 1 or 2 (default 0), "
             "?retain= true or false (default false). The answer comes after the acknowledgement."},
    {"retained", SCHEMA_STRING, 0, AT(struct conf_publish, retained_path),
     .default_text = "/retained", .item_wrong = conf_path_wrong,
     .help = "GET of this path and /TOPIC reads the retained message of the topic."},
    {"events", SCHEMA_STRING, 0, AT(struct conf_publish, events_path), .default_text = "/events",
     .item_wrong = conf_path_wrong,
     .help = "GET of this path with ?filter= subscribes: server-sent events, each with a line of "
             "JSON."},
    {"origins", SCHEMA_STRINGS, 0, AT(struct conf_publish, origins), .min = 1, .max = 64,
     .default_text = "same", .items = "origins, like [same, \"https://home.example\"]",
     .item_wrong = conf_origin_wrong,
     .help = "The pages from which a browser may ask. same: those that have the host and port of "
             "this listener. An origin that is listed may also read the answers (CORS, without "
             "preflight). any: all pages; each can then publish with the name and password or the "
             "certificate that the browser has. Programs send no Origin, and are always allowed."},
};
static const struct schema_section publish_section = {
    "publish",
    SECTION(publish_keys),
    sizeof(struct conf_publish),
    .help = "Publishing and reading by HTTP, where serve lists publish.",
};

static const struct schema_key listener_keys[] = {
    {"bind", SCHEMA_BIND, KEY_REQUIRED, .offset = 0, .width = sizeof(struct conf_listener),
     .help = "A numeric address with a port, or unix: with the path of a socket. [::] also accepts "
             "IPv4; port 0 selects a free port."},
    {"protocol", SCHEMA_ENUM, 0, AT(struct conf_listener, protocol), .default_text = "mqtt",
     WORDS(protocol_words),
     .hint = "MQTT over WebSocket is protocol: https with serve: [websocket]",
     .help = "The protocol of this listener. mqtt: MQTT packets, over TLS or on a Unix socket. "
             "https: HTTP over TLS, for MQTT over WebSocket and what else serve lists."},
    {"serve", SCHEMA_FLAGS, KEY_HTTPS, AT(struct conf_listener, serve), .min = 1,
     .max = ARRAY_LEN(service_words), WORDS(service_words),
     .help =
         "What a listener with protocol: https serves; nothing else is. websocket: MQTT over "
         "WebSocket. metrics: figures for Prometheus. health: whether the broker works. "
         "dashboard: a page that shows the broker, for users whom the rules let ask "
         "(CONTROL TOPICS in broker(8)). publish: publishing and reading by HTTP. Required there."},
    {"websocket", SCHEMA_MAPPING, KEY_HTTPS, .offset = offsetof(struct conf_listener, websocket),
     .section = &websocket_section, .help = "Settings of MQTT over WebSocket."},
    {"metrics", SCHEMA_MAPPING, KEY_HTTPS, .offset = offsetof(struct conf_listener, metrics),
     .section = &metrics_section, .help = "Settings of the metrics."},
    {"health", SCHEMA_MAPPING, KEY_HTTPS, .offset = offsetof(struct conf_listener, health),
     .section = &health_section, .help = "Settings of the health check."},
    {"dashboard", SCHEMA_MAPPING, KEY_HTTPS, .offset = offsetof(struct conf_listener, dashboard),
     .section = &dashboard_section, .help = "Settings of the dashboard."},
    {"publish", SCHEMA_MAPPING, KEY_HTTPS, .offset = offsetof(struct conf_listener, publish),
     .section = &publish_section, .help = "Settings of publishing and reading by HTTP."},
    {"hsts", SCHEMA_SECONDS, KEY_HTTPS, AT(struct conf_listener, hsts_s), .min = 0,
     .max = UINT64_C(2) * 365 * 86400, .default_text = "off", WORDS(hsts_words),
     .help = "HTTP Strict Transport Security: for how long a browser uses no plain HTTP for this "
             "host name. It applies to all ports of the name, also to other programs there. 0s "
             "makes browsers forget what they were told."},
    {"mode", SCHEMA_MODE, KEY_UNIX, AT(struct conf_listener, mode), .min = 0, .max = 0777,
     .default_text = "0660",
     .help = "Mode of the Unix socket: who may connect. Login and rules are the same as on other "
             "listeners."},
    {"owner", SCHEMA_STRING, KEY_UNIX, AT(struct conf_listener, owner),
     .help = "Owner of the Unix socket, a user name or number."},
    {"group", SCHEMA_STRING, KEY_UNIX, AT(struct conf_listener, group),
     .help = "Group of the Unix socket, a name or number."},
    {"allow_from", SCHEMA_NETWORKS, 0, AT(struct conf_listener, allow_from), .min = 1, .max = 256,
     .help =
         "The addresses from which clients may connect. Connections of others are closed before "
         "TLS, counted and logged. Behind a proxy the address counts that its PROXY header "
         "names. IPv4 and IPv6 are written separately: ::/0 has no IPv4 address. Without it "
         "all addresses may connect. A reload also closes clients that are connected from "
         "elsewhere."},
    {"proxy_protocol", SCHEMA_ENUM, 0, AT(struct conf_listener, proxy_protocol),
     .default_text = "off", WORDS(proxy_words),
     .help =
         "required: each connection begins with a PROXY header of version 1 or 2, which a proxy "
         "such as HAProxy or nginx in TCP mode sends before the bytes of the client. The "
         "address in it is the client's, for limits, log, audit and allow_from. Connections "
         "without a valid header are closed. TLS of a TCP listener is with the client, never "
         "with the proxy. Needs trusted. A change applies to new connections."},
    {"trusted", SCHEMA_SENDERS, 0, AT(struct conf_listener, trusted), .min = 1, .max = 64,
     .help = "Who may send PROXY headers: addresses or networks of proxies, on a Unix socket the "
             "numbers of their users. Connections of others are closed. Whoever is trusted can "
             "name any address; trust users that run nothing but the proxy. A reload also closes "
             "clients that came by a proxy which is not trusted any more."},
    {"trust_tls_fields", SCHEMA_BOOL, KEY_UNIX, AT(struct conf_listener, trust_tls_fields),
     .default_text = "false",
     .help =
         "Whether a PROXY header of version 2 is believed what it says of the client's "
         "certificate, where the proxy ends TLS: its common name, with certificate_user: cn, is "
         "the user. The proxy then verifies certificates and their revocation; the broker's "
         "own client_ca and client_crl count for nothing here. A certificate that the proxy "
         "could not verify is refused. The user of the proxy can become any user of the "
         "broker, which broker --check says. On TCP it does not exist, because any user of the "
         "machine could send such a header from the loopback address."},
    {"peer_users", SCHEMA_PEER_USERS, KEY_UNIX, AT(struct conf_listener, peer_users), .min = 1,
     .max = 256,
     .help = "Users of the machine who need no password: the numbers of users, or gid: with the "
             "number of a primary group, and the users of the broker who they are, for example "
             "{1000: anna, gid:100: family}. The user of the machine counts before the group. The "
             "rules of that user apply as always. A CONNECT that names another user is refused. "
             "Other peers need a password, even with anonymous: true."},
    {"assume_user", SCHEMA_STRING, 0, AT(struct conf_listener, assume_user),
     .help =
         "The user who clients without login are, in place of anonymous: for a gateway in front "
         "of devices that know neither TLS nor passwords. It must have been added by "
         "broker-passwd add --assumed, and cannot log in otherwise. It counts as anonymous for "
         "desired_topics and anonymous_sessions. A client that sends a user name, or a "
         "certificate that names one, logs in as that, and a login that fails is refused. Only "
         "on Unix sockets, or with allow_from."},
    {"server_reference", SCHEMA_STRING, 0, AT(struct conf_listener, server_reference),
     .help = "Refuse clients and refer them to this server, for example \"other.example:8883\": "
             "MQTT 5.0 clients are told, older ones are refused."},
    {"server_moved", SCHEMA_BOOL, 0, AT(struct conf_listener, server_moved),
     .default_text = "false",
     .help =
         "Whether server_reference is permanent (Server moved) or temporary (Use another server)."},
    {"tls", SCHEMA_MAPPING, KEY_TCP, .offset = offsetof(struct conf_listener, tls), INHERITS(tls),
     .section = &tls_section, .help = "Overrides tls: for this listener, key by key."},
    {"authentication", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf_listener, authentication),
     INHERITS(authentication), .section = &authentication_section,
     .help = "Overrides authentication: for this listener, key by key; password_file cannot be "
             "overridden."},
    {"authorization", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf_listener, authorization),
     INHERITS(authorization), .section = &authorization_section,
     .help = "Overrides authorization: for this listener, key by key; acl_file cannot be "
             "overridden."},
    {"limits", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf_listener, limits),
     INHERITS(limits), .section = &limits_section,
     .help = "Overrides limits: for this listener, key by key."},
};
const struct schema_section schema_listener = {
    "listeners",
    SECTION(listener_keys),
    sizeof(struct conf_listener),
    PLACE(struct conf_listener),
    "Each item is an address or a socket where clients can connect.",
};

static const struct schema_key root_keys[] = {
    {"workers", SCHEMA_INTEGER, KEY_RESTART, AT(struct conf, workers), .min = 1, .max = 64,
     .default_text = "auto", WORDS(worker_words),
     .help = "Threads that serve clients; auto means one for each core, at most 64."},
    {"listeners", SCHEMA_LIST, KEY_REQUIRED | KEY_LAST, .offset = offsetof(struct conf, listeners),
     .count_offset = offsetof(struct conf, listener_count), .min = 1, .max = 64,
     .section = &schema_listener, .hint = "for example: listeners: [{bind: \"[::]:8883\"}]",
     .help = "Where clients can connect."},
    {"tls", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, tls), .section = &tls_section,
     .help = "Certificates of the server and of clients."},
    {"authentication", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, authentication),
     .section = &authentication_section, .help = "Who may connect."},
    {"authorization", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, authorization),
     .section = &authorization_section, .help = "Who may do what."},
    {"persistence", SCHEMA_MAPPING, 0, .offset = 0, .section = &persistence_section,
     .help = "What survives a restart."},
    {"limits", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, limits),
     .section = &limits_section, .help = "Limits for clients."},
    {"log", SCHEMA_MAPPING, 0, .offset = 0, .section = &log_section, .help = "The log."},
    {"audit", SCHEMA_MAPPING, 0, .offset = 0, .section = &audit_section,
     .help = "A chained record of what matters to security."},
    {"control", SCHEMA_MAPPING, 0, .offset = 0, .section = &control_section,
     .help = "Inspection and control of a running broker."},
    {"user", SCHEMA_STRING, KEY_RESTART, AT(struct conf, user),
     .help =
         "The user, by name or number, that a broker becomes which root has started: before it "
         "reads a key, and after it has bound to ports below 1024. That user has to be able to "
         "read broker.yaml and all files that it names, as each reload reads them again, and to "
         "write to the store, the logs and the directories of Unix sockets. Not needed where a "
         "service manager starts the broker as its user (User= of systemd)."},
    {"sandbox", SCHEMA_ENUM, KEY_RESTART, AT(struct conf, sandbox), .default_text = "on",
     WORDS(sandbox_words),
     .help = "on: the broker gives up what it does not need before it serves anybody. It gets no "
             "new privileges, and the kernel does for it only what a broker needs: it can start no "
             "program, look into no other process, open no raw socket and mount nothing. Where the "
             "kernel cannot do that, the log says so, and the broker runs without it. off: for "
             "debuggers and for libraries that are loaded into the broker."},
};
const struct schema_section schema_root = {
    "broker.yaml",
    SECTION(root_keys),
    sizeof(struct conf),
    .help = "Top-level keys:",
};

const struct schema_section *const schema_sections[] = {
    &schema_root,         &schema_listener,        &tls_section,
    &certificate_section, &authentication_section, &authorization_section,
    &persistence_section, &durable_topic_section,  &limits_section,
    &log_section,         &control_section,        &websocket_section,
    &metrics_section,     &health_section,         &publish_section,
    &audit_section,
};
const size_t schema_section_count = ARRAY_LEN(schema_sections);
