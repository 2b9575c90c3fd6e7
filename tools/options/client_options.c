/* The options that all clients have.  Letters are those that people know from mosquitto's clients
 * where they mean the same. */
#include "options/client_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/scram_login.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "options/client_password.h"
#include "options/client_profile.h"
#include "options/client_url.h"
#include "options/property_option.h"
#include "proto/topic.h"

#define DEFAULT_PORT       8883
#define DEFAULT_PORT_PLAIN 1883
#define DEFAULT_PORT_HTTPS 443
#define DEFAULT_WEBSOCKET  "/mqtt"
#define DEFAULT_KEEP_ALIVE 60
#define RECEIVE_MAXIMUM    1000
#define ALIAS_MAXIMUM      16
#define RETRY_MIN_MS       1000
#define RETRY_MAX_MS       30000
#define RANDOM_ID_BYTES    6
#define FOR_EVER           UINT32_MAX

static char **words;
static int word_count;

const char *client_next_word(void)
{
	return optind < word_count ? words[optind++] : NULL;
}

bool client_parse_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	*out = strtoull(text, &end, 10);
	return *end == '\0' && *out <= max;
}

bool client_parse_duration(const char *text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
	             {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	char number[24] = "";
	size_t digits = strspn(text, "0123456789");
	uint64_t value;

	if (digits == 0 || digits > 9)
		return false;
	memcpy(number, text, digits);
	value = strtoull(number, NULL, 10);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + digits, units[i].unit) == 0) {
			*ms = value * units[i].ms;
			return true;
		}
	}
	return false;
}

int client_check_topic(const char *topic)
{
	if (topic_name_valid(slice_of_str(topic)))
		return 0;
	return report_error(EXIT_USAGE,
	                    strpbrk(topic, "+#") != NULL
	                        ? "the topic '%s' has a wildcard: + and # are for subscribing"
	                        : "the topic '%s' is empty or not UTF-8",
	                    topic);
}

int client_check_filter(const char *filter, enum mqtt_version version)
{
	struct slice whole = slice_of_str(filter), group, rest;
	enum share_result share =
	    version == MQTT_5_0 ? topic_filter_share(whole, &group, &rest) : SHARE_NONE;

	if (share == SHARE_INVALID)
		return report_error(
		    EXIT_USAGE, "'%s' is no shared subscription: it is $share/NAME/FILTER", filter);
	if (share == SHARE_OK || topic_filter_valid(whole))
		return 0;
	return report_error(EXIT_USAGE,
	                    "the topic filter '%s' is not valid: + stands alone between slashes, # "
	                    "stands alone at the end",
	                    filter);
}

/* ---- the rows ---- */

COMMAND_TAKE_TEXT(take_profile, client_options, profile)
COMMAND_TAKE_TEXT(take_host, client_options, host)
COMMAND_TAKE_TEXT(take_socket, client_options, socket)
COMMAND_TAKE_TEXT(take_user, client_options, user)
COMMAND_TAKE_TEXT(take_id, client_options, client_id)
COMMAND_TAKE_TEXT(take_id_prefix, client_options, client_id_prefix)
COMMAND_TAKE_TEXT(take_source, client_options, source)
COMMAND_TAKE_TEXT(take_password_file, client_options, password_file)
COMMAND_TAKE_TEXT(take_password_command, client_options, password_command)
COMMAND_TAKE_TEXT(take_ca_file, client_options, ca_file)
COMMAND_TAKE_TEXT(take_ca_directory, client_options, ca_directory)
COMMAND_TAKE_TEXT(take_certificate, client_options, certificate)
COMMAND_TAKE_TEXT(take_key, client_options, key)
COMMAND_TAKE_TEXT(take_key_password_file, client_options, key_password_file)
COMMAND_TAKE_TEXT(take_pin, client_options, pin)
COMMAND_TAKE_TEXT(take_server_name, client_options, server_name)
COMMAND_TAKE_TEXT(take_will_topic, client_options, will_topic)
COMMAND_TAKE_TEXT(take_will_payload, client_options, will_payload)
COMMAND_TAKE_FLAG(take_ask_password, client_options, ask_password)
COMMAND_TAKE_TEXT(take_websocket_path, client_options, websocket_path)
COMMAND_TAKE_FLAG(take_websocket, client_options, websocket)
COMMAND_TAKE_FLAG(take_scram, client_options, scram)
COMMAND_TAKE_FLAG(take_insecure, client_options, insecure)
COMMAND_TAKE_FLAG(take_persistent, client_options, persistent)
COMMAND_TAKE_FLAG(take_will_retain, client_options, will_retain)
COMMAND_TAKE_FLAG(take_debug, client_options, debug)
COMMAND_TAKE_FLAG(take_quiet, client_options, quiet)
COMMAND_TAKE_FLAG(take_keep_trying, client_options, keep_trying)
COMMAND_TAKE_FLAG(take_no_reconnect, client_options, no_reconnect)

