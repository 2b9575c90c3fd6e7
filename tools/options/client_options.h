/* What the clients' command lines have in common: where to, who and TLS of all of them, will and
 * session of those that publish and subscribe; from options, from a profile, and from where
 * passwords are.  Errors are printed; functions return an exit
 * status, 0 for success.  Thread: main. */
#ifndef OPTIONS_CLIENT_OPTIONS_H
#define OPTIONS_CLIENT_OPTIONS_H

#include "mqtt/mqtt_connection.h"
#include "program/command_line.h"

/* Exit statuses of the clients; 0 to 2 are those of all tools. */
enum client_status {
	CLIENT_CANNOT_CONNECT = 3, /* no such host, nobody listens, no answer */
	CLIENT_UNTRUSTED = 4,      /* TLS: the server, or this client's certificate */
	CLIENT_LOGIN_REFUSED = 5,
	CLIENT_NOT_AUTHORIZED = 6, /* to publish or to subscribe */
	CLIENT_TIMED_OUT = 7,      /* --wait */
	CLIENT_LOST = 8,           /* the connection ended before the work was done */
	CLIENT_REFUSED = 9,        /* by the server, for another reason */
};

/* The first member of a tool's own options. Texts are borrowed from the command line or owned. */
struct client_options {
	const char *profile, *host, *socket, *user, *client_id, *client_id_prefix;
	const char *password_file, *password_command, *source;
	const char *websocket_path; /* NULL: the usual one */
	const char *ca_file, *ca_directory, *certificate, *key, *pin, *server_name;
	const char *key_password_file;
	const char *will_topic, *will_payload;
	struct buf password, key_password; /* secrets */
	struct buf connect_properties, will_properties;
	/* Of the tool's packets: property_option.h. */
	struct buf publish_properties, subscribe_properties, unsubscribe_properties;
	/* Owned: `client_id`, and what host, user and url_topic point into. */
	char *made_id, *url;
	const char *url_topic; /* behind the address of -L; NULL: none */
	uint64_t wait_ms;      /* 0: for ever */
	uint32_t session_expiry_s;
	uint16_t port, keep_alive_s, send_maximum;
	enum mqtt_version version;
	uint8_t will_qos;
	bool has_password, ask_password, has_expiry, persistent, insecure, will_retain, debug,
	    quiet;
	bool keep_trying, no_reconnect;
	/* MQTT 5: the password is proved (SCRAM-SHA-256), not sent. */
	bool scram;
	bool websocket; /* MQTT over WebSocket */
	bool plain;     /* TCP without TLS: only where a tool has an option for it */
};

#define CLIENT_OPTION_ROWS_MAX 64

/* Fill rows with the options of all clients: where to, who, TLS; how many they are. */
size_t client_options_rows_to_connect(struct command_option *rows);
/* The same, and will, session and what else those have that publish and subscribe. */
size_t client_options_rows(struct command_option *rows);
/* The usage of these, after the tool's own. */
void client_options_usage_to_connect(FILE *to);
/* The usage: `text` is the tool's own part. After a mistake (to stderr) its first line only, so
 * that the mistake stays in sight. */
void client_options_usage(FILE *to, const char *text);
void client_options_init(struct client_options *o);
/* Read the command line into `o` (its tool's struct). -1: go on. */
int client_options_read(struct client_options *o, int argc, char **argv);
/* After reading: the profile, the password, what contradicts. */
int client_options_finish(struct client_options *o);
void client_options_fini(struct client_options *o);
static inline bool client_options_have_tls(const struct client_options *o)
{
	return o->socket == NULL && !o->plain;
}

/* What the TLS settings are made of; borrowed from *o. */
struct mqtt_tls_options client_options_tls_options(const struct client_options *o);
/* The TLS settings; NULL without TLS or after an error (*status). */
struct mqtt_tls *client_options_tls(const struct client_options *o, int *status);
/* What connections need; *o outlives them. `tls` may be NULL. */
void client_options_fill(const struct client_options *o, struct mqtt_tls *tls,
                         struct mqtt_endpoint *endpoint, struct mqtt_options *mqtt);

/* Whoever tries it is told this. */
#define CLIENT_PASSWORD_IN_SIGHT                                                                   \
	"a password on the command line is seen by every user of this machine and stays in the "   \
	"shell's history; use --password-file FILE, --password-command COMMAND, --ask-password, "  \
	"or a profile"

/* For options of tools. "5", "5s", "2m", "500ms": a duration, seconds without a unit. */
bool client_parse_duration(const char *text, uint64_t *ms);
bool client_parse_number(const char *text, uint64_t max, uint64_t *out);
/* The options of a topic: 0, or EXIT_USAGE after words. */
int client_check_topic(const char *topic);
int client_check_filter(const char *filter, enum mqtt_version version);
/* The next word of the command line, for options with more than one value; NULL: none. */
const char *client_next_word(void);

#endif
