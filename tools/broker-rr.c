/* broker-rr(1): publish a request, and write the answer to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/require.h"
#include "pubsub/client_run.h"
#include "pubsub/message_output.h"
#include "pubsub/payload_source.h"

#define WAIT_MS           30000
#define CORRELATION_BYTES 16

struct rr {
	struct client_options options; /* first */
	struct payload_source source;
	struct message_output output;
	const char *topic, *response_topic;
	uint64_t count;
	uint8_t qos;
	bool retain;

	struct client_run run;
	struct buf payload, properties, line;
	uint8_t correlation[CORRELATION_BYTES];
	char *made_topic;
	uint64_t answered;
	bool was_sent;
};

static const char usage_text[] =
    "usage: broker-rr -t TOPIC -m TEXT | -f FILE | -s | -n [-e RESPONSE-TOPIC] [options]\n"
    "\n"
    "Publishes a request, and writes the answer to standard output.\n"
    "  -t, --topic TOPIC\n"
    "  -e, --response-topic TOPIC   where the answer comes (default: response/CLIENT-ID)\n"
    "  -m, --message TEXT, -f, --file FILE, -s, --stdin-file, -n, --null-message\n"
    "  -q, --qos N              default: 0\n"
    "  -r, --retain             the server keeps the request\n"
    "  -C, --count N            so many answers (default: 1)\n"
    "  --output text|json|csv|raw, -v, -F FORMAT, -N, --pretty   as in broker-sub\n"
    "  -W, --wait DURATION      for the answer; default: 30 s\n";

static void print_usage(FILE *to)
{
	client_options_usage(to, usage_text);
}

/* ---- options ---- */

#define TAKE(function, statement)                                                                  \
	static int function(void *options, const char *value)                                      \
	{                                                                                          \
		struct rr *r = options;                                                            \
                                                                                                   \
		(void)value;                                                                       \
		statement;                                                                         \
		return 0;                                                                          \
	}

TAKE(take_topic, r->topic = value)
TAKE(take_response_topic, r->response_topic = value)
TAKE(take_message, r->source.text = value)
TAKE(take_file, r->source.file = value)
TAKE(take_input, r->source.from_input = true)
TAKE(take_empty, r->source.empty = true)
TAKE(take_retain, r->retain = true)
TAKE(take_verbose, r->output.topics = true)
TAKE(take_no_newline, r->output.no_newline = true)
TAKE(take_pretty, r->output.pretty = true)

static int take_qos(void *options, const char *value)
{
	uint64_t qos;

	if (!client_parse_number(value, 2, &qos))
		return report_usage("-q: '%s' is not 0, 1 or 2", value);
	((struct rr *)options)->qos = (uint8_t)qos;
	return 0;
}

static int take_count(void *options, const char *value)
{
	struct rr *r = options;

	if (!client_parse_number(value, UINT32_MAX, &r->count) || r->count == 0)
		return report_usage("-C: '%s' is no number of answers from 1", value);
	return 0;
}

static int take_output(void *options, const char *value)
{
	return message_output_parse(value, &((struct rr *)options)->output.kind) ? 0 : EXIT_USAGE;
}

static int take_format(void *options, const char *value)
{
	((struct rr *)options)->output.format = value;
	return message_output_check(value) ? 0 : EXIT_USAGE;
}

static const struct command_option rows_of_rr[] = {
    {"topic", 't', true, take_topic},
    {"response-topic", 'e', true, take_response_topic},
    {"message", 'm', true, take_message},
    {"file", 'f', true, take_file},
    {"stdin-file", 's', false, take_input},
    {"null-message", 'n', false, take_empty},
    {"qos", 'q', true, take_qos},
    {"retain", 'r', false, take_retain},
    {"count", 'C', true, take_count},
    {"output", 0, true, take_output},
    {"verbose", 'v', false, take_verbose},
    {"format", 'F', true, take_format},
    {"no-newline", 'N', false, take_no_newline},
    {"pretty", 0, false, take_pretty},
};

static int check_options(struct rr *r)
{
	int sources = payload_source_count(&r->source), rc;

	if (r->topic == NULL)
		return report_usage("where to? -t TOPIC");
	if (sources != 1)
		return report_usage(sources == 0 ? "what to ask? -m TEXT, -f FILE, -s or -n"
		                                 : "give one of -m, -f, -s and -n");
	if (r->response_topic == NULL) {
		r->made_topic = xasprintf("response/%s", r->options.client_id);
		r->response_topic = r->made_topic;
	}
	rc = client_check_topic(r->topic);
	return rc != 0 ? rc : client_check_topic(r->response_topic);
}

/* ---- events ---- */

static void on_open(void *tool, bool session_present)
{
	struct rr *r = tool;
	struct subscribe_entry entry = {slice_of_str(r->response_topic), {.qos = r->qos}};

	(void)session_present;
	(void)mqtt_protocol_subscribe(&r->run.connection.protocol, &entry, 1,
	                              buf_slice(&r->options.subscribe_properties), 0);
}

