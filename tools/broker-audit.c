/* broker-audit: verifies and searches the chained audit of a broker; see its manual. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_key.h"
#include "audit_tool/audit_select.h"
#include "audit_tool/audit_verify.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "program/command_line.h"

#define LINES_DEFAULT 10
#define LINES_MAX     100000

struct audit_command_options {
	const char *key, *head, *since, *output, *lines;
	struct audit_select select;
};

COMMAND_TAKE_TEXT(take_key, audit_command_options, key)
COMMAND_TAKE_TEXT(take_head, audit_command_options, head)
COMMAND_TAKE_TEXT(take_since, audit_command_options, since)
COMMAND_TAKE_TEXT(take_output, audit_command_options, output)
COMMAND_TAKE_TEXT(take_lines, audit_command_options, lines)
COMMAND_TAKE_TEXT(take_topic, audit_command_options, select.topic)
COMMAND_TAKE_TEXT(take_user, audit_command_options, select.user)
COMMAND_TAKE_TEXT(take_client_id, audit_command_options, select.client_id)
COMMAND_TAKE_TEXT(take_event, audit_command_options, select.event)

static const char usage_text[] =
    "usage: broker-audit key FILE\n"
    "       broker-audit verify --key FILE [--head HEAD] FILE...\n"
    "       broker-audit tail [--lines N] [--output text|json] FILE\n"
    "       broker-audit search [OPTIONS] FILE...\n"
    "\n"
    "  key      make a key for audit.key of broker.yaml\n"
    "  verify   is each line there, in its order, as the broker wrote it? The oldest file comes\n"
    "           first\n"
    "  tail     print the last lines\n"
    "  search   print the lines that all of the options select\n"
    "\n"
    "  --key FILE             verify: the key of the chain\n"
    "  --head HEAD            verify: NUMBER:MAC, as $SYS/broker/audit/head or the log's\n"
    "                         audit-head said it: the line must be there\n"
    "  --lines N              tail: how many, 10 if not given\n"
    "  --topic FILTER         search: about topics that match\n"
    "  --user NAME            search: about this user\n"
    "  --client-id ID         search: about this client\n"
    "  --event NAME           search: of this kind, for example client-connected\n"
    "  --since TIME           search: 30m, 1h, 7d, or a time such as 2026-12-01T10:00\n"
    "  --output text|json     tail, search: text, or the lines as they are\n";

static int report_why(int status, struct buf *why)
{
	(void)report_error(status, "%.*s", (int)why->len, (const char *)why->data);
	buf_fini(why);
	return status;
}

/* NULL: an error was reported. */
static FILE *open_file(const char *name)
{
	FILE *file = fopen(name, "re");

	if (file == NULL)
		(void)report_error(EXIT_USAGE, "%s cannot be opened: %s", name, strerror(errno));
	return file;
}

/* ---- key ---- */

static int run_key(struct audit_command_options *o, int count, char **files)
{
	struct buf why = {0};

	(void)o;
	if (count > 1)
		return report_excess(files[1]);
	return audit_key_create(files[0], &why) == 0 ? 0 : report_why(EXIT_USAGE, &why);
}

/* ---- verify ---- */

static int verify_files(struct audit_verify *v, int count, char **files)
{
	struct buf why = {0};
	bool ok = true;

	for (int i = 0; ok && i < count; i++) {
		FILE *file = open_file(files[i]);

		if (file == NULL)
			return EXIT_USAGE;
		ok = audit_verify_file(v, file, files[i], &why);
		(void)fclose(file);
	}
	if (!ok || !audit_verify_end(v, &why))
		return report_why(EXIT_FAILED, &why);
	return 0;
}

static void print_verified(const struct audit_verify *v)
{
	char head[AUDIT_HEAD_TEXT];

	audit_head_text(&v->head, head);
	printf("intact: %" PRIu64 " lines in %" PRIu64 " files, the last is %s\n", v->lines,
	       v->files, head);
	if (v->begins_after > 0)
		printf("they begin after line %" PRIu64 ": older files were not verified\n",
		       v->begins_after);
	if (v->lost > 0)
		printf("the broker lost %" PRIu64 " lines, and recorded that\n", v->lost);
	if (v->torn_bytes > 0)
		printf("the last line is not finished (%" PRIu64
		       " bytes): the broker is writing it, or died then\n",
		       v->torn_bytes);
	if (v->wanted == NULL)
		printf("without --head, lines that were cut off at the end are not noticed\n");
}

static int run_verify(struct audit_command_options *o, int count, char **files)
{
	uint8_t key[AUDIT_KEY_BYTES] = {0};
	struct audit_verify v = {.key = slice_of(key, sizeof(key))};
	struct audit_head wanted;
	struct buf why = {0};
	int rc;

	if (o->key == NULL)
		return report_usage("'verify' needs --key FILE");
	if (o->head != NULL && !audit_head_parse(slice_of_str(o->head), &wanted))
		return report_usage("--head takes NUMBER:MAC, not '%s'", o->head);
	if (audit_key_read(o->key, key, &why) != 0)
		return report_why(EXIT_USAGE, &why);
	v.wanted = o->head == NULL ? NULL : &wanted;
	rc = verify_files(&v, count, files);
	crypto_wipe(key, sizeof(key));
	if (rc == 0)
		print_verified(&v);
	return rc;
}

