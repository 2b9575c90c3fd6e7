/* The table of broker.yaml's keys, one row a key.  A new key is a new row and a field.  Thread:
 * any; constant. */
#include "conf/schema.h"

#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))
#define AT(type, field) .offset = offsetof(type, field), .width = sizeof(((type *)NULL)->field)
#define PLACE(type)                                                                                \
	.has_place = true, .line_offset = offsetof(type, line),                                    \
	.column_offset = offsetof(type, column)
#define WORDS(table)         .words = (table), .word_count = COUNT(table)
#define INHERITS(field)      .inherits = true, .inherit_offset = offsetof(struct conf, field)
#define LISTENER_FLAG(field) .given_offset = offsetof(struct conf_listener, field)
#define SECTION(table)       .keys = (table), .count = COUNT(table)

static const struct schema_word worker_words[] = {{"auto", 0}};
static const struct schema_word share_words[] = {{"auto", CONF_SHARE_AUTO}};
static const struct schema_word protocol_words[] = {{"mqtt", CONF_PROTOCOL_MQTT}};
static const struct schema_word version_words[] = {{"1.2", 12}, {"1.3", 13}};
static const struct schema_word client_certificate_words[] = {
    {"none", CLIENT_CERTIFICATES_NONE},
    {"optional", CLIENT_CERTIFICATES_OPTIONAL},
    {"required", CLIENT_CERTIFICATES_REQUIRED},
};
static const struct schema_word certificate_user_words[] = {
    {"none", CERTIFICATE_USER_NONE},           {"cn", CERTIFICATE_USER_CN},
    {"san_dns", CERTIFICATE_USER_SAN_DNS},     {"san_uri", CERTIFICATE_USER_SAN_URI},
    {"san_email", CERTIFICATE_USER_SAN_EMAIL},
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
     .help = "PEM file with the server's certificate first and the chain that leads to the CA "
             "behind it, without the root."},
    {"key", SCHEMA_PATH, KEY_REQUIRED, AT(struct conf_certificate, key),
     .help = "PEM file with its private key. It may not be readable for others."},
};
static const struct schema_section certificate_section = {
    "certificates",
    SECTION(certificate_keys),
    sizeof(struct conf_certificate),
    PLACE(struct conf_certificate),
    "Each item is a certificate and its key. RSA and ECDSA may stand side by side: each client "
    "gets the one it can use. "
    "With certificates for several names the client's server name (SNI) chooses.",
};

static const struct schema_key tls_keys[] = {
    {"certificates", SCHEMA_LIST, 0, .offset = offsetof(struct conf_tls, certificates),
     .count_offset = offsetof(struct conf_tls, certificate_count), .min = 1, .max = 16,
     .section = &certificate_section,
     .help = "The server's certificates. Every TCP listener needs at least one."},
    {"min_version", SCHEMA_ENUM, 0, AT(struct conf_tls, min_version), .default_text = "1.2",
     WORDS(version_words), .hint = "what is older than TLS 1.2 is broken and cannot be switched on",
     .help = "The oldest version of TLS that is accepted."},
    {"client_certificates", SCHEMA_ENUM, 0, AT(struct conf_tls, client_certificates),
     .default_text = "none", WORDS(client_certificate_words),
     .help = "Whether clients are asked for a certificate, and whether they may come without one. "
             "Needs client_ca."},
    {"client_ca", SCHEMA_PATH, 0, AT(struct conf_tls, client_ca),
     .help = "PEM file with the CAs that sign the clients' certificates. The system's CAs are "
             "never used for clients."},
    {"client_crl", SCHEMA_PATH, 0, AT(struct conf_tls, client_crl),
     .help = "PEM file with the revocation lists of the client CAs. A list that has expired "
             "refuses every certificate of a new connection."},
};
static const struct schema_section tls_section = {
    "tls",
    SECTION(tls_keys),
    sizeof(struct conf_tls),
    .help = "TLS of all TCP listeners. There are no TCP listeners without TLS.",
};

