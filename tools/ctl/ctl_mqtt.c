/* Subscribe to the answer's topic, ask, and read pages until the last line. */
#include "ctl/ctl_mqtt.h"

#include <string.h>

#include "base/array.h"
#include "base/random.h"
#include "base/require.h"
#include "ctl/ctl_answer.h"
#include "pubsub/client_run.h"

#define TOPIC_PREFIX      "$CONTROL/vakt/v1/"
#define CORRELATION_BYTES 16

/* --- options --- */

static const char *const option_names[] = {
    "host",         "port",        "url",           "unix",
    "profile",      "username",    "password-file", "password-command",
    "ask-password", "id",          "wait",          "cafile",
    "capath",       "cert",        "key",           "key-password-file",
    "pin",          "server-name", "insecure",      "debug",
    "scram",
};

static bool is_taken(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(option_names); i++) {
		if (strcmp(option_names[i], name) == 0)
			return true;
	}
	return false;
}

/* --user and --id are of a client here: -u and --username, -i and --client-id are who asks. */
size_t ctl_mqtt_rows(struct command_option *rows)
{
	struct command_option all[CLIENT_OPTION_ROWS_MAX];
	size_t count = client_options_rows(all), taken = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_taken(all[i].name))
			continue;
		rows[taken] = all[i];
		if (strcmp(all[i].name, "username") == 0)
			rows[taken].letter = 'u';
		if (strcmp(all[i].name, "id") == 0)
			rows[taken].name = "client-id";
		taken++;
	}
	REQUIRE(taken == ARRAY_LEN(option_names));
	return taken;
}

bool ctl_mqtt_is_meant(const struct client_options *client)
{
	return client->host != NULL || client->socket != NULL || client->profile != NULL;
}

/* --- asking --- */

struct ctl_mqtt {
	struct client_run run;
	struct ctl_answer answer;
	struct buf topic, answer_topic, properties, payload;
	uint8_t correlation[CORRELATION_BYTES];
	enum ctl_answer_state state;
	bool was_sent;
};

static void on_open(void *tool, bool session_present)
{
	struct ctl_mqtt *m = tool;
	struct subscribe_entry entry = {buf_slice(&m->answer_topic), {.qos = 0}};

	(void)session_present;
	(void)mqtt_protocol_subscribe(&m->run.connection.protocol, &entry, 1, SLICE_EMPTY, 0);
}

static void send_request(struct ctl_mqtt *m)
{
	struct publish_out request = {.qos = 1,
	                              .topic = buf_slice(&m->topic),
	                              .payload = buf_slice(&m->payload),
	                              .forwarded = buf_slice(&m->properties)};
	enum mqtt_result result;

	REQUIRE(!m->was_sent);
	result = mqtt_protocol_publish(&m->run.connection.protocol, &request, 0);
	m->was_sent = true;
	if (result != MQTT_DONE)
		client_run_end(&m->run, client_run_report_result(result, "the request"));
}

static void on_answer(void *tool, const struct mqtt_answer *a)
{
	struct ctl_mqtt *m = tool;
	const char *command = m->answer.command->name;

	if (a->request == PACKET_SUBSCRIBE && a->reason >= REASON_UNSPECIFIED)
		client_run_end(&m->run,
		               client_run_report(a->reason, a->properties,
		                                 "the rules do not let this user subscribe to "
		                                 "%.*s, where answers come",
		                                 (int)m->answer_topic.len,
		                                 (const char *)m->answer_topic.data));
	else if (a->request == PACKET_SUBSCRIBE)
		send_request(m);
	else if (a->request == PACKET_PUBLISH && a->reason >= REASON_UNSPECIFIED)
		client_run_end(&m->run,
		               client_run_report(a->reason, a->properties,
		                                 "the broker does not answer '%s'", command));
}

/* The last line ends the run, with success for now. */
static bool on_message(void *tool, const struct publish *message)
{
	struct ctl_mqtt *m = tool;
	struct slice left = message->payload;

	if (message->retain || !slice_equal(message->properties.correlation_data,
	                                    slice_of(m->correlation, sizeof(m->correlation))))
		return true;
	while (m->state == ANSWER_GOES_ON && left.len > 0) {
		const uint8_t *end = memchr(left.data, '\n', left.len);
		size_t len = end == NULL ? left.len : (size_t)(end + 1 - left.data);

		m->state = ctl_answer_take_line(&m->answer, (const char *)left.data, len);
		left = slice_skip(left, len);
	}
	if (m->state != ANSWER_GOES_ON)
		client_run_end(&m->run, m->state == ANSWER_DONE ? 0 : EXIT_FAILED);
	return true;
}

static void on_turn(void *tool)
{
	(void)client_run_flush(&((struct ctl_mqtt *)tool)->run);
}

static int on_deadline(void *tool)
{
	const struct ctl_mqtt *m = tool;

	if (!m->run.was_open)
		return report_error(CLIENT_CANNOT_CONNECT,
		                    "no connection within the time of --wait");
	return report_error(CLIENT_TIMED_OUT, "no complete answer within the time of --wait");
}

static int on_signal(void *tool)
{
	(void)tool;
	return EXIT_FAILED;
}

static const struct client_hooks hooks = {
    .on_open = on_open,
    .on_message = on_message,
    .on_answer = on_answer,
    .on_turn = on_turn,
    .on_deadline = on_deadline,
    .on_signal = on_signal,
};

/* Chance, so that an earlier answer is not taken for this one. */
static void prepare(struct ctl_mqtt *m, const struct client_options *client,
                    const struct ctl_options *o, const struct ctl_command *command)
{
	random_bytes(m->correlation, sizeof(m->correlation));
	buf_printf(&m->topic, TOPIC_PREFIX "%s", command->name);
	buf_printf(&m->answer_topic, TOPIC_PREFIX "answer/%s", client->client_id);
	property_put_string(&m->properties, PROPERTY_RESPONSE_TOPIC, buf_slice(&m->answer_topic));
	property_put_string(&m->properties, PROPERTY_CORRELATION_DATA,
	                    slice_of(m->correlation, sizeof(m->correlation)));
	ctl_command_put_members(&m->payload, o, command);
}

int ctl_mqtt_ask(const struct client_options *client, const struct ctl_options *o,
                 const struct ctl_command *command, size_t *rows)
{
	static struct ctl_mqtt m;
	int status;

	REQUIRE(client->client_id != NULL);
	m = (struct ctl_mqtt){.state = ANSWER_GOES_ON};
	ctl_answer_init(&m.answer, o, command);
	prepare(&m, client, o, command);
	status = client_run_init(&m.run, client, &hooks, &m);
	if (status == 0)
		status = client_run_loop(&m.run);
	if (status == 0)
		status = m.state == ANSWER_DONE ? ctl_answer_print(&m.answer) : EXIT_FAILED;
	if (rows != NULL)
		*rows = m.answer.rows;
	ctl_answer_fini(&m.answer);
	buf_fini(&m.topic);
	buf_fini(&m.answer_topic);
	buf_fini(&m.properties);
	buf_fini(&m.payload);
	return status;
}