static int take_password(void *options, const char *value)
{
	(void)options;
	(void)value;
	return report_error(EXIT_USAGE, CLIENT_PASSWORD_IN_SIGHT);
}

static int take_port(void *options, const char *value)
{
	uint64_t port;

	if (!client_parse_number(value, UINT16_MAX, &port) || port == 0)
		return report_usage("-p: '%s' is no port: a number from 1 to 65535", value);
	((struct client_options *)options)->port = (uint16_t)port;
	return 0;
}

static int take_keep_alive(void *options, const char *value)
{
	uint64_t seconds;

	if (!client_parse_number(value, UINT16_MAX, &seconds))
		return report_usage("-k: '%s' is no number of seconds from 0 to 65535", value);
	((struct client_options *)options)->keep_alive_s = (uint16_t)seconds;
	return 0;
}

static int take_version(void *options, const char *value)
{
	static const char *const five[] = {"5", "5.0", "mqttv5"};
	static const char *const three[] = {"3.1.1", "311", "4", "mqttv311"};
	struct client_options *o = options;

	for (size_t i = 0; i < ARRAY_LEN(five); i++) {
		if (strcmp(value, five[i]) == 0)
			o->version = MQTT_5_0;
	}
	for (size_t i = 0; i < ARRAY_LEN(three); i++) {
		if (strcmp(value, three[i]) == 0)
			o->version = MQTT_3_1_1;
	}
	return o->version != 0 ? 0 : report_usage("-V: '%s' is neither 5 nor 3.1.1", value);
}

static int take_expiry(void *options, const char *value)
{
	struct client_options *o = options;
	uint64_t ms = 0, seconds = FOR_EVER;

	if (strcmp(value, "-1") != 0 && strcmp(value, "never") != 0) {
		if (client_parse_number(value, FOR_EVER, &seconds))
			ms = 0;
		else if (client_parse_duration(value, &ms))
			seconds = ms / 1000;
		else
			return report_usage("-x: '%s' is no duration: 3600, 12h, 30d or never",
			                    value);
	}
	o->session_expiry_s = (uint32_t)seconds;
	o->has_expiry = true;
	return 0;
}

static int take_wait(void *options, const char *value)
{
	if (client_parse_duration(value, &((struct client_options *)options)->wait_ms))
		return 0;
	return report_usage("--wait: '%s' is no duration: 5, 500ms, 5s, 2m", value);
}

static int take_send_maximum(void *options, const char *value)
{
	uint64_t count;

	if (!client_parse_number(value, UINT16_MAX, &count) || count == 0)
		return report_usage("-M: '%s' is no number from 1 to 65535", value);
	((struct client_options *)options)->send_maximum = (uint16_t)count;
	return 0;
}

static int take_will_qos(void *options, const char *value)
{
	uint64_t qos;

	if (!client_parse_number(value, 2, &qos))
		return report_usage("--will-qos: '%s' is not 0, 1 or 2", value);
	((struct client_options *)options)->will_qos = (uint8_t)qos;
	return 0;
}

static int take_property(void *options, const char *value)
{
	return property_option_take(options, value);
}

static int take_url(void *options, const char *value)
{
	return client_url_take(options, value);
}

static const struct command_option rows_to_connect[] = {
    {"profile", 0, true, take_profile},
    {"host", 'h', true, take_host},
    {"port", 'p', true, take_port},
    {"url", 'L', true, take_url},
    {"unix", 0, true, take_socket},
    {"bind", 'A', true, take_source},
    {"user", 'u', true, take_user},
    {"username", 0, true, take_user},
    {"password", 'P', true, take_password},
    {"pw", 0, true, take_password},
    {"password-file", 0, true, take_password_file},
    {"password-command", 0, true, take_password_command},
    {"ask-password", 0, false, take_ask_password},
    {"cafile", 0, true, take_ca_file},
    {"capath", 0, true, take_ca_directory},
    {"cert", 0, true, take_certificate},
    {"key", 0, true, take_key},
    {"key-password-file", 0, true, take_key_password_file},
    {"pin", 0, true, take_pin},
    {"server-name", 0, true, take_server_name},
    {"insecure", 0, false, take_insecure},
    {"protocol-version", 'V', true, take_version},
    {"quiet", 0, false, take_quiet},
};