static const struct schema_key authentication_keys[] = {
    {"anonymous", SCHEMA_BOOL, 0, AT(struct conf_authentication, anonymous),
     .default_text = "false", .help = "Whether clients may connect without a user name."},
    {"anonymous_sessions", SCHEMA_BOOL, 0, AT(struct conf_authentication, anonymous_sessions),
     .default_text = "false",
     .help = "Whether anonymous clients may keep a session after they disconnect. They all share "
             "one name space of client ids."},
    {"password_file", SCHEMA_PATH, KEY_GLOBAL, AT(struct conf, password_file),
     .hint = "one name is one user on all listeners; set it in authentication: at the top level",
     .help = "The users, written by broker-passwd(1). It may not be readable for others."},
    {"certificate_user", SCHEMA_ENUM, 0, AT(struct conf_authentication, certificate_user),
     .default_text = "none", WORDS(certificate_user_words),
     .help = "Which part of a client's certificate names the user. Needs client_certificates other "
             "than none."},
    {"bind_client_id", SCHEMA_ENUM, 0, AT(struct conf_authentication, bind_client_id),
     .default_text = "none", WORDS(bind_client_id_words),
     .help =
         "The client id must be the user's name (equal), or that or begin with it: with prefix an "
         "ASCII character that is neither letter nor digit must follow the name, so that al may "
         "be al-lamp, but not alice-lamp; with prefix_any anything may. A client that sends no "
         "id is refused by equal and prefix: the one that the broker assigns is not the "
         "user's. Anonymous clients may have any."},
};
static const struct schema_section authentication_section = {
    "authentication",
    SECTION(authentication_keys),
    sizeof(struct conf_authentication),
    .help = "Who may connect, and how clients prove who they are.",
};

static const struct schema_key authorization_keys[] = {
    {"acl_file", SCHEMA_PATH, 0, AT(struct conf, acl_file),
     .help = "The rules of who may publish and subscribe what, see acl.yaml(5). Without it nobody "
             "may do anything."},
    {"partial_subscriptions", SCHEMA_ENUM, 0, AT(struct conf, partial_subscriptions),
     .default_text = "refuse", WORDS(partial_words),
     .help = "What becomes of a subscription of which only a part is allowed: refused, or granted "
             "and filtered at delivery."},
};
static const struct schema_section authorization_section = {
    "authorization",
    SECTION(authorization_keys),
    sizeof(struct conf),
    .help = "What those who are connected may do.",
};

static const struct schema_key durable_topic_keys[] = {
    {"filter", SCHEMA_FILTER, KEY_REQUIRED, AT(struct conf_durable_topic, filter),
     .help = "The topics it is about."},
    {"durability", SCHEMA_ENUM, KEY_REQUIRED, AT(struct conf_durable_topic, durability),
     WORDS(durability_words), .help = "As above, for these."},
};
static const struct schema_section durable_topic_section = {
    "topics",
    SECTION(durable_topic_keys),
    sizeof(struct conf_durable_topic),
    .help = "Each item gives the messages of some topics a durability of their own: states that "
	    "come again in a minute may be lazy where commands are durable.",
};

static const struct schema_key persistence_keys[] = {
    {"directory", SCHEMA_PATH, KEY_DIRECTORY, AT(struct conf, persistence_directory),
     .help = "Where sessions, their queues and retained values are kept over a restart. It is made "
             "with mode 0700 where it is missing, and refused when others may write it. What lies "
             "there is not encrypted. A change takes effect at the next start."},
    {"durability", SCHEMA_ENUM, 0, AT(struct conf, durability), .default_text = "ack",
     WORDS(durability_words),
     .help = "When a message is kept. With ack an acknowledgement means that it is on disk: "
             "neither a crash nor a power cut loses it. With interval it is acknowledged at once "
             "and on disk after the interval, so that a crash loses at most that. With none "
             "messages are not kept; sessions and their subscriptions still are."},
    {"interval", SCHEMA_MILLISECONDS, 0, AT(struct conf, persistence_interval_ms), .min = 10,
     .max = 600000, .default_text = "1s",
     .help = "How long what nobody waits for may rest in memory before it is written: messages of "
             "durability interval, and small changes like the end of a delivery. A change takes "
             "effect at the next start."},
    {"max_size", SCHEMA_SIZE, 0, AT(struct conf, persistence_max_bytes), .min = 0,
     .max = (uint64_t)16 << 40, .default_text = "8G",
     .help = "How far the store's file may grow, 1M at least; 0 is as far as the machine lets it. "
             "An eighth of it, 4M at most, is left to what takes messages out of it. A change "
             "takes effect at the next start."},
    {"topics", SCHEMA_LIST, 0, .offset = offsetof(struct conf, persistence_topics),
     .count_offset = offsetof(struct conf, persistence_topic_count), .min = 1, .max = 256,
     .section = &durable_topic_section,
     .help = "A durability for some topics; the first item whose filter matches decides."},
};
static const struct schema_section persistence_section = {
    "persistence",
    SECTION(persistence_keys),
    sizeof(struct conf),
    .help = "What outlives a restart. Without a directory that is nothing.",
};

