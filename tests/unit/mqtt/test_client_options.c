/* Numbers, durations, topics and properties of the clients' command lines. */
#include <getopt.h>

#include "options/client_options.h"
#include "rows.h"

static const struct {
	const char *text;
	uint64_t ms;
	bool ok;
} durations[] = {
    {"5", 5000, true},     {"5s", 5000, true},       {"500ms", 500, true}, {"2m", 120000, true},
    {"1h", 3600000, true}, {"1d", 86400000, true},   {"0", 0, true},       {"", 0, false},
    {"s", 0, false},       {"-1", 0, false},         {"5x", 0, false},     {"5 s", 0, false},
    {"5ss", 0, false},     {"1234567890", 0, false}, {"+5", 0, false},     {"5.5", 0, false},
};

static void parse_durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(durations); i++) {
		uint64_t ms = 0;
		bool ok = client_parse_duration(durations[i].text, &ms);

		if (ok != durations[i].ok || (ok && ms != durations[i].ms))
			fail_msg("'%s': %d, %llu", durations[i].text, ok, (unsigned long long)ms);
	}
}

static void parse_numbers(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(client_parse_number("65535", 65535, &n));
	assert_int_equal(n, 65535);
	assert_false(client_parse_number("65536", 65535, &n));
	assert_false(client_parse_number("", 65535, &n));
	assert_false(client_parse_number("-1", 65535, &n));
	assert_false(client_parse_number(" 1", 65535, &n));
	assert_false(client_parse_number("1a", 65535, &n));
	assert_false(client_parse_number("99999999999999999999999", UINT32_MAX, &n));
}

static void check_topics(void **state)
{
	(void)state;
	assert_int_equal(client_check_topic("a/b"), 0);
	assert_int_equal(client_check_topic("a/+"), EXIT_USAGE);
	assert_int_equal(client_check_topic(""), EXIT_USAGE);
	assert_int_equal(client_check_filter("a/+/#", MQTT_5_0), 0);
	assert_int_equal(client_check_filter("a/#/b", MQTT_5_0), EXIT_USAGE);
	assert_int_equal(client_check_filter("$share/g/a", MQTT_5_0), 0);
	assert_int_equal(client_check_filter("$share/g", MQTT_5_0), EXIT_USAGE);
	assert_int_equal(client_check_filter("$share/g", MQTT_3_1_1), 0);
}

/* The words of a command line, and what they become: a block, or the exit status. */
static const struct {
	const char *words[6];
	const char *publish, *will;
	int status;
} lines[] = {
    {{"-D", "publish", "content-type", "t"}, "03 0001 't'", "", -1},
    {{"-D", "publish", "user-property", "k", "v"}, "26 0001 'k' 0001 'v'", "", -1},
    {{"-D", "publish", "message-expiry-interval", "60"}, "02 0000003c", "", -1},
    {{"-D", "will", "will-delay-interval", "5"}, "", "18 00000005", -1},
    {{"-D", "publish", "will-delay-interval", "5"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "publish", "payload-format-indicator", "2"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "publish", "payload-format-indicator", "x"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "publish", "topic-alias", "65536"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "publish", "content-type"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "publish", "user-property", "k"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "publish", "contents", "x"}, NULL, NULL, EXIT_USAGE},
    {{"-D", "pingreq", "content-type", "x"}, NULL, NULL, EXIT_USAGE},
    {{"-P", "secret"}, NULL, NULL, EXIT_USAGE},
    {{"-p", "0"}, NULL, NULL, EXIT_USAGE},
    {{"-V", "6"}, NULL, NULL, EXIT_USAGE},
};

static void print_usage(FILE *to)
{
	client_options_usage(to, "usage: test\n");
}

static int read_words(struct client_options *o, const char *const *words, size_t max)
{
	char *argv[8] = {(char *)(uintptr_t) "test"};
	int argc = 1;

	for (size_t i = 0; i < max && words[i] != NULL; i++)
		argv[argc++] = (char *)(uintptr_t)words[i];
	optind = 0;
	client_options_init(o);
	return client_options_read(o, argc, argv);
}

static void command_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct client_options o;
		int status = read_words(&o, lines[i].words, COUNT(lines[i].words));

		if (status != lines[i].status)
			fail_msg("%s %s %s: %d", lines[i].words[0], lines[i].words[1],
			         lines[i].words[2], status);
		if (status < 0) {
			expect_bytes("publish", &o.publish_properties, lines[i].publish);
			expect_bytes("will", &o.will_properties, lines[i].will);
		}
		client_options_fini(&o);
	}
}

static const struct {
	const char *text, *user, *host, *topic;
	uint16_t port;
	int status;
} urls[] = {
    {"mqtts://anna@host:1", "anna", "host", NULL, 1, -1},
    {"mqtts://[::1]:2", NULL, "::1", NULL, 2, -1},
    {"mqtts://[::1]", NULL, "::1", NULL, 0, -1},
    {"mqtts://host/", NULL, "host", NULL, 0, -1},
    {"mqtts://host:3/cellar/lamp/on", NULL, "host", "cellar/lamp/on", 3, -1},
    {"mqtts://anna@host//from/root", "anna", "host", "/from/root", 0, -1},
    {"mqtts://host/who:is@this", NULL, "host", "who:is@this", 0, -1},
    {"mqtts://anna:secret@host", NULL, NULL, NULL, 0, EXIT_USAGE},
    {"mqtt://host", NULL, NULL, NULL, 0, EXIT_USAGE},
    {"host", NULL, NULL, NULL, 0, EXIT_USAGE},
    {"mqtts://host:port", NULL, NULL, NULL, 0, EXIT_USAGE},
    {"mqtts://host:0", NULL, NULL, NULL, 0, EXIT_USAGE},
    {"mqtts://anna@/topic", NULL, NULL, NULL, 0, EXIT_USAGE},
};

static bool is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		const char *const words[] = {"-L", urls[i].text, NULL};
		struct client_options o;
		int status = read_words(&o, words, 3);

		if (status != urls[i].status)
			fail_msg("%s: %d", urls[i].text, status);
		if (status < 0 &&
		    (!is_same(o.user, urls[i].user) || !is_same(o.host, urls[i].host) ||
		     !is_same(o.url_topic, urls[i].topic) || o.port != urls[i].port))
			fail_msg("%s: %s at %s, %u, about %s", urls[i].text, o.user, o.host, o.port,
			         o.url_topic);
		client_options_fini(&o);
	}
}

int main(void)
{
	static struct command_option options[CLIENT_OPTION_ROWS_MAX];
	static struct command_line line = {
	    .program = "test", .print_usage = print_usage, .options = options};
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_durations), cmocka_unit_test(parse_numbers),
	    cmocka_unit_test(check_topics),    cmocka_unit_test(command_lines),
	    cmocka_unit_test(addresses),
	};

	line.option_count = client_options_rows(options);
	command_line_start(&line);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("client options", tests, NULL, NULL);
}