static const struct command_option rows_of_sessions[] = {
    {"id", 'i', true, take_id},
    {"id-prefix", 'I', true, take_id_prefix},
    {"ws", 0, false, take_websocket},
    {"ws-path", 0, true, take_websocket_path},
    {"scram", 0, false, take_scram},
    {"keepalive", 'k', true, take_keep_alive},
    {"disable-clean-session", 'c', false, take_persistent},
    {"session-expiry-interval", 'x', true, take_expiry},
    {"max-inflight", 'M', true, take_send_maximum},
    {"property", 'D', true, take_property},
    {"wait", 'W', true, take_wait},
    {"will-topic", 0, true, take_will_topic},
    {"will-payload", 0, true, take_will_payload},
    {"will-qos", 0, true, take_will_qos},
    {"will-retain", 0, false, take_will_retain},
    {"keep-trying", 0, false, take_keep_trying},
    {"no-reconnect", 0, false, take_no_reconnect},
    {"debug", 'd', false, take_debug},
};

_Static_assert(ARRAY_LEN(rows_to_connect) + ARRAY_LEN(rows_of_sessions) <= CLIENT_OPTION_ROWS_MAX,
               "room for all of them");

size_t client_options_rows_to_connect(struct command_option *rows)
{
	memcpy(rows, rows_to_connect, sizeof(rows_to_connect));
	return ARRAY_LEN(rows_to_connect);
}

size_t client_options_rows(struct command_option *rows)
{
	size_t count = client_options_rows_to_connect(rows);

	memcpy(rows + count, rows_of_sessions, sizeof(rows_of_sessions));
	return count + ARRAY_LEN(rows_of_sessions);
}

void client_options_usage_to_connect(FILE *to)
{
	fputs("\nWhere to, and who:\n"
	      "  -h, --host HOST, -p, --port PORT   default: localhost, 8883\n"
	      "  -L, --url mqtts://[USER@]HOST[:PORT][/TOPIC]\n"
	      "  --unix PATH              the broker's Unix socket, without TLS\n"
	      "  -A, --bind ADDRESS       connect from this address\n"
	      "  --profile NAME           of ~/.config/vakt/clients.yaml (default: 'default')\n"
	      "  -u, --user USER          and one of these, never the password itself:\n"
	      "      --password-file FILE, --password-command COMMAND, --ask-password\n"
	      "  -V, --protocol-version 5|3.1.1\n"
	      "TLS:\n"
	      "  --cafile FILE, --capath DIR   trusted CAs (default: those of the system)\n"
	      "  --cert FILE, --key FILE       client certificate; --key-password-file FILE\n"
	      "  --pin sha256/BASE64           the server's key; without a CA it alone is checked\n"
	      "  --server-name NAME            the name in the certificate, if it is another\n"
	      "  --insecure                    check nothing: anybody on the way can read and "
	      "change\n"
	      "                                everything, the password too\n",
	      to);
}

void client_options_usage(FILE *to, const char *text)
{
	fputs(text, to);
	client_options_usage_to_connect(to);
	fputs(
	    "Session:\n"
	    "  -i, --id ID              client id (default: by chance); -I PREFIX\n"
	    "  -c, --disable-clean-session   keep the session (with -i); -x DURATION: for how "
	    "long\n"
	    "  --ws, --ws-path PATH     MQTT over WebSocket (default: port 443, /mqtt)\n"
	    "  --scram                  prove the password (SCRAM-SHA-256, MQTT 5) without sending "
	    "it,\n"
	    "                           and let the server prove that it knows it\n"
	    "  -k, --keepalive SECONDS       default: 60\n"
	    "  -M, --max-inflight N          messages without acknowledgement\n"
	    "  -D, --property PACKET NAME VALUE   an MQTT 5 property\n"
	    "  --will-topic TOPIC, --will-payload TEXT, --will-qos N, --will-retain\n"
	    "  -W, --wait DURATION           give up after that time\n"
	    "  --keep-trying                 also when the first connection fails\n"
	    "  --no-reconnect                end when the connection is lost\n"
	    "  -d, --debug  --quiet\n",
	    to);
}

