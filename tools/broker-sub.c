/* broker-sub(1): subscribe, and write what comes to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/require.h"
#include "proto/topic.h"
#include "pubsub/client_command.h"
#include "pubsub/client_run.h"

#define CLEARED_MAX 60000 /* retained messages whose removal is under way */

struct sub {
	struct message_options options; /* first */
	struct subscription_options subscription;
	const char **filters, **hidden, **unsubscribed;
	size_t filter_count, hidden_count, unsubscribed_count;
	uint64_t received;
	bool exits_after_suback, no_retained, retained_only, removes_retained;

	struct client_run run;
	struct buf line;
	size_t refused_count; /* filters */
	int refused_status;
	bool subscribed, done; /* done: only removals are awaited */
	int done_status;
};

static const char usage_text[] =
    "usage: broker-sub -t FILTER [-t FILTER]... [options]\n"
    "\n"
    "Subscribes, and writes what comes to standard output.\n"
    "  -t, --topic FILTER       may be given several times\n"
    "  -q, --qos N              default: 0\n"
    "  -T, --filter-out FILTER  leave out what matches\n"
    "  -U, --unsubscribe FILTER unsubscribe first (of a kept session)\n"
    "  -C, --count N            end after so many messages\n"
    "  -E                       end when the subscriptions are acknowledged\n"
    "  -R                       leave out retained messages\n"
    "  --retained-only          only retained messages; end with the first that is not\n"
    "  --remove-retained        remove the retained messages that come\n"
    "  --retain-handling N      0: send retained messages, 1: if the subscription is new, 2: none\n"
    "  --retain-as-published    keep the flag as its publisher set it\n"
    "  --no-local               not what this client itself published\n"
    "Output:\n"
    "  --output text|json|csv|raw   default: text, a payload in a line\n"
    "  -v, --verbose            the topic before the payload\n"
    "  -F, --format FORMAT      %t topic, %p payload, %q QoS, %r retained, %j JSON: see the "
    "manual\n"
    "  -N                       no newline after a payload\n"
    "  --pretty                 JSON in several lines\n";

static void print_usage(FILE *to)
{
	client_options_usage(to, usage_text);
}

/* ---- options ---- */

static int add_filter(struct sub *s, const char ***list, size_t *count, const char *value)
{
	(void)s;
	*list = xrealloc_array(*list, *count + 1, sizeof(**list));
	(*list)[(*count)++] = value;
	return 0;
}

static int take_topic(void *options, const char *value)
{
	struct sub *s = options;

	return add_filter(s, &s->filters, &s->filter_count, value);
}

static int take_hidden(void *options, const char *value)
{
	struct sub *s = options;

	return add_filter(s, &s->hidden, &s->hidden_count, value);
}

static int take_unsubscribe(void *options, const char *value)
{
	struct sub *s = options;

	return add_filter(s, &s->unsubscribed, &s->unsubscribed_count, value);
}

static int take_handling(void *options, const char *value)
{
	uint64_t handling;

	if (!client_parse_number(value, 2, &handling))
		return report_usage("--retain-handling: '%s' is not 0, 1 or 2", value);
	((struct sub *)options)->subscription.retain_handling = (uint8_t)handling;
	return 0;
}

COMMAND_TAKE_FLAG(take_exit, sub, exits_after_suback)
COMMAND_TAKE_FLAG(take_no_retained, sub, no_retained)
COMMAND_TAKE_FLAG(take_retained_only, sub, retained_only)
COMMAND_TAKE_FLAG(take_remove, sub, removes_retained)
COMMAND_TAKE_FLAG(take_as_published, sub, subscription.retain_as_published)
COMMAND_TAKE_FLAG(take_no_local, sub, subscription.no_local)

static const struct command_option rows_of_sub[] = {
    {"topic", 't', true, take_topic},
    {"filter-out", 'T', true, take_hidden},
    {"unsubscribe", 'U', true, take_unsubscribe},
    {"exit-after-suback", 'E', false, take_exit},
    {"no-retained", 'R', false, take_no_retained},
    {"retained-only", 0, false, take_retained_only},
    {"remove-retained", 0, false, take_remove},
    {"retain-handling", 0, true, take_handling},
    {"retain-as-published", 0, false, take_as_published},
    {"no-local", 0, false, take_no_local},
};

