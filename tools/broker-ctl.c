/* broker-ctl(1): queries and controls a running broker over its control socket. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/command_line.h"
#include "base/utf8.h"
#include "ctl_argument.h"
#include "ctl_socket.h"
#include "ctl_table.h"

#define ARGUMENT_MAX 65535

enum ctl_option {
#define OPTION(id, ...) OPTION_##id,
#include "admin/commands.def"
	OPTION_COUNT
};

enum ctl_command_id {
#define COMMAND(id, ...) COMMAND_##id,
#include "admin/commands.def"
};

struct ctl_command {
	const char *name;
	const char *member; /* that its argument becomes; NULL: it has none */
	const char *word;   /* that argument in the usage */
	const char *what;   /* that argument must be */
	unsigned options;   /* 1 << enum ctl_option */
	const char *summary;
	const struct column *columns;
	size_t column_count;
	const char *done; /* printed at the end; NULL: nothing */
};

struct ctl_options {
	const struct ctl_command *command;
	const char *config;
	const char *socket;
	const char *argument;             /* as given */
	unsigned given;                   /* 1 << enum ctl_option */
	const char *values[OPTION_COUNT]; /* as given */
	bool json;
	bool escaped;
	/* What is sent. */
	struct buf sent_argument;
	struct buf sent_values[OPTION_COUNT];
};

/* ---- tables ---- */

#define COLUMN(member, title, kind) {member, title, COLUMN_##kind},
#define PAIRS                       COLUMN("", "", TEXT) COLUMN("", "", TEXT)
#define COMMAND(id, name, scope, access, function, argument, word, what, options, done, summary,   \
                columns, manual)                                                                   \
	static const struct column id##_columns[] = {columns};
#include "admin/commands.def"

static bool has_pairs(const struct ctl_command *command)
{
	return command->columns[0].member[0] == '\0';
}

/* "uptime_s" becomes "uptime s". */
static void add_pairs(struct ctl_table *t, const struct json_object *line)
{
	t->no_titles = true;
	for (size_t i = 0; i < line->count; i++) {
		char *name = slice_dup(line->members[i].name);

		for (char *c = name; (c = strchr(c, '_')) != NULL;)
			*c = ' ';
		ctl_table_add_pair(t, name, &line->members[i]);
		free(name);
	}
}

#define TAKES(id)  (1U << OPTION_##id)
#define NO_OPTIONS 0U
static const struct ctl_command commands[] = {
#define COMMAND(id, name, scope, access, function, argument, word, what, options, done, summary,   \
                columns, manual)                                                                   \
	{name, argument, word, what, options, summary, id##_columns, ARRAY_LEN(id##_columns), done},
#include "admin/commands.def"
};

static const struct {
	const char *name, *word, *member, *text;
} command_option_rows[OPTION_COUNT] = {
#define OPTION(id, name, word, member, text) {name, word, member, text},
#include "admin/commands.def"
};

static bool is_given(const struct ctl_options *o, size_t option)
{
	return (o->given & 1U << option) != 0;
}

/* "kick and delete-session": who takes this option. */
static void put_takers(struct buf *out, size_t option, const char *last)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		count += (commands[i].options >> option) & 1U;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if ((commands[i].options & 1U << option) == 0)
			continue;
		buf_printf(out, "%s%s",
		           at == 0           ? ""
		           : at + 1 == count ? last
		                             : ", ",
		           commands[i].name);
		at++;
	}
}

static void print_command(FILE *to, const struct ctl_command *c)
{
	char words[40];

	(void)snprintf(words, sizeof(words), "%s%s%s", c->name, c->word == NULL ? "" : " ",
	               c->word == NULL ? "" : c->word);
	fprintf(to, "  %-25s %s\n", words, c->summary);
}

static void print_option(FILE *to, size_t option)
{
	const char *word = command_option_rows[option].word;
	struct buf takers = {0};
	char words[40];

	put_takers(&takers, option, ", ");
	(void)snprintf(words, sizeof(words), "--%s%s%s", command_option_rows[option].name,
	               word == NULL ? "" : " ", word == NULL ? "" : word);
	fprintf(to, "  %-16s %.*s: %s\n", words, (int)takers.len, (const char *)takers.data,
	        command_option_rows[option].text);
	buf_fini(&takers);
}

