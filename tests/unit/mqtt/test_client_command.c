/* The options of clients that publish, and of those that write messages. */
#include <getopt.h>

#include "pubsub/client_command.h"
#include "rows.h"

static void print_usage(FILE *to)
{
	client_options_usage(to, "usage: test\n");
}

static int take_own(void *options, const char *value)
{
	(void)options;
	return strcmp(value, "right") == 0 ? 0 : EXIT_USAGE;
}

static const struct command_option own[] = {{"own", 0, true, take_own}};

static int read_words(struct message_options *o, const char *const *words, size_t max)
{
	char *argv[12] = {(char *)(uintptr_t) "test"};
	int argc = 1;

	for (size_t i = 0; i < max && words[i] != NULL; i++)
		argv[argc++] = (char *)(uintptr_t)words[i];
	optind = 0;
	*o = (struct message_options){0};
	return client_command_read(o, argc, argv);
}

static void options_fill_their_members(void **state)
{
	static const char *const words[] = {"-q", "2", "-r",  "-m",       "text",
	                                    "-C", "3", "-vN", "--output", "csv"};
	struct message_options o;

	(void)state;
	assert_int_equal(read_words(&o, words, COUNT(words)), -1);
	assert_int_equal(o.qos, 2);
	assert_true(o.retain);
	assert_string_equal(o.source.text, "text");
	assert_int_equal(o.count, 3);
	assert_int_equal(o.output.kind, OUTPUT_CSV);
	assert_true(o.output.topics && o.output.no_newline && !o.output.pretty);
	client_options_fini(&o.client);
}

/* Each is refused, or is taken. */
static void values_are_checked(void **state)
{
	static const struct {
		const char *words[4];
		int status;
	} rows[] = {
	    {{"-q", "1"}, -1},          {{"-q", "3"}, EXIT_USAGE},
	    {{"-C", "1"}, -1},          {{"-C", "0"}, EXIT_USAGE},
	    {{"--output", "json"}, -1}, {{"--output", "xml"}, EXIT_USAGE},
	    {{"-F", "%t"}, -1},         {{"-F", "%y"}, EXIT_USAGE},
	    {{"--own", "right"}, -1},   {{"--own", "wrong"}, EXIT_USAGE},
	    {{"-k", "7"}, -1},          {{"-q", "1", "word"}, EXIT_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct message_options o;
		int status = read_words(&o, rows[i].words, COUNT(rows[i].words));

		if (status != rows[i].status)
			fail_msg("%s %s: %d", rows[i].words[0], rows[i].words[1], status);
		client_options_fini(&o.client);
	}
}

int main(void)
{
	static const struct client_command command = {
	    .program = "test",
	    .print_usage = print_usage,
	    .options = own,
	    .option_count = COUNT(own),
	    .publishes = true,
	    .prints = true,
	    .instead_of_arguments = "there are none",
	};
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_fill_their_members),
	    cmocka_unit_test(values_are_checked),
	};

	client_command_start(&command);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("client command", tests, NULL, NULL);
}