#define LIMIT(field)  AT(struct conf_limits, field)
#define SHARED(field) AT(struct conf, shared.field)
#define SHARED_HINT   "it is about what all clients share; set it in limits: at the top level"
static const struct schema_key limits_keys[] = {
    {"connections", SCHEMA_INTEGER, 0, LIMIT(connections), .min = 1, .max = 1000000,
     .default_text = "10000", LISTENER_FLAG(own_connections),
     .help = "Connections at a time. The global value counts all; in a listener it counts that "
             "listener's."},
    {"connections_per_address", SCHEMA_INTEGER, 0, LIMIT(connections_per_address), .min = 0,
     .max = 1000000, .default_text = "5000",
     .help =
         "Connections at a time from one IPv4 address, or from one IPv6 network (/64), over all "
         "listeners; one more is closed before its TLS handshake. It is generous because many "
         "devices may come through one gateway. Unix sockets do not count. 0: any number."},
    {"connections_per_user", SCHEMA_INTEGER, 0, LIMIT(connections_per_user), .min = 0,
     .max = 1000000, .default_text = "0",
     .help = "Clients of one user that are connected at a time; all anonymous clients are one "
             "user. One that takes over its own older connection always may. 0: any number."},
    {"max_packet_size", SCHEMA_SIZE, 0, LIMIT(max_packet_size), .min = 1 << 10, .max = 256 << 20,
     .default_text = "2M",
     .help = "The largest packet accepted; MQTT 5.0 clients are told. Bounds the memory a client's "
             "unfinished packet takes."},
    {"max_connect_size", SCHEMA_SIZE, 0, LIMIT(max_connect_size), .min = 256, .max = 256 << 20,
     .default_text = "64k",
     .help = "The largest CONNECT packet, will included: what somebody unknown can make the broker "
             "keep. At most max_packet_size."},
    {"receive_maximum", SCHEMA_INTEGER, 0, LIMIT(receive_maximum), .min = 1, .max = UINT16_MAX,
     .default_text = "20",
     .help = "QoS 1 and 2 messages that a client may have sent without their acknowledgement; one "
             "more ends the connection (Receive Maximum exceeded). It counts anew with each "
             "connection: QoS 2 messages that were left unfinished on earlier ones are bounded "
             "by memory alone. So are those of an MQTT 3.1.1 client, which cannot be told a "
             "number; it is not read while as many wait for their PUBACK or PUBREC."},
    {"message_rate", SCHEMA_INTEGER, 0, LIMIT(message_rate), .min = 0, .max = 1000000,
     .default_text = "0",
     .help = "PUBLISH packets a second from one connection; what it saved up in three seconds of "
             "silence it may send at once. Who sends faster is not disconnected (that would be "
             "reason code 0x96, and a loop of reconnections) but read more slowly: its own "
             "connection fills, and nothing is lost. 0: as fast as the broker can, which "
             "stops reading publishers too while their subscribers' threads cannot keep up."},
    {"topic_alias_maximum", SCHEMA_INTEGER, 0, LIMIT(topic_alias_maximum), .min = 0,
     .max = UINT16_MAX, .default_text = "10",
     .help = "Topic aliases that an MQTT 5.0 client may set."},
    {"max_qos", SCHEMA_INTEGER, 0, LIMIT(max_qos), .min = 0, .max = 2, .default_text = "2",
     .help = "The highest QoS that clients may publish with."},
    {"retain_available", SCHEMA_BOOL, 0, LIMIT(retain_available), .default_text = "true",
     .help = "Whether retained messages are accepted."},
    {"retained_messages", SCHEMA_INTEGER, KEY_GLOBAL, SHARED(retained_messages), .min = 1,
     .max = 100000000, .default_text = "100000", .hint = SHARED_HINT,
     .help = "Retained messages, of all users together. A message for a topic that has none is "
             "refused above it: MQTT 5.0 clients are told (Quota exceeded), for others and at QoS "
             "0 it is acknowledged and dropped. What is there can always be replaced and "
             "deleted."},
    {"retained_bytes", SCHEMA_SIZE, KEY_GLOBAL, SHARED(retained_bytes), .min = 1 << 10,
     .max = (uint64_t)1 << 40, .default_text = "256M", .hint = SHARED_HINT,
     .help = "The memory that retained messages take, all together: their bytes, and about 100 for "
             "each level of their topics. Above it they cannot grow."},
    {"retained_per_user", SCHEMA_INTEGER, KEY_GLOBAL, SHARED(retained_per_user), .min = 1,
     .max = 100000000, .default_text = "50000", .hint = SHARED_HINT,
     .help = "Retained messages that were written by clients of one user."},
    {"retained_bytes_per_user", SCHEMA_SIZE, KEY_GLOBAL, SHARED(retained_bytes_per_user), .min = 0,
     .max = (uint64_t)1 << 40, .default_text = "auto", WORDS(share_words), .hint = SHARED_HINT,
     .help = "A user's share of retained_bytes: auto is a quarter of it, 0 any part. Shares count "
             "when more than three quarters of the whole are in use: then who would have more than "
             "his share is refused, everybody else goes on. What a user has already stays."},
    {"memory", SCHEMA_SIZE, KEY_GLOBAL, SHARED(memory_bytes), .min = 0, .max = (uint64_t)1 << 40,
     .default_text = "1G", .hint = SHARED_HINT,
     .help = "What clients may make the broker keep in memory, all together: retained and queued "
             "messages, what was sent and is not acknowledged or not read, unfinished packets, "
             "subscriptions, wills, topic aliases, QoS 2 identifiers, the sessions that hold them. "
             "Below three quarters of it nobody is refused; above it whoever has more than "
             "memory_per_user is; at the whole everybody, but for acknowledgements and clients "
             "that come back to a kept session, for which a sixteenth is left (4M at most). MQTT "
             "5.0 clients are told (Quota exceeded). The fixed part of a connection is not in it: "
             "see connections. 0: as much as the single limits allow."},
    {"memory_per_user", SCHEMA_SIZE, KEY_GLOBAL, SHARED(memory_per_user), .min = 0,
     .max = (uint64_t)1 << 40, .default_text = "auto", WORDS(share_words), .hint = SHARED_HINT,
     .help = "A user's share of memory: auto is a quarter of it, 0 any part. Clients that have not "
             "logged in, and anonymous ones, share by their address; what is kept for anonymous "
             "clients counts for all of them as one user. Where only one user can log in there are "
             "no shares."},
    {"store_per_user", SCHEMA_SIZE, KEY_GLOBAL, SHARED(store_per_user), .min = 0,
     .max = (uint64_t)1 << 40, .default_text = "auto", WORDS(share_words), .hint = SHARED_HINT,
     .help = "A user's share of persistence.max_size, for the messages in the queues of all his "
             "sessions: auto is a quarter of it, 0 any part. Above three quarters of the store his "
             "queues take no more than that; what is in them stays. A publisher is told (Quota "
             "exceeded) only when nobody takes the message. Where only one user can log in there "
             "are no shares."},
    {"max_keepalive", SCHEMA_SECONDS, 0, LIMIT(max_keepalive_s), .min = 0, .max = UINT16_MAX,
     .default_text = "0",
     .help = "The longest keep alive; an MQTT 5.0 client that asks for more, or for none, is given "
             "this one. MQTT 3.1.1 has no way to tell a client, which so keeps its own. 0 leaves "
             "the choice to all."},
    {"max_session_expiry", SCHEMA_SECONDS, 0, LIMIT(max_session_expiry_s), .min = 0,
     .max = (uint64_t)36500 * 86400, .default_text = "30d",
     .help = "How long a session is kept at most after its client went away. 0: not at all."},
    {"queue_messages", SCHEMA_INTEGER, 0, LIMIT(queue_messages), .min = 1, .max = 10000000,
     .default_text = "1000",
     .help = "QoS 1 and 2 messages that wait for one session. When it is full the newest is "
             "dropped, counted and logged."},
    {"queue_bytes", SCHEMA_SIZE, 0, LIMIT(queue_bytes), .min = 1 << 10, .max = (uint64_t)64 << 30,
     .default_text = "16M",
     .help =
         "The same in bytes, and once more for those that were sent and are not acknowledged. At "
         "least max_packet_size."},
    {"connect_timeout", SCHEMA_MILLISECONDS, 0, LIMIT(connect_timeout_ms), .min = 100,
     .max = 600000, .default_text = "10s",
     .help = "From the accepted connection to the complete CONNECT packet, TLS handshake included. "
             "And as long again for the AUTH packets of enhanced authentication."},
    {"unauthenticated", SCHEMA_INTEGER, 0, LIMIT(unauthenticated), .min = 1, .max = 1000000,
     .default_text = "1000",
     .help = "Connections that have not got their CONNACK yet, all together; each worker has its "
             "equal part. When all places are taken, the address with most of them gives one "
             "away, to an address with fewer, and of its own the one that has come least far."},
    {"subscriptions", SCHEMA_INTEGER, 0, LIMIT(subscriptions), .min = 1, .max = 1000000,
     .default_text = "10000", .help = "Subscriptions of one client."},
    {"subscription_bytes", SCHEMA_SIZE, 0, LIMIT(subscription_bytes), .min = 1 << 10,
     .max = 1 << 30, .default_text = "8M",
     .help = "The memory that they may take: the bytes of their filters, and 64 for each level."},
    {"sessions_per_user", SCHEMA_INTEGER, 0, LIMIT(sessions_per_user), .min = 0, .max = 1000000,
     .default_text = "1000",
     .help = "Sessions that are kept for the clients of one user while they are away."},
    {"topic_levels", SCHEMA_INTEGER, 0, LIMIT(topic_levels), .min = 1, .max = 1024,
     .default_text = "128", .help = "Levels of a topic or topic filter."},
    {"user_properties", SCHEMA_INTEGER, 0, LIMIT(user_properties), .min = 0, .max = 10000,
     .default_text = "64", .help = "User properties of one MQTT 5.0 packet."},
};
static const struct schema_section limits_section = {
    "limits",
    SECTION(limits_keys),
    sizeof(struct conf_limits),
    .help = "What one client, or all together, may take. Whatever exceeds a limit is refused "
	    "before memory is taken for it.",
};