static void print_usage(FILE *to)
{
	fputs("usage: broker-ctl [-c broker.yaml | --socket PATH] [--json] COMMAND [ARGUMENT]\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		print_command(to, &commands[i]);
	fputs("\n"
	      "  -c, --config FILE\n"
	      "                   the broker's configuration, which names the socket\n"
	      "  --socket PATH    the socket itself (default " CTL_SOCKET_DEFAULT ")\n",
	      to);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		print_option(to, i);
	fputs("  --escaped        names are given as the tables print them: \\x1b, \\u202e, \\\\\n"
	      "  --json           print JSON, one line for each item\n"
	      "  --trust-owner USER, --trust-group GROUP\n"
	      "                   trust their files too, like the option of the broker\n",
	      to);
}

/* ---- the request ---- */

static void put_request(struct buf *line, const struct ctl_options *o,
                        const struct ctl_command *command)
{
	json_open(line);
	json_str(line, "command", command->name);
	if (command->member != NULL)
		json_text(line, command->member, buf_slice(&o->sent_argument));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *member = command_option_rows[i].member;

		if (member == NULL || (command->options & 1U << i) == 0)
			continue;
		if (is_given(o, i))
			json_text(line, member, buf_slice(&o->sent_values[i]));
		else if (i == OPTION_payload && is_given(o, OPTION_raw))
			json_str(line, member, "");
	}
	json_close(line);
}

static bool send_request(int fd, const struct ctl_options *o, const struct ctl_command *command)
{
	struct buf line = {0};
	struct slice left;

	put_request(&line, o, command);
	left = buf_slice(&line);
	while (left.len > 0) {
		ssize_t n = send(fd, left.data, left.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		left = slice_skip(left, n < 0 ? 0 : (size_t)n);
	}
	buf_fini(&line);
	return left.len == 0;
}

/* ---- the answer ---- */

enum answer {
	ANSWER_GOES_ON,
	ANSWER_DONE,
	ANSWER_ERROR,
};

struct ctl_answer {
	const struct ctl_options *options;
	const struct ctl_command *command;
	struct ctl_table table;
	size_t rows;
	struct buf payload; /* with --raw */
};

static void take_payload(struct ctl_answer *a, const struct json_object *line)
{
	const struct json_member *text = json_find(line, "payload");
	struct slice hex = json_text_of(line, "payload_hex");

	if (text != NULL)
		buf_put_slice(&a->payload, text->text);
	for (; hex.len >= 2; hex = slice_skip(hex, 2)) {
		char digits[3] = {(char)hex.data[0], (char)hex.data[1], '\0'};

		buf_put_u8(&a->payload, (uint8_t)strtoul(digits, NULL, 16));
	}
}

static void take_row(struct ctl_answer *a, const struct json_object *line, struct slice text)
{
	a->rows++;
	if (is_given(a->options, OPTION_raw))
		take_payload(a, line);
	else if (a->options->json)
		fwrite(text.data, 1, text.len, stdout);
	else if (has_pairs(a->command))
		add_pairs(&a->table, line);
	else
		ctl_table_add(&a->table, line);
}

static enum answer take_line(struct ctl_answer *a, const char *text, size_t len)
{
	enum answer answer = ANSWER_GOES_ON;
	struct json_object line;
	struct slice error;

	if (len == 0 || text[len - 1] != '\n' || !json_parse(slice_of(text, len - 1), &line)) {
		(void)report_error(
		    0, "the answer is invalid: broker and broker-ctl may have different versions");
		return ANSWER_ERROR;
	}
	error = json_text_of(&line, "error");
	if (error.len > 0) {
		(void)report_error(0, "%.*s", (int)error.len, (const char *)error.data);
		answer = ANSWER_ERROR;
	} else if (json_find(&line, "done") != NULL) {
		answer = ANSWER_DONE;
	} else {
		take_row(a, &line, slice_of(text, len));
	}
	json_fini(&line);
	return answer;
}

static enum answer read_answer(struct ctl_answer *a, FILE *in)
{
	enum answer answer = ANSWER_GOES_ON;
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	while (answer == ANSWER_GOES_ON && (len = getline(&text, &cap, in)) >= 0)
		answer = take_line(a, text, (size_t)len);
	free(text);
	if (answer == ANSWER_GOES_ON)
		(void)report_error(
		    0, "the broker closed the connection before its answer was complete");
	return answer;
}

/* The one payload, or why there is not one. */
static int print_payload(const struct ctl_answer *a)
{
	const char *filter = a->options->argument;

	if (a->rows == 0)
		return report_error(EXIT_FAILED, "nothing is retained at '%s'", filter);
	if (a->rows > 1)
		return report_error(EXIT_FAILED,
		                    "'%s' matches %zu retained messages: --raw is for one", filter,
		                    a->rows);
	fwrite(a->payload.data, 1, a->payload.len, stdout);
	return 0;
}

static void print_table(const struct ctl_answer *a)
{
	struct buf out = {0};

	if (a->table.cell_count > 0 || !has_pairs(a->command))
		ctl_table_print(&a->table, &out);
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
}

static int print_answer(const struct ctl_answer *a)
{
	if (is_given(a->options, OPTION_raw))
		return print_payload(a);
	if (!a->options->json)
		print_table(a);
	if (!a->options->json && a->command->done != NULL)
		puts(a->command->done);
	return 0;
}

/* Ask the broker one thing. `rows` (may be NULL): of its answer. Returns the exit status. */
static int ask_broker(const struct ctl_options *o, const struct ctl_command *command,
                      const char *path, size_t *rows)
{
	int status = EXIT_FAILED, fd = ctl_socket_connect(path, &status);
	struct ctl_answer a = {
	    .options = o,
	    .command = command,
	    .table = {.columns = command->columns, .column_count = command->column_count}};
	enum answer answer = ANSWER_ERROR;
	FILE *in;

	if (fd < 0)
		return status;
	a.table.hides_payload = !is_given(o, OPTION_payload);
	if (!send_request(fd, o, command))
		(void)report_error(0, "cannot write to the broker: %s", strerror(errno));
	in = fdopen(fd, "r");
	if (in == NULL) {
		close(fd);
	} else {
		answer = read_answer(&a, in);
		(void)fclose(in);
	}
	status = answer == ANSWER_DONE ? print_answer(&a) : EXIT_FAILED;
	if (rows != NULL)
		*rows = a.rows;
	ctl_table_fini(&a.table);
	buf_fini(&a.payload);
	return status;
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

/* A filter with wildcards may match more than was thought of: 0, go on. */
static int confirm(const struct ctl_options *o, const char *path)
{
	size_t rows = 0;
	int status;

	if (o->command != &commands[COMMAND_delete_retained] || is_given(o, OPTION_yes) ||
	    strpbrk(o->argument, "+#") == NULL)
		return 0;
	if (!isatty(STDIN_FILENO))
		return report_error(EXIT_USAGE,
		                    "'%s' has wildcards: 'broker-ctl retained' lists what it "
		                    "matches, and --yes deletes that",
		                    o->argument);
	status = ask_broker(o, &commands[COMMAND_retained], path, &rows);
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

		if (!is_given(o, i) || (o->command->options & 1U << i) != 0)
			continue;
		put_takers(&takers, i, " and ");
		status = report_usage("'%s' does not take --%s, which is for %.*s",
		                      o->command->name, command_option_rows[i].name,
		                      (int)takers.len, (const char *)takers.data);
		buf_fini(&takers);
		return status;
	}
	if (is_given(o, OPTION_raw) && (o->json || is_given(o, OPTION_payload)))
		return report_usage("--raw cannot be combined with --json or --payload");
	if (o->config != NULL && o->socket != NULL)
		return report_usage("give -c broker.yaml or --socket PATH, not both");
	return 0;
}

static int find_command(struct ctl_options *o, const char *word)
{
	const char *names[ARRAY_LEN(commands)];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(word, commands[i].name) == 0)
			o->command = &commands[i];
		names[i] = commands[i].name;
	}
	return o->command != NULL ? 0 : report_unknown("command", word, names, ARRAY_LEN(commands));
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
			status = take_text(o, command_option_rows[i].name, o->values[i],
			                   &o->sent_values[i]);
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

