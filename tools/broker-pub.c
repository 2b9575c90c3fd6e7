/* broker-pub(1): publish a message, or each line of standard input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "pubsub/client_command.h"
#include "pubsub/client_run.h"

#define INPUT_BYTES ((size_t)65536)
/* What may wait for the network before the next line is read. */
#define BACKLOG_MAX ((size_t)1 << 20)

struct pub {
	struct message_options options; /* first */
	const char *topic;
	uint64_t repeats, delay_ms;
	bool lines;

	struct client_run run;
	struct buf payload; /* one message, or what was read and not yet sent */
	size_t sent_bytes;  /* of the lines */
	uint64_t left;      /* messages that are still to be sent */
	uint8_t *input;
	uv_fs_t read;
	uv_timer_t pause;
	uint64_t sent, acknowledged;
	int status; /* of refused messages */
	bool reading, at_end, pausing;
};

static const char usage_text[] =
    "usage: broker-pub -t TOPIC -m TEXT | -f FILE | -s | -l | -n [options]\n"
    "\n"
    "Publishes a message, or one for each line of standard input.\n"
    "  -t, --topic TOPIC\n"
    "  -m, --message TEXT       the message\n"
    "  -f, --file FILE          the content of a file\n"
    "  -s, --stdin-file         all of standard input, as one message\n"
    "  -l, --stdin-line         each line of standard input, as it comes\n"
    "  -n, --null-message       an empty message\n"
    "  -q, --qos N              default: 0; 1 and 2 wait for the acknowledgement\n"
    "  -r, --retain             the server keeps it for later subscribers; -n -r removes it\n"
    "  --repeat N, --repeat-delay DURATION\n";

static void print_usage(FILE *to)
{
	client_options_usage(to, usage_text);
}

/* ---- options ---- */

static int take_topic(void *options, const char *value)
{
	struct pub *p = options;

	if (p->topic != NULL)
		return report_usage("-t, and -L with a topic: there is one topic for each call");
	p->topic = value;
	return 0;
}

static int take_repeat(void *options, const char *value)
{
	struct pub *p = options;

	if (!client_parse_number(value, UINT32_MAX, &p->repeats) || p->repeats == 0)
		return report_usage("--repeat: '%s' is no number of messages from 1", value);
	return 0;
}

static int take_delay(void *options, const char *value)
{
	if (client_parse_duration(value, &((struct pub *)options)->delay_ms))
		return 0;
	return report_usage("--repeat-delay: '%s' is no duration: 5, 500ms, 2m", value);
}

COMMAND_TAKE_FLAG(take_lines, pub, lines)

static const struct command_option rows_of_pub[] = {
    {"topic", 't', true, take_topic},
    {"stdin-line", 'l', false, take_lines},
    {"repeat", 0, true, take_repeat},
    {"repeat-delay", 0, true, take_delay},
};

static int check_options(const struct pub *p)
{
	int sources = payload_source_count(&p->options.source) + (int)p->lines;

	if (p->topic == NULL)
		return report_usage("where to? -t TOPIC");
	if (sources != 1)
		return report_usage(sources == 0 ? "what to publish? -m TEXT, -f FILE, -s, -l or -n"
		                                 : "give one of -m, -f, -s, -l and -n");
	if (p->lines && p->repeats > 0)
		return report_usage("--repeat is for one message, -l for many");
	return client_check_topic(p->topic);
}

/* ---- publishing ---- */

static void send_next(struct pub *p);

/* False: not now, try again after an event. */
static bool publish(struct pub *p, struct slice payload)
{
	struct publish_out message = {
	    .qos = p->options.qos,
	    .retain = p->options.retain,
	    .topic = slice_of_str(p->topic),
	    .forwarded = buf_slice(&p->options.client.publish_properties),
	    .payload = payload,
	};
	enum mqtt_result result;

	REQUIRE(p->options.qos <= 2 && p->topic != NULL);
	if (mqtt_connection_backlog(&p->run.connection) > BACKLOG_MAX)
		return false;
	result = mqtt_protocol_publish(&p->run.connection.protocol, &message, p->sent);
	if (result == MQTT_NOT_OPEN || result == MQTT_WINDOW_FULL)
		return false;
	if (result == MQTT_DONE)
		p->sent++;
	else
		p->status = client_run_report_result(result, p->topic);
	return true;
}

static bool all_is_sent(const struct pub *p)
{
	return (p->lines ? p->at_end && p->sent_bytes == p->payload.len : p->left == 0) &&
	       p->run.connection.protocol.state == MQTT_OPEN &&
	       mqtt_protocol_in_flight(&p->run.connection.protocol) == 0 &&
	       mqtt_connection_backlog(&p->run.connection) == 0;
}

static void on_read_lines(uv_fs_t *request)
{
	struct pub *p = request->data;
	ssize_t n = request->result;

	REQUIRE(p->reading && n <= (ssize_t)INPUT_BYTES);
	uv_fs_req_cleanup(request);
	p->reading = false;
	if (n < 0) {
		(void)report_error(0, "cannot read standard input: %s", uv_strerror((int)n));
		p->status = EXIT_FAILED;
	}
	if (n <= 0)
		p->at_end = true;
	else
		buf_put(&p->payload, p->input, (size_t)n);
	send_next(p);
}

static void read_lines(struct pub *p)
{
	uv_buf_t buffer = uv_buf_init((char *)p->input, INPUT_BYTES);

	if (p->reading || p->at_end)
		return;
	p->read.data = p;
	p->reading = uv_fs_read(&p->run.loop, &p->read, 0, &buffer, 1, -1, on_read_lines) == 0;
}