static const struct schema_key log_keys[] = {
    {"level", SCHEMA_ENUM, 0, AT(struct conf, log_level), .default_text = "info",
     WORDS(level_words), .help = "The least important events that are logged."},
    {"format", SCHEMA_ENUM, 0, AT(struct conf, log_json), .default_text = "text",
     WORDS(format_words), .help = "Lines of key=value pairs (logfmt), or of JSON."},
    {"audit", SCHEMA_PATH, 0, AT(struct conf, log_audit),
     .help = "A file for the events that matter to security, whatever the level. SIGUSR1 reopens "
             "it after rotation."},
};
static const struct schema_section log_section = {
    "log",
    SECTION(log_keys),
    sizeof(struct conf),
    .help = "The log goes to stderr.",
};

static const struct schema_key control_keys[] = {
    {"socket", SCHEMA_PATH, 0, AT(struct conf, control_socket),
     .help = "A unix socket for broker-ctl(1). It is made for the broker's own user alone, with "
             "mode 0600, in a directory that others cannot write. A change takes effect at the "
             "next start."},
};
static const struct schema_section control_section = {
    "control",
    SECTION(control_keys),
    sizeof(struct conf),
    .help = "Watching and steering a broker that runs.",
};

static const struct schema_key listener_keys[] = {
    {"bind", SCHEMA_BIND, KEY_REQUIRED, .offset = 0, .width = sizeof(struct conf_listener),
     .help = "A numeric address with a port, or unix: with the path of a socket. [::] takes IPv4 "
             "too; port 0 takes a free one."},
    {"protocol", SCHEMA_ENUM, 0, AT(struct conf_listener, protocol), .default_text = "mqtt",
     WORDS(protocol_words), .hint = "websocket is not supported yet",
     .help = "What is spoken on this listener."},
    {"mode", SCHEMA_MODE, KEY_UNIX, AT(struct conf_listener, mode), .min = 0, .max = 0777,
     .default_text = "0660",
     .help = "Mode of the unix socket: who may write to it may knock; login and rules are the same "
             "as elsewhere."},
    {"owner", SCHEMA_STRING, KEY_UNIX, AT(struct conf_listener, owner),
     .help = "User, name or number, to whom the unix socket is given."},
    {"group", SCHEMA_STRING, KEY_UNIX, AT(struct conf_listener, group),
     .help = "Group, name or number, to which the unix socket is given."},
    {"server_reference", SCHEMA_STRING, 0, AT(struct conf_listener, server_reference),
     .help = "Clients are not accepted here but sent to this server, for example "
             "\"other.example:8883\": MQTT 5.0 clients are told, older ones are refused."},
    {"server_moved", SCHEMA_BOOL, 0, AT(struct conf_listener, server_moved),
     .default_text = "false",
     .help = "Whether the server_reference is for good (Server moved) or for now (Use another "
             "server)."},
    {"tls", SCHEMA_MAPPING, KEY_TCP, .offset = offsetof(struct conf_listener, tls), INHERITS(tls),
     .section = &tls_section, .help = "Overrides tls: for this listener, key by key."},
    {"authentication", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf_listener, authentication),
     INHERITS(authentication), .section = &authentication_section,
     .help = "Overrides authentication: for this listener, key by key; password_file cannot be "
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
    "Each item is a place where clients may connect.",
};