static int run(const struct ctl_options *o)
{
	int status = EXIT_FAILED;
	char *path = find_socket(o, &status);

	if (path == NULL)
		return status;
	status = confirm(o, path);
	if (status == 0)
		status = ask_broker(o, o->command, path, NULL);
	free(path);
	return status;
}

#define TAKE(name, assignment)                                                                     \
	static int take_##name(void *arg, const char *value)                                       \
	{                                                                                          \
		struct ctl_options *o = arg;                                                       \
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
		struct ctl_options *o = arg;                                                       \
                                                                                                   \
		o->given |= 1U << OPTION_##id;                                                     \
		o->values[OPTION_##id] = value;                                                    \
		return 0;                                                                          \
	}
#include "admin/commands.def"

static const struct command_option command_options[] = {
    {"config", 'c', true, take_config},
    {"socket", 0, true, take_socket},
    {"json", 0, false, take_json},
    {"escaped", 0, false, take_escaped},
#define OPTION(id, name, word, member, text) {name, 0, (word) != NULL, give_##id},
#include "admin/commands.def"
};

int main(int argc, char **argv)
{
	static const struct command_line line = {.program = "broker-ctl",
	                                         .print_usage = print_usage,
	                                         .options = command_options,
	                                         .option_count = ARRAY_LEN(command_options)};
	struct ctl_options o = {.config = NULL};
	int status;

	command_line_start(&line);
	status = command_line_read(&o, argc, argv);
	if (status != -1)
		return status;
	status = read_words(&o, argv + optind, argc - optind);
	if (status == 0)
		status = run(&o);
	buf_fini(&o.sent_argument);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		buf_fini(&o.sent_values[i]);
	return command_line_finish(status);
}
