/* broker-ctl(1): queries and controls a running broker, over its control socket or over MQTT. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/utf8.h"
#include "ctl/ctl_argument.h"
#include "ctl/ctl_ask.h"
#include "ctl/ctl_mqtt.h"
#include "ctl/ctl_socket.h"
#include "ctl/ctl_top.h"
#include "program/command_line.h"
#include "pubsub/client_run.h"

#define ARGUMENT_MAX 65535

struct ctl_line {
	struct client_options client; /* first; unused unless the broker is asked over MQTT */
	struct ctl_options ctl;
};

/* ---- the usage ---- */

static void print_command(FILE *to, const struct ctl_command *c)
{
	char words[40];

	(void)snprintf(words, sizeof(words), "%s%s%s", c->name, c->word == NULL ? "" : " ",
	               c->word == NULL ? "" : c->word);
	command_line_put_row(to, words, 28, c->summary);
}

static void print_option(FILE *to, size_t option)
{
	const char *word = ctl_option_rows[option].word;
	struct buf text = {0};
	char words[40];

	ctl_command_put_takers(&text, option, ", ");
	buf_printf(&text, ": %s", ctl_option_rows[option].text);
	buf_put_u8(&text, '\0');
	(void)snprintf(words, sizeof(words), "--%s%s%s", ctl_option_rows[option].name,
	               word == NULL ? "" : " ", word == NULL ? "" : word);
	command_line_put_row(to, words, 19, (const char *)text.data);
	buf_fini(&text);
}

static void print_usage(FILE *to)
{
	fputs("usage: broker-ctl [-c broker.yaml | --socket PATH | -h HOST] [--json] COMMAND "
	      "[ARGUMENT]\n\n",
	      to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		print_command(to, &ctl_commands[i]);
	fputs("\n"
	      "  -c, --config FILE\n"
	      "                   the broker's configuration, which names the socket\n"
	      "  --socket PATH    the socket itself (default " CTL_SOCKET_DEFAULT ")\n",
	      to);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		print_option(to, i);
	fputs(
	    "  --escaped        names are given as the tables print them: \\x1b, \\u202e, \\\\\n"
	    "  --json           print JSON, one line for each item\n"
	    "  --trust-owner USER, --trust-group GROUP\n"
	    "                   trust their files too, like the option of the broker\n"
	    "\n"
	    "From another machine, over MQTT and TLS, for users whom the rules let ask:\n"
	    "  -h, --host HOST, -p, --port PORT, -L, --url mqtts://[USER@]HOST[:PORT]\n"
	    "  -u, --username USER, --password-file FILE, --password-command COMMAND,\n"
	    "  --ask-password, --cafile FILE, --capath DIR, --cert FILE, --key FILE,\n"
	    "  --key-password-file FILE, --pin sha256/BASE64, --server-name NAME, --insecure,\n"
	    "  --profile NAME, -i, --client-id ID, --unix PATH, -W, --wait DURATION, -d, --debug\n"
	    "                   as in broker-pub(1)\n",
	    to);
}

/* ---- asking first ---- */

static bool says_yes(void)
{
	char line[8] = "";

	(void)fflush(stdout);
	fputs("Delete these retained messages? [y/N] ", stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	return line[0] == 'y' || line[0] == 'Y';
}

/* `path`: the control socket; NULL: over MQTT. */
static int ask(const struct ctl_line *l, const struct ctl_command *command, const char *path,
               size_t *rows)
{
	return path == NULL ? ctl_mqtt_ask(&l->client, &l->ctl, command, rows)
	                    : ctl_ask(&l->ctl, command, path, rows);
}

/* A filter with wildcards may match more than was thought of: 0, go on. */
static int confirm(const struct ctl_line *l, const char *path)
{
	const struct ctl_options *o = &l->ctl;
	size_t rows = 0;
	int status;

	if (o->command != &ctl_commands[COMMAND_delete_retained] || ctl_is_given(o, OPTION_yes) ||
	    strpbrk(o->argument, "+#") == NULL)
		return 0;
	if (!isatty(STDIN_FILENO))
		return report_error(EXIT_USAGE,
		                    "'%s' has wildcards: 'broker-ctl retained' lists what it "
		                    "matches, and --yes deletes that",
		                    o->argument);
	status = ask(l, &ctl_commands[COMMAND_retained], path, &rows);
	if (status != 0 || rows == 0)
		return status;
	return says_yes() ? 0 : report_error(EXIT_FAILED, "nothing was deleted");
}

/* ---- the command line ---- */

static int take_text(const struct ctl_options *o, const char *what, const char *text,
                     struct buf *out)
{
	if (o->escaped && !ctl_argument_unescape(text, out))
		return report_error(EXIT_USAGE,
		                    "%s: with --escaped, a backslash begins \\xNN, \\uNNNN, "
		                    "\\UNNNNNNNN or \\\\",
		                    what);
	if (!o->escaped)
		buf_put(out, text, strlen(text));
	if (out->len <= ARGUMENT_MAX && utf8_valid(buf_slice(out)))
		return 0;
	return report_error(EXIT_USAGE, "%s must be UTF-8, at most %d bytes", what, ARGUMENT_MAX);
}

static int check_options(const struct ctl_options *o)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		struct buf takers = {0};
		int status;

		if (!ctl_is_given(o, i) || (o->command->options & 1U << i) != 0)
			continue;
		ctl_command_put_takers(&takers, i, " and ");
		status = report_usage("'%s' does not take --%s, which is for %.*s",
		                      o->command->name, ctl_option_rows[i].name, (int)takers.len,
		                      (const char *)takers.data);
		buf_fini(&takers);
		return status;
	}
	if (ctl_is_given(o, OPTION_raw) && (o->json || ctl_is_given(o, OPTION_payload)))
		return report_usage("--raw cannot be combined with --json or --payload");
	if (o->config != NULL && o->socket != NULL)
		return report_usage("give -c broker.yaml or --socket PATH, not both");
	return 0;
}

