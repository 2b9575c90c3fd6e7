/* One list of all options: -m, -f, -s, -n and -r of those who publish; -C, --output, -v, -F, -N and
 * --pretty of those who write messages; the tool's own; those of all clients. */
#include "pubsub/client_command.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/require.h"
#include "pubsub/message_format.h"

#define OWN_ROWS_MAX 32

COMMAND_TAKE_TEXT(take_message, message_options, source.text)
COMMAND_TAKE_TEXT(take_file, message_options, source.file)
COMMAND_TAKE_FLAG(take_input, message_options, source.from_input)
COMMAND_TAKE_FLAG(take_empty, message_options, source.empty)
COMMAND_TAKE_FLAG(take_retain, message_options, retain)
COMMAND_TAKE_FLAG(take_topics, message_options, output.topics)
COMMAND_TAKE_FLAG(take_no_newline, message_options, output.no_newline)
COMMAND_TAKE_FLAG(take_pretty, message_options, output.pretty)

static int take_qos(void *options, const char *value)
{
	uint64_t qos;

	if (!client_parse_number(value, 2, &qos))
		return report_usage("-q: '%s' is not 0, 1 or 2", value);
	((struct message_options *)options)->qos = (uint8_t)qos;
	return 0;
}

static int take_count(void *options, const char *value)
{
	struct message_options *o = options;

	if (!client_parse_number(value, UINT32_MAX, &o->count) || o->count == 0)
		return report_usage("-C: '%s' is no number of messages from 1", value);
	return 0;
}

static int take_output(void *options, const char *value)
{
	struct message_options *o = options;

	return message_output_parse(value, &o->output.kind) ? 0 : EXIT_USAGE;
}

static int take_format(void *options, const char *value)
{
	((struct message_options *)options)->output.format = value;
	return message_format_check(value) ? 0 : EXIT_USAGE;
}

static const struct command_option rows_of_all[] = {
    {"qos", 'q', true, take_qos},
};
static const struct command_option rows_of_publishers[] = {
    {"message", 'm', true, take_message},   {"file", 'f', true, take_file},
    {"stdin-file", 's', false, take_input}, {"null-message", 'n', false, take_empty},
    {"retain", 'r', false, take_retain},
};
static const struct command_option rows_of_printers[] = {
    {"count", 'C', true, take_count},
    {"output", 0, true, take_output},
    {"verbose", 'v', false, take_topics},
    {"format", 'F', true, take_format},
    {"no-newline", 'N', false, take_no_newline},
    {"pretty", 0, false, take_pretty},
};

static const struct client_command *command;

static size_t add(struct command_option *rows, const struct command_option *more, size_t count)
{
	REQUIRE(count <= OWN_ROWS_MAX);
	for (size_t i = 0; i < count; i++)
		rows[i] = more[i];
	return count;
}

void client_command_start(const struct client_command *of_process)
{
	static struct command_option rows[CLIENT_OPTION_ROWS_MAX + OWN_ROWS_MAX +
	                                  ARRAY_LEN(rows_of_all) + ARRAY_LEN(rows_of_publishers) +
	                                  ARRAY_LEN(rows_of_printers)];
	static struct command_line line = {.options = rows};
	size_t n = client_options_rows(rows);

	REQUIRE(of_process->print_usage != NULL && of_process->instead_of_arguments != NULL);
	command = of_process;
	n += add(rows + n, rows_of_all, ARRAY_LEN(rows_of_all));
	n += add(rows + n, command->options, command->option_count);
	if (command->publishes)
		n += add(rows + n, rows_of_publishers, ARRAY_LEN(rows_of_publishers));
	if (command->prints)
		n += add(rows + n, rows_of_printers, ARRAY_LEN(rows_of_printers));
	line.program = command->program;
	line.print_usage = command->print_usage;
	line.option_count = n;
	command_line_start(&line);
}

int client_command_read(struct message_options *o, int argc, char **argv)
{
	int rc;

	REQUIRE(command != NULL);
	client_options_init(&o->client);
	o->output.escapes = isatty(STDOUT_FILENO) == 1;
	rc = client_options_read(&o->client, argc, argv);
	if (rc < 0 && optind < argc)
		return report_usage("unexpected argument '%s': %s", argv[optind],
		                    command->instead_of_arguments);
	return rc;
}