static void send_request(struct rr *r)
{
	struct publish_out request = {
	    .qos = r->qos,
	    .retain = r->retain,
	    .topic = slice_of_str(r->topic),
	    .payload = buf_slice(&r->payload),
	    .forwarded = buf_slice(&r->properties),
	};
	enum mqtt_result result;

	REQUIRE(r->response_topic != NULL && r->properties.len > 0);
	result = mqtt_protocol_publish(&r->run.connection.protocol, &request, 0);

	if (result != MQTT_DONE)
		client_run_end(&r->run, client_run_report_result(result, r->topic));
	/* QoS 1 and 2 come again by themselves on a new connection; of QoS 0 nobody knows. */
	r->was_sent = true;
}

static void on_answer(void *tool, const struct mqtt_answer *a)
{
	struct rr *r = tool;

	if (a->request == PACKET_SUBSCRIBE && a->reason >= REASON_UNSPECIFIED)
		client_run_end(&r->run, client_run_report(
					    a->reason, a->properties,
					    "not subscribed to '%s', where the answer would come",
					    r->response_topic));
	else if (a->request == PACKET_SUBSCRIBE && (!r->was_sent || r->qos == 0))
		send_request(r);
	else if (a->request == PACKET_PUBLISH && a->reason >= REASON_UNSPECIFIED)
		client_run_end(&r->run, client_run_report(a->reason, a->properties,
		                                          "the request was not published to '%s'",
		                                          r->topic));
	else if (a->request == PACKET_PUBLISH && a->reason == REASON_NO_MATCHING_SUBSCRIBERS &&
	         !r->options.quiet)
		(void)report_error(0, "nobody is subscribed to '%s'; waiting all the same",
		                   r->topic);
}

/* A retained message is no answer: it was there before the question. */
static bool is_answer(const struct rr *r, const struct publish *m)
{
	struct slice data = m->properties.correlation_data;

	if (m->retain || r->answered == r->count)
		return false;
	return r->options.version != MQTT_5_0 || data.len == 0 ||
	       slice_equal(data, slice_of(r->correlation, CORRELATION_BYTES));
}

static bool on_message(void *tool, const struct publish *m)
{
	struct rr *r = tool;

	if (!is_answer(r, m))
		return true;
	buf_clear(&r->line);
	message_output_put(&r->line, &r->output, m, clock_wall_ms());
	(void)fwrite(r->line.data, 1, r->line.len, stdout);
	if (++r->answered == r->count && client_run_flush(&r->run))
		client_run_end(&r->run, 0);
	return true;
}

static void on_turn(void *tool)
{
	(void)client_run_flush(&((struct rr *)tool)->run);
}

static int on_deadline(void *tool)
{
	const struct rr *r = tool;

	if (!r->run.was_open)
		return report_error(CLIENT_CANNOT_CONNECT,
		                    "no connection within the time of --wait");
	return report_error(CLIENT_TIMED_OUT, "no answer on '%s' within the time of --wait",
	                    r->response_topic);
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

/* Chance, so that the answer to another question is not taken for this one's. */
static void make_properties(struct rr *r)
{
	random_bytes(r->correlation, sizeof(r->correlation));
	property_put_string(&r->properties, PROPERTY_RESPONSE_TOPIC,
	                    slice_of_str(r->response_topic));
	property_put_string(&r->properties, PROPERTY_CORRELATION_DATA,
	                    slice_of(r->correlation, sizeof(r->correlation)));
	buf_put_slice(&r->properties, buf_slice(&r->options.publish_properties));
}

static int run(struct rr *r)
{
	int rc = client_options_finish(&r->options);

	if (rc == 0 && r->topic == NULL)
		r->topic = r->options.url_topic;
	else if (rc == 0 && r->options.url_topic != NULL)
		rc = report_usage("-t, and -L with a topic: there is one topic for each call");
	if (rc == 0)
		rc = check_options(r);
	if (rc == 0)
		rc = payload_source_read(&r->source, &r->payload);
	if (rc != 0)
		return rc;
	make_properties(r);
	if (r->options.wait_ms == 0)
		r->options.wait_ms = WAIT_MS;
	rc = client_run_init(&r->run, &r->options, &hooks, r);
	return rc != 0 ? rc : client_run_loop(&r->run);
}

int main(int argc, char **argv)
{
	static struct command_option rows[CLIENT_OPTION_ROWS_MAX + ARRAY_LEN(rows_of_rr)];
	static struct rr r = {.count = 1};
	struct command_line line = {
	    .program = "broker-rr", .print_usage = print_usage, .options = rows};
	int rc;

	memcpy(rows, rows_of_rr, sizeof(rows_of_rr));
	line.option_count =
	    ARRAY_LEN(rows_of_rr) + client_options_rows(rows + ARRAY_LEN(rows_of_rr));
	command_line_start(&line);
	client_options_init(&r.options);
	rc = client_options_read(&r.options, argc, argv);
	if (rc >= 0)
		return rc;
	if (optind < argc)
		return report_usage(
		    "unexpected argument '%s': the topic is given with -t, the request with -m",
		    argv[optind]);
	r.output.escapes = isatty(STDOUT_FILENO) == 1;
	rc = run(&r);
	buf_fini(&r.payload);
	buf_fini(&r.properties);
	buf_fini(&r.line);
	free(r.made_topic);
	client_options_fini(&r.options);
	client_run_exit(rc);
}
