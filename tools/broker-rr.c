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
#include "pubsub/client_command.h"
#include "pubsub/client_run.h"

#define WAIT_MS           30000
#define CORRELATION_BYTES 16

struct rr {
	struct message_options options; /* first */
	const char *topic, *response_topic;

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

COMMAND_TAKE_TEXT(take_topic, rr, topic)
COMMAND_TAKE_TEXT(take_response_topic, rr, response_topic)

static const struct command_option rows_of_rr[] = {
    {"topic", 't', true, take_topic},
    {"response-topic", 'e', true, take_response_topic},
};

static int check_options(struct rr *r)
{
	int sources = payload_source_count(&r->options.source), rc;

	if (r->topic == NULL)
		return report_usage("where to? -t TOPIC");
	if (sources != 1)
		return report_usage(sources == 0 ? "what to ask? -m TEXT, -f FILE, -s or -n"
		                                 : "give one of -m, -f, -s and -n");
	if (r->response_topic == NULL) {
		r->made_topic = xasprintf("response/%s", r->options.client.client_id);
		r->response_topic = r->made_topic;
	}
	rc = client_check_topic(r->topic);
	return rc != 0 ? rc : client_check_topic(r->response_topic);
}

/* ---- events ---- */

static void on_open(void *tool, bool session_present)
{
	struct rr *r = tool;
	struct subscribe_entry entry = {slice_of_str(r->response_topic), {.qos = r->options.qos}};

	(void)session_present;
	(void)mqtt_protocol_subscribe(&r->run.connection.protocol, &entry, 1,
	                              buf_slice(&r->options.client.subscribe_properties), 0);
}

static void send_request(struct rr *r)
{
	struct publish_out request = {
	    .qos = r->options.qos,
	    .retain = r->options.retain,
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
	else if (a->request == PACKET_SUBSCRIBE && (!r->was_sent || r->options.qos == 0))
		send_request(r);
	else if (a->request == PACKET_PUBLISH && a->reason >= REASON_UNSPECIFIED)
		client_run_end(&r->run, client_run_report(a->reason, a->properties,
		                                          "the request was not published to '%s'",
		                                          r->topic));
	else if (a->request == PACKET_PUBLISH && a->reason == REASON_NO_MATCHING_SUBSCRIBERS &&
	         !r->options.client.quiet)
		(void)report_error(0, "nobody is subscribed to '%s'; waiting all the same",
		                   r->topic);
}

/* A retained message is no answer: it was there before the question. */
static bool is_answer(const struct rr *r, const struct publish *m)
{
	struct slice data = m->properties.correlation_data;

	if (m->retain || r->answered == r->options.count)
		return false;
	return r->options.client.version != MQTT_5_0 || data.len == 0 ||
	       slice_equal(data, slice_of(r->correlation, CORRELATION_BYTES));
}

static bool on_message(void *tool, const struct publish *m)
{
	struct rr *r = tool;

	if (!is_answer(r, m))
		return true;
	buf_clear(&r->line);
	message_output_put(&r->line, &r->options.output, m, clock_wall_ms());
	(void)fwrite(r->line.data, 1, r->line.len, stdout);
	if (++r->answered == r->options.count && client_run_flush(&r->run))
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
	buf_put_slice(&r->properties, buf_slice(&r->options.client.publish_properties));
}

static int run(struct rr *r)
{
	int rc = client_options_finish(&r->options.client);

	if (rc == 0 && r->topic == NULL)
		r->topic = r->options.client.url_topic;
	else if (rc == 0 && r->options.client.url_topic != NULL)
		rc = report_usage("-t, and -L with a topic: there is one topic for each call");
	if (rc == 0)
		rc = check_options(r);
	if (rc == 0)
		rc = payload_source_read(&r->options.source, &r->payload);
	if (rc != 0)
		return rc;
	make_properties(r);
	if (r->options.count == 0)
		r->options.count = 1;
	if (r->options.client.wait_ms == 0)
		r->options.client.wait_ms = WAIT_MS;
	rc = client_run_init(&r->run, &r->options.client, &hooks, r);
	return rc != 0 ? rc : client_run_loop(&r->run);
}

static const struct client_command command = {
    .program = "broker-rr",
    .print_usage = print_usage,
    .options = rows_of_rr,
    .option_count = ARRAY_LEN(rows_of_rr),
    .publishes = true,
    .prints = true,
    .instead_of_arguments = "the topic is given with -t, the request with -m",
};

int main(int argc, char **argv)
{
	static struct rr r;
	int rc;

	client_command_start(&command);
	rc = client_command_read(&r.options, argc, argv);
	if (rc >= 0)
		return rc;
	rc = run(&r);
	buf_fini(&r.payload);
	buf_fini(&r.properties);
	buf_fini(&r.line);
	free(r.made_topic);
	client_options_fini(&r.options.client);
	client_run_exit(rc);
}