/* ---- tail, search ---- */

static int set_output(struct audit_command_options *o)
{
	if (o->output == NULL || strcmp(o->output, "text") == 0)
		return 0;
	if (strcmp(o->output, "json") != 0)
		return report_usage("--output takes text or json, not '%s'", o->output);
	o->select.json = true;
	return 0;
}

static struct slice without_newline(const char *text, ssize_t len)
{
	size_t n = (size_t)len;

	return slice_of(text, n > 0 && text[n - 1] == '\n' ? n - 1 : n);
}

static int run_search(struct audit_command_options *o, int count, char **files)
{
	char *text = NULL;
	size_t capacity = 0;
	ssize_t len;
	int rc = set_output(o);

	if (rc == 0 && o->since != NULL &&
	    !audit_select_since(&o->select, o->since, clock_wall_ms()))
		rc = report_usage("--since takes 30m, 1h, 7d or a time such as 2026-12-01T10:00, "
		                  "not '%s'",
		                  o->since);
	for (int i = 0; rc == 0 && i < count; i++) {
		FILE *file = open_file(files[i]);

		if (file == NULL)
			rc = EXIT_USAGE;
		while (file != NULL && (len = getline(&text, &capacity, file)) > 0) {
			struct slice line = without_newline(text, len);

			if (audit_select_has(&o->select, line))
				audit_select_print(&o->select, line, stdout);
		}
		if (file != NULL)
			(void)fclose(file);
	}
	free(text);
	return rc;
}

/* The last `count` lines, in a ring. */
static void print_last(const struct audit_command_options *o, FILE *file, size_t count)
{
	char **ring = xcalloc(count, sizeof(*ring));
	uint64_t lines = 0;
	size_t capacity = 0;
	char *text = NULL;
	ssize_t len;

	while ((len = getline(&text, &capacity, file)) > 0) {
		free(ring[lines % count]);
		ring[lines++ % count] = slice_dup(without_newline(text, len));
	}
	for (uint64_t i = lines > count ? lines - count : 0; i < lines; i++)
		audit_select_print(&o->select, slice_of_str(ring[i % count]), stdout);
	for (size_t i = 0; i < count; i++)
		free(ring[i]);
	free(ring);
	free(text);
}

static int run_tail(struct audit_command_options *o, int count, char **files)
{
	unsigned long lines = LINES_DEFAULT;
	char *end = NULL;
	FILE *file;

	if (count > 1)
		return report_excess(files[1]);
	if (o->lines != NULL)
		lines = strtoul(o->lines, &end, 10);
	if (o->lines != NULL &&
	    (o->lines[0] < '1' || o->lines[0] > '9' || *end != '\0' || lines > LINES_MAX))
		return report_usage("--lines takes a number from 1 to %d, not '%s'", LINES_MAX,
		                    o->lines);
	if (set_output(o) != 0)
		return EXIT_USAGE;
	file = open_file(files[0]);
	if (file == NULL)
		return EXIT_USAGE;
	print_last(o, file, lines);
	(void)fclose(file);
	return 0;
}

/* ---- the command line ---- */

static const struct audit_command {
	const char *name;
	int (*run)(struct audit_command_options *o, int count, char **files);
} commands[] = {
    {"key", run_key}, {"verify", run_verify}, {"tail", run_tail}, {"search", run_search}};

static int run_words(struct audit_command_options *o, int count, char **words)
{
	const char *names[ARRAY_LEN(commands)];

	if (count == 0)
		return report_usage("a command is needed");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		names[i] = commands[i].name;
		if (strcmp(words[0], names[i]) != 0)
			continue;
		return count == 1 ? report_usage("'%s' needs a file", words[0])
		                  : commands[i].run(o, count - 1, words + 1);
	}
	return report_unknown("command", words[0], names, ARRAY_LEN(commands));
}

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
}

int main(int argc, char **argv)
{
	static const struct command_option options[] = {
	    {"key", 0, true, take_key},       {"head", 0, true, take_head},
	    {"lines", 0, true, take_lines},   {"topic", 0, true, take_topic},
	    {"user", 0, true, take_user},     {"client-id", 0, true, take_client_id},
	    {"event", 0, true, take_event},   {"since", 0, true, take_since},
	    {"output", 0, true, take_output},
	};
	static const struct command_line line = {.program = "broker-audit",
	                                         .print_usage = print_usage,
	                                         .options = options,
	                                         .option_count = ARRAY_LEN(options)};
	struct audit_command_options o = {0};
	int rc;

	command_line_start(&line);
	rc = command_line_read(&o, argc, argv);
	if (rc == -1)
		rc = run_words(&o, argc - optind, argv + optind);
	return command_line_finish(rc);
}