void client_options_init(struct client_options *o)
{
	*o = (struct client_options){.keep_alive_s = DEFAULT_KEEP_ALIVE};
}

int client_options_read(struct client_options *o, int argc, char **argv)
{
	REQUIRE(argc > 0);
	words = argv;
	word_count = argc;
	return command_line_read(o, argc, argv);
}

/* ---- after reading ---- */

static int check_websocket(const struct client_options *o)
{
	const char *wrong =
	    o->websocket_path == NULL ? NULL : mqtt_wire_path_refused(o->websocket_path);

	if (wrong != NULL)
		return report_usage("--ws-path: '%s' is no path: %s", o->websocket_path, wrong);
	return 0;
}

static int check_together(const struct client_options *o)
{
	if (o->socket != NULL && o->host != NULL)
		return report_usage("--unix and a host cannot be used together");
	if (o->client_id != NULL && o->client_id_prefix != NULL)
		return report_usage("-i and -I cannot be used together");
	if (o->plain && o->socket != NULL)
		return report_usage("--plain is for TCP, and --unix is without TLS anyway");
	if (o->key != NULL && o->certificate == NULL)
		return report_usage("--key needs the certificate that belongs to it: --cert FILE");
	if (o->insecure && (o->ca_file != NULL || o->ca_directory != NULL || o->pin != NULL))
		return report_usage(
		    "--insecure checks nothing: leave it out, or --cafile, --capath and "
		    "--pin");
	if (o->will_topic == NULL && (o->will_payload != NULL || o->will_retain || o->will_qos > 0))
		return report_usage("the will needs a topic: --will-topic TOPIC");
	if (o->persistent && o->client_id == NULL)
		return report_usage(
		    "-c keeps a session, which needs a client id to be found again: "
		    "-i ID");
	if (o->has_expiry && o->version == MQTT_3_1_1)
		return report_usage(
		    "-x is for MQTT 5: with -V 3.1.1 a kept session (-c) ends when the "
		    "server ends it");
	if (o->will_topic != NULL && client_check_topic(o->will_topic) != 0)
		return EXIT_USAGE;
	return check_websocket(o);
}

/* SCRAM has the properties of authentication for itself. */
static int check_no_other_method(const struct client_options *o)
{
	struct buf block = {0};
	int rc;

	buf_put_slice(&block, buf_slice(&o->connect_properties));
	property_put_string(&block, PROPERTY_AUTH_METHOD, SCRAM_METHOD);
	property_put_string(&block, PROPERTY_AUTH_DATA, SLICE_EMPTY);
	rc = property_option_check(&block, PACKET_CONNECT);
	buf_fini(&block);
	return rc;
}

static int check_scram(const struct client_options *o)
{
	const char *wrong;

	if (!o->scram)
		return 0;
	if (o->version != MQTT_5_0)
		return report_usage("--scram is for MQTT 5: leave out -V 3.1.1");
	if (o->user == NULL || !o->has_password)
		return report_usage("--scram needs a user (-u) and one of --password-file, "
		                    "--password-command and --ask-password");
	wrong = scram_login_user_refused(slice_of_str(o->user));
	if (wrong == NULL)
		wrong = scram_password_refused(buf_slice(&o->password));
	return wrong == NULL ? check_no_other_method(o)
	                     : report_error(EXIT_USAGE, "--scram: %s", wrong);
}

static void make_id(struct client_options *o)
{
	uint8_t chance[RANDOM_ID_BYTES];
	struct buf id = {0};

	if (o->client_id != NULL)
		return;
	random_bytes(chance, sizeof(chance));
	buf_printf(&id, "%s", o->client_id_prefix == NULL ? "vakt-" : o->client_id_prefix);
	for (size_t i = 0; i < sizeof(chance); i++)
		buf_printf(&id, "%02x", chance[i]);
	o->made_id = slice_dup(buf_slice(&id));
	o->client_id = o->made_id;
	buf_fini(&id);
}