static void send_lines(struct pub *p)
{
	for (;;) {
		const uint8_t *start = p->payload.data + p->sent_bytes;
		size_t len = p->payload.len - p->sent_bytes;
		const uint8_t *end = len == 0 ? NULL : memchr(start, '\n', len);

		if (end == NULL && !(p->at_end && len > 0))
			break;
		if (end != NULL)
			len = (size_t)(end - start);
		if (!publish(p, slice_of(start, len)))
			return;
		p->sent_bytes += len + (end != NULL);
	}
	buf_consume(&p->payload, p->sent_bytes);
	p->sent_bytes = 0;
	if (p->payload.len > FRAME_BODY_MAX) {
		client_run_end(&p->run,
		               report_error(EXIT_FAILED, "a line of standard input is larger "
		                                         "than a message can be (256 MB)"));
		return;
	}
	read_lines(p);
}

static void on_pause_over(uv_timer_t *timer)
{
	struct pub *p = timer->data;

	p->pausing = false;
	send_next(p);
}

static void send_copies(struct pub *p)
{
	while (p->left > 0 && !p->pausing && publish(p, buf_slice(&p->payload))) {
		p->left--;
		if (p->delay_ms == 0 || p->left == 0)
			continue;
		p->pausing = true;
		(void)uv_timer_start(&p->pause, on_pause_over, p->delay_ms, 0);
	}
}

/* All that can be sent now; and the end. */
static void send_next(struct pub *p)
{
	if (p->run.has_ended)
		return;
	if (p->lines)
		send_lines(p);
	else
		send_copies(p);
	mqtt_connection_flush(&p->run.connection);
	if (!p->run.connection.in_events && all_is_sent(p))
		client_run_end(&p->run, p->status);
}

/* ---- events ---- */

static void on_open(void *tool, bool session_present)
{
	(void)session_present;
	send_next(tool);
}

/* Of a kept session. */
static bool on_message(void *tool, const struct publish *message)
{
	(void)tool;
	(void)message;
	return true;
}

static void on_answer(void *tool, const struct mqtt_answer *a)
{
	struct pub *p = tool;

	REQUIRE(a->request == PACKET_PUBLISH && p->acknowledged < p->sent);
	p->acknowledged++;
	if (a->reason >= REASON_UNSPECIFIED)
		p->status = client_run_report(a->reason, a->properties,
		                              p->lines ? "line %llu was not published to '%s'"
		                                       : "message %llu was not published to '%s'",
		                              (unsigned long long)a->cookie + 1, p->topic);
	else if (p->options.client.debug && a->reason == REASON_NO_MATCHING_SUBSCRIBERS)
		(void)report_error(0, "nobody is subscribed to '%s'", p->topic);
}

static void on_turn(void *tool)
{
	struct pub *p = tool;

	/* The end comes when everything is written: after the events of this turn. */
	send_next(p);
	if (!p->pausing && !p->run.has_ended)
		(void)uv_timer_start(&p->pause, on_pause_over, 0, 0);
}

static int report_unfinished(const struct pub *p, int status, const char *what)
{
	unsigned long long waiting = p->run.connection.protocol.in_flight.publishing;

	if (!p->run.was_open)
		return report_error(status, "no connection %s", what);
	return report_error(status,
	                    "%llu messages were sent %s, of which %llu are not acknowledged",
	                    (unsigned long long)p->sent, what, waiting);
}

static int on_deadline(void *tool)
{
	const struct pub *p = tool;

	return report_unfinished(p, p->run.was_open ? CLIENT_TIMED_OUT : CLIENT_CANNOT_CONNECT,
	                         "within the time of --wait");
}

static int on_signal(void *tool)
{
	return report_unfinished(tool, EXIT_FAILED, "before the signal");
}

static void on_drained(void *tool)
{
	send_next(tool);
}

static const struct client_hooks hooks = {
    .on_open = on_open,
    .on_message = on_message,
    .on_answer = on_answer,
    .on_turn = on_turn,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .on_signal = on_signal,
};

static int run(struct pub *p)
{
	int rc = client_options_finish(&p->options.client);

	if (rc == 0 && p->options.client.url_topic != NULL)
		rc = take_topic(p, p->options.client.url_topic);
	if (rc == 0)
		rc = check_options(p);
	if (rc == 0)
		rc = payload_source_read(&p->options.source, &p->payload);
	if (rc == 0)
		rc = client_run_init(&p->run, &p->options.client, &hooks, p);
	if (rc != 0)
		return rc;
	p->left = p->lines ? 0 : p->repeats == 0 ? 1 : p->repeats;
	p->input = xalloc(INPUT_BYTES);
	(void)uv_timer_init(&p->run.loop, &p->pause);
	p->pause.data = p;
	return client_run_loop(&p->run);
}

static const struct client_command command = {
    .program = "broker-pub",
    .print_usage = print_usage,
    .options = rows_of_pub,
    .option_count = ARRAY_LEN(rows_of_pub),
    .publishes = true,
    .instead_of_arguments = "the topic is given with -t, the message with -m",
};

int main(int argc, char **argv)
{
	static struct pub p;
	int rc;

	client_command_start(&command);
	rc = client_command_read(&p.options, argc, argv);
	if (rc >= 0)
		return rc;
	rc = run(&p);
	/* The thread that reads standard input may still have p.input. */
	buf_fini(&p.payload);
	client_options_fini(&p.options.client);
	client_run_exit(rc);
}