static int check_options(const struct sub *s)
{
	enum mqtt_version version = s->options.client.version;
	int rc = 0;

	if (s->filter_count == 0 && s->unsubscribed_count == 0)
		return report_usage("what to subscribe to? -t FILTER");
	if (s->no_retained && (s->retained_only || s->removes_retained))
		return report_usage(
		    "-R leaves out what --retained-only and --remove-retained want");
	for (size_t i = 0; i < s->filter_count && rc == 0; i++)
		rc = client_check_filter(s->filters[i], version);
	for (size_t i = 0; i < s->hidden_count && rc == 0; i++)
		rc = client_check_filter(s->hidden[i], MQTT_3_1_1);
	for (size_t i = 0; i < s->unsubscribed_count && rc == 0; i++)
		rc = client_check_filter(s->unsubscribed[i], version);
	if (rc == 0 && version == MQTT_3_1_1 &&
	    (s->subscription.no_local || s->subscription.retain_as_published ||
	     s->subscription.retain_handling != 0))
		return report_usage(
		    "--no-local, --retain-as-published and --retain-handling are for "
		    "MQTT 5");
	return rc;
}

/* ---- events ---- */

/* Removals of retained messages are awaited. */
static void end_with(struct sub *s, int status)
{
	REQUIRE(status >= 0);
	s->done = true;
	s->done_status = status != 0 ? status : s->refused_status;
	if (mqtt_protocol_in_flight(&s->run.connection.protocol) == 0)
		client_run_end(&s->run, s->done_status);
}

static void on_open(void *tool, bool session_present)
{
	struct sub *s = tool;
	struct mqtt_protocol *p = &s->run.connection.protocol;
	struct slice properties = buf_slice(&s->options.client.subscribe_properties);

	for (size_t i = 0; i < s->unsubscribed_count; i++) {
		struct slice filter = slice_of_str(s->unsubscribed[i]);

		(void)mqtt_protocol_unsubscribe(
		    p, &filter, 1, buf_slice(&s->options.client.unsubscribe_properties), i);
	}
	/* On a later connection, a session that is still there has them. */
	if (session_present && s->subscribed)
		return;
	for (size_t i = 0; i < s->filter_count; i++) {
		struct subscribe_entry entry = {slice_of_str(s->filters[i]), s->subscription};

		(void)mqtt_protocol_subscribe(p, &entry, 1, properties, i);
	}
}

static void remove_retained(struct sub *s, const struct publish *m)
{
	struct publish_out empty = {.qos = 1, .retain = true, .topic = m->topic};
	enum mqtt_result result = mqtt_protocol_publish(&s->run.connection.protocol, &empty, 0);

	if (result == MQTT_QOS_TOO_HIGH) {
		empty.qos = 0;
		result = mqtt_protocol_publish(&s->run.connection.protocol, &empty, 0);
	}
	if (result != MQTT_DONE) {
		char *topic = slice_dup(m->topic);

		s->refused_status = client_run_report_result(result, topic);
		free(topic);
	}
}

static bool is_hidden(const struct sub *s, const struct publish *m)
{
	if (m->retain ? s->no_retained : s->retained_only)
		return true;
	/* The removals come back as live messages. */
	if (s->removes_retained && !m->retain && m->payload.len == 0)
		return true;
	for (size_t i = 0; i < s->hidden_count; i++) {
		if (topic_matches(slice_of_str(s->hidden[i]), m->topic))
			return true;
	}
	return false;
}

static bool on_message(void *tool, const struct publish *m)
{
	struct sub *s = tool;

	if (s->done)
		return false; /* of a kept session it comes again */
	if (s->retained_only && !m->retain)
		end_with(s, 0);
	if (is_hidden(s, m))
		return true;
	if (s->removes_retained && m->retain && m->payload.len > 0)
		remove_retained(s, m);
	buf_clear(&s->line);
	message_output_put(&s->line, &s->options.output, m, clock_wall_ms());
	(void)fwrite(s->line.data, 1, s->line.len, stdout);
	if (s->line.cap > CLEARED_MAX)
		buf_fini(&s->line);
	if (++s->received == s->options.count)
		end_with(s, 0);
	return true;
}