static const struct schema_key root_keys[] = {
    {"workers", SCHEMA_INTEGER, 0, AT(struct conf, workers), .min = 1, .max = 64,
     .default_text = "auto", WORDS(worker_words),
     .help = "Threads that serve clients; auto is one for each core, at most 64."},
    {"listeners", SCHEMA_LIST, KEY_REQUIRED | KEY_LAST, .offset = offsetof(struct conf, listeners),
     .count_offset = offsetof(struct conf, listener_count), .min = 1, .max = 64,
     .section = &schema_listener, .hint = "for example: listeners: [{bind: \"[::]:8883\"}]",
     .help = "Where clients may connect."},
    {"tls", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, tls), .section = &tls_section,
     .help = "Certificates, and what is asked of clients."},
    {"authentication", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, authentication),
     .section = &authentication_section, .help = "Who may connect."},
    {"authorization", SCHEMA_MAPPING, 0, .offset = 0, .section = &authorization_section,
     .help = "Who may do what."},
    {"persistence", SCHEMA_MAPPING, 0, .offset = 0, .section = &persistence_section,
     .help = "What outlives a restart."},
    {"limits", SCHEMA_MAPPING, 0, .offset = offsetof(struct conf, limits),
     .section = &limits_section, .help = "How much."},
    {"log", SCHEMA_MAPPING, 0, .offset = 0, .section = &log_section,
     .help = "What is written down."},
    {"control", SCHEMA_MAPPING, 0, .offset = 0, .section = &control_section,
     .help = "Watching and steering it."},
};
const struct schema_section schema_root = {
    "broker.yaml",
    SECTION(root_keys),
    sizeof(struct conf),
    .help = "At the top level of the file:",
};

const struct schema_section *const schema_sections[] = {
    &schema_root,         &schema_listener,        &tls_section,
    &certificate_section, &authentication_section, &authorization_section,
    &persistence_section, &durable_topic_section,  &limits_section,
    &log_section,         &control_section,
};
const size_t schema_section_count = COUNT(schema_sections);