static int find_command(struct ctl_options *o, const char *word)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(word, ctl_commands[i].name) == 0)
			o->command = &ctl_commands[i];
		names[i] = ctl_commands[i].name;
	}
	return o->command != NULL ? 0 : report_unknown("command", word, names, COMMAND_COUNT);
}

static int read_words(struct ctl_options *o, char **words, int count)
{
	int wanted, status;

	if (count == 0)
		return report_usage("a command is needed");
	status = find_command(o, words[0]);
	if (status != 0)
		return status;
	wanted = o->command->member != NULL ? 2 : 1;
	if (count < wanted)
		return report_usage("'%s' needs %s: %s", o->command->name, o->command->word,
		                    o->command->what);
	if (count > wanted)
		return report_excess(words[wanted]);
	status = check_options(o);
	o->argument = words[1];
	if (status == 0 && o->argument != NULL)
		status = take_text(o, o->command->word, o->argument, &o->sent_argument);
	for (size_t i = 0; i < OPTION_COUNT && status == 0; i++) {
		if (o->values[i] != NULL)
			status =
			    take_text(o, ctl_option_rows[i].name, o->values[i], &o->sent_values[i]);
	}
	return status;
}

static char *find_socket(const struct ctl_options *o, int *status)
{
	if (o->socket != NULL)
		return xstrdup(o->socket);
	if (o->config != NULL)
		return ctl_socket_path(o->config, status);
	if (access(CTL_SOCKET_DEFAULT, F_OK) == 0)
		return xstrdup(CTL_SOCKET_DEFAULT);
	*status = report_usage("name the broker's configuration with -c broker.yaml, or its "
	                       "control socket with --socket PATH: there is none at %s",
	                       CTL_SOCKET_DEFAULT);
	return NULL;
}

static int run_mqtt(struct ctl_line *l)
{
	int status;

	if (l->ctl.config != NULL || l->ctl.socket != NULL)
		return report_usage("a host is asked over MQTT: leave out -c and --socket");
	l->client.no_reconnect = true;
	status = client_options_finish(&l->client);
	if (status == 0)
		status = confirm(l, NULL);
	return status == 0 ? ask(l, l->ctl.command, NULL, NULL) : status;
}

static int run_socket(struct ctl_line *l)
{
	int status = EXIT_FAILED;
	char *path = find_socket(&l->ctl, &status);

	if (path == NULL)
		return status;
	status = confirm(l, path);
	if (status == 0)
		status = ask(l, l->ctl.command, path, NULL);
	free(path);
	return status;
}

#define TAKE(name, assignment)                                                                     \
	static int take_##name(void *arg, const char *value)                                       \
	{                                                                                          \
		struct ctl_options *o = &((struct ctl_line *)arg)->ctl;                            \
                                                                                                   \
		(void)value;                                                                       \
		assignment;                                                                        \
		return 0;                                                                          \
	}
TAKE(config, o->config = value)
TAKE(socket, o->socket = value)
TAKE(json, o->json = true)
TAKE(escaped, o->escaped = true)

#define OPTION(id, name, word, member, text)                                                       \
	static int give_##id(void *arg, const char *value)                                         \
	{                                                                                          \
		struct ctl_options *o = &((struct ctl_line *)arg)->ctl;                            \
                                                                                                   \
		o->given |= 1U << OPTION_##id;                                                     \
		o->values[OPTION_##id] = value;                                                    \
		return 0;                                                                          \
	}
#include "admin/control/commands.def"

static const struct command_option command_options[] = {
    {"config", 'c', true, take_config},
    {"socket", 0, true, take_socket},
    {"json", 0, false, take_json},
    {"escaped", 0, false, take_escaped},
#define OPTION(id, name, word, member, text) {name, 0, (word) != NULL, give_##id},
#include "admin/control/commands.def"
};

/* Once, or again and again on a terminal. */
static int run_on_socket(struct ctl_line *l)
{
	bool again =
	    l->ctl.command == &ctl_commands[COMMAND_top] && !l->ctl.json && isatty(STDOUT_FILENO);
	int status;

	if (again)
		l->ctl.top = ctl_top_new();
	do
		status = run_socket(l);
	while (again && status == 0);
	ctl_top_free(l->ctl.top);
	return status;
}

int main(int argc, char **argv)
{
	static struct command_option rows[CLIENT_OPTION_ROWS_MAX + ARRAY_LEN(command_options)];
	static struct ctl_line l;
	struct command_line line = {
	    .program = "broker-ctl", .print_usage = print_usage, .options = rows};
	bool over_mqtt;
	int status;

	memcpy(rows, command_options, sizeof(command_options));
	line.option_count =
	    ARRAY_LEN(command_options) + ctl_mqtt_rows(rows + ARRAY_LEN(command_options));
	command_line_start(&line);
	client_options_init(&l.client);
	status = client_options_read(&l.client, argc, argv);
	if (status != -1)
		return status;
	over_mqtt = ctl_mqtt_is_meant(&l.client);
	status = read_words(&l.ctl, argv + optind, argc - optind);
	if (status == 0)
		status = over_mqtt ? run_mqtt(&l) : run_on_socket(&l);
	buf_fini(&l.ctl.sent_argument);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		buf_fini(&l.ctl.sent_values[i]);
	client_options_fini(&l.client);
	if (over_mqtt)
		client_run_exit(status);
	return command_line_finish(status);
}