int client_options_finish(struct client_options *o)
{
	int rc = client_profile_apply(o);

	REQUIRE(o->made_id == NULL);
	o->websocket = o->websocket || o->websocket_path != NULL;
	if (o->websocket && o->websocket_path == NULL)
		o->websocket_path = DEFAULT_WEBSOCKET;
	if (o->version == 0)
		o->version = MQTT_5_0;
	if (rc == 0)
		rc = check_together(o);
	if (rc == 0)
		rc = client_password_get(o);
	if (rc == 0)
		rc = check_scram(o);
	if (rc != 0)
		return rc;
	if (o->host == NULL && o->socket == NULL)
		o->host = "localhost";
	if (o->port == 0)
		o->port = o->websocket ? DEFAULT_PORT_HTTPS
		          : o->plain   ? DEFAULT_PORT_PLAIN
		                       : DEFAULT_PORT;
	if (o->persistent && !o->has_expiry)
		o->session_expiry_s = FOR_EVER;
	make_id(o);
	if (o->insecure && client_options_have_tls(o) && !o->quiet)
		(void)report_error(0,
		                   "--insecure: the server is not checked. Anybody on the way can "
		                   "pose as the server, read and change every message%s",
		                   o->has_password ? ", and gets the password" : "");
	return 0;
}

void client_options_fini(struct client_options *o)
{
	buf_fini_secret(&o->password);
	buf_fini_secret(&o->key_password);
	buf_fini(&o->connect_properties);
	buf_fini(&o->will_properties);
	buf_fini(&o->publish_properties);
	buf_fini(&o->subscribe_properties);
	buf_fini(&o->unsubscribe_properties);
	free(o->made_id);
	free(o->url);
	o->made_id = o->url = NULL;
	o->url_topic = NULL;
}

struct mqtt_tls_options client_options_tls_options(const struct client_options *o)
{
	return (struct mqtt_tls_options){
	    .ca_file = o->ca_file,
	    .ca_directory = o->ca_directory,
	    .certificate = o->certificate,
	    .key = o->key,
	    .pin = o->pin,
	    .server_name = o->server_name,
	    .key_password = buf_slice(&o->key_password),
	    .insecure = o->insecure,
	    .has_tickets = true,
	};
}

struct mqtt_tls *client_options_tls(const struct client_options *o, int *status)
{
	const struct mqtt_tls_options tls_options = client_options_tls_options(o);
	struct buf why = {0};
	struct mqtt_tls *tls;

	*status = 0;
	if (!client_options_have_tls(o))
		return NULL;
	tls = mqtt_tls_new(&tls_options, &why);
	if (tls == NULL)
		*status = report_error(EXIT_USAGE, "%.*s", (int)why.len, (const char *)why.data);
	buf_fini(&why);
	return tls;
}

void client_options_fill(const struct client_options *o, struct mqtt_tls *tls,
                         struct mqtt_endpoint *endpoint, struct mqtt_options *mqtt)
{
	REQUIRE(o->version != 0 && (o->host != NULL) != (o->socket != NULL));
	REQUIRE((tls == NULL) || client_options_have_tls(o));
	*endpoint = (struct mqtt_endpoint){
	    .host = o->host,
	    .port = o->port,
	    .socket_path = o->socket,
	    .tls = tls,
	    .source = o->source,
	    .websocket_path = o->websocket_path,
	    .retry_min_ms = o->no_reconnect ? 0 : RETRY_MIN_MS,
	    .retry_max_ms = RETRY_MAX_MS,
	};
	*mqtt = (struct mqtt_options){
	    .version = o->version,
	    .clean_start = !o->persistent,
	    .resends = true,
	    .keep_alive_s = o->keep_alive_s,
	    .receive_maximum = o->version == MQTT_5_0 ? RECEIVE_MAXIMUM : 0,
	    .topic_alias_maximum = o->version == MQTT_5_0 ? ALIAS_MAXIMUM : 0,
	    .send_maximum = o->send_maximum,
	    .session_expiry_s = o->session_expiry_s,
	    .has_user_name = o->user != NULL,
	    .has_password = o->has_password && !o->scram,
	    .user_name = slice_of_str(o->user),
	    .password = buf_slice(&o->password),
	    .properties = buf_slice(&o->connect_properties),
	    .will = {.present = o->will_topic != NULL,
	             .retain = o->will_retain,
	             .qos = o->will_qos,
	             .topic = slice_of_str(o->will_topic),
	             .payload = slice_of_str(o->will_payload),
	             .properties = {.raw = buf_slice(&o->will_properties)}},
	};
}