static void on_subscribed(struct sub *s, const struct mqtt_answer *a)
{
	REQUIRE(a->cookie < s->filter_count);
	s->subscribed = true;
	if (a->reason >= REASON_UNSPECIFIED) {
		s->refused_status = client_run_report(
		    a->reason, a->properties,
		    s->options.client.version == MQTT_5_0
			? "not subscribed to '%s'"
			: "not subscribed to '%s' (MQTT 3.1.1 gives no reason, -V 5 does)",
		    s->filters[a->cookie]);
		s->refused_count++;
	} else if (s->options.client.debug) {
		(void)report_error(0, "subscribed to '%s' with QoS %u", s->filters[a->cookie],
		                   (unsigned)a->reason);
	}
}

static void on_answer(void *tool, const struct mqtt_answer *a)
{
	struct sub *s = tool;

	if (a->request == PACKET_SUBSCRIBE)
		on_subscribed(s, a);
	else if (a->request == PACKET_PUBLISH && a->reason >= REASON_UNSPECIFIED)
		s->refused_status = client_run_report(a->reason, a->properties,
		                                      "a retained message was not removed");
	else if (a->request == PACKET_UNSUBSCRIBE && a->reason >= REASON_UNSPECIFIED)
		s->refused_status = client_run_report(a->reason, a->properties, "not unsubscribed");
	if (mqtt_protocol_in_flight(&s->run.connection.protocol) > 0)
		return;
	if (s->done)
		client_run_end(&s->run, s->done_status);
	else if (s->refused_count == s->filter_count || s->exits_after_suback)
		client_run_end(&s->run, s->refused_status);
}

static void on_turn(void *tool)
{
	struct sub *s = tool;

	(void)client_run_flush(&s->run);
}

static int on_deadline(void *tool)
{
	struct sub *s = tool;

	if (!s->run.was_open)
		return report_error(CLIENT_CANNOT_CONNECT,
		                    "no connection within the time of --wait");
	if (s->options.count == 0)
		return s->refused_status;
	return report_error(CLIENT_TIMED_OUT,
	                    "%llu of %llu messages came within the time of --wait",
	                    (unsigned long long)s->received, (unsigned long long)s->options.count);
}

static int on_signal(void *tool)
{
	struct sub *s = tool;

	return s->options.count > 0 || !s->run.was_open ? EXIT_FAILED : s->refused_status;
}

static const struct client_hooks hooks = {
    .on_open = on_open,
    .on_message = on_message,
    .on_answer = on_answer,
    .on_turn = on_turn,
    .on_deadline = on_deadline,
    .on_signal = on_signal,
};

static int run(struct sub *s)
{
	int rc = client_options_finish(&s->options.client);

	if (rc == 0 && s->options.client.url_topic != NULL)
		rc = take_topic(s, s->options.client.url_topic);
	s->subscription.qos = s->options.qos;
	if (rc == 0)
		rc = check_options(s);
	if (rc == 0)
		rc = client_run_init(&s->run, &s->options.client, &hooks, s);
	if (rc == 0)
		rc = client_run_loop(&s->run);
	return rc;
}

static const struct client_command command = {
    .program = "broker-sub",
    .print_usage = print_usage,
    .options = rows_of_sub,
    .option_count = ARRAY_LEN(rows_of_sub),
    .prints = true,
    .instead_of_arguments = "filters are given with -t",
};

int main(int argc, char **argv)
{
	static struct sub s;
	int rc;

	client_command_start(&command);
	rc = client_command_read(&s.options, argc, argv);
	if (rc >= 0)
		return rc;
	rc = run(&s);
	buf_fini(&s.line);
	free(s.filters);
	free(s.hidden);
	free(s.unsubscribed);
	client_options_fini(&s.options.client);
	client_run_exit(rc);
}
