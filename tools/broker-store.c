/* broker-store: shows, checks and copies the store of a broker; see its manual. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "program/command_line.h"
#include "store/store_files.h"
#include "store/store_sigbus.h"
#include "store_tool/progress.h"
#include "store_tool/retention.h"
#include "store_tool/store_dump.h"
#include "store_tool/store_source.h"

#define STANDARD_INPUT "-"
#define KEEP_MAX       100000

static struct retention keep; /* of the command line */

static const char usage_text[] =
    "usage: broker-store PATH info | check | dump\n"
    "       broker-store PATH backup [--keep N] [--keep-days N] TO\n"
    "       broker-store DIRECTORY compact\n"
    "       broker-store DIRECTORY restore FROM\n"
    "       broker-store DIRECTORY load FROM\n"
    "\n"
    "  PATH     the directory of a store, or a file: a backup\n"
    "  info     print the size, and the number of rows of each table\n"
    "  check    read everything and report damage\n"
    "  dump     print all rows, one line of JSON each: a portable copy, which 'load' reads\n"
    "  backup   make a copy, verified and on disk, in a new file or a directory;\n"
    "           also while the broker runs\n"
    "  compact  return unused space to the file system; the broker may not run\n"
    "  restore  replace the store by a backup, and rename the old one;\n"
    "           the broker may not run\n"
    "  load     the same by a dump, a file or - for standard input; made by this version or an\n"
    "           older one, on any machine\n"
    "\n"
    "  --keep N         backup: TO is a directory, the name is the date; N backups stay there,\n"
    "                   the older ones are removed when the new one is complete\n"
    "  --keep-days N    backup: the same, and those of N days stay\n"
    "  --trust-owner USER, --trust-group GROUP\n"
    "           trust their files too, like the option of the broker\n";

/* ---- info ---- */

struct info {
	uint32_t format;
	uint64_t transaction, file_bytes, used_bytes;
	int64_t wall_ms;      /* of the last commit */
	const uint64_t *rows; /* of each table */
};

static void print_info(const struct store_source *s, const struct info *i)
{
	char when[CLOCK_TEXT_MAX], text[STORE_ERROR_TEXT];

	store_files_describe_upgrade(i->format, STORE_FORMAT, text);
	printf("format        %" PRIu32 "%s%s\n", i->format, text[0] == '\0' ? "" : ": ", text);
	printf("last commit   %s\n", clock_text(i->wall_ms, when));
	printf("transaction   %" PRIu64 "\n", i->transaction);
	printf("file          %" PRIu64 " bytes\n", i->file_bytes);
	printf("in use        %" PRIu64 " bytes\n", i->used_bytes);
	if (s->pid != 0)
		printf("broker        process %ld\n", s->pid);
	for (unsigned t = 0; t < TABLES; t++)
		printf("%-13s %" PRIu64 " rows\n", store_tables_name(t), i->rows[t]);
}

static int info_beside(struct store_source *s)
{
	struct store_status status;
	struct stat st = {0};
	char file[4096];
	int rc = store_source_beside(s);

	if (rc != 0)
		return rc;
	store_status(s->store, &status);
	(void)snprintf(file, sizeof(file), "%s/data.mdb", s->path);
	if (stat(file, &st) != 0)
		(void)stat(s->path, &st); /* it is the file */
	print_info(s, &(struct info){.format = s->format,
	                             .wall_ms = store_last_time(s->store).wall_ms,
	                             .transaction = status.transaction,
	                             .file_bytes = (uint64_t)st.st_size,
	                             .used_bytes = status.used_bytes,
	                             .rows = status.rows});
	return 0;
}

static int info_at_rest(struct store_source *s)
{
	const struct verify_report *r = &s->report;
	int rc = store_source_read(s, NULL, NULL);

	if (r->lmdb_version != 0)
		return info_beside(s);
	if (rc != 0)
		return rc;
	print_info(s, &(struct info){.format = r->format,
	                             .wall_ms = r->time.wall_ms,
	                             .transaction = r->transaction,
	                             .file_bytes = r->file_bytes,
	                             .used_bytes =
	                                 (r->pages - r->pages_free - r->pages_lost) * r->page_bytes,
	                             .rows = r->rows});
	return 0;
}

static int run_info(const char *path, const char *argument)
{
	struct store_source s;
	int rc;

	(void)argument;
	rc = store_source_open(&s, path) ? info_at_rest(&s) : info_beside(&s);
	store_source_close(&s);
	return rc;
}

/* ---- check ---- */

static int run_check(const char *path, const char *argument)
{
	char text[STORE_ERROR_TEXT];
	uint64_t rows = 0;
	struct store_source s;
	int rc;

	(void)argument;
	if (!store_source_open(&s, path))
		return report_error(EXIT_FAILED,
		                    "a broker runs in %s (process %ld), which checked it when it "
		                    "started; make a backup and check that, or stop the broker",
		                    path, s.pid);
	rc = store_source_read(&s, NULL, NULL);
	for (unsigned i = 0; i < TABLES; i++)
		rows += s.report.rows[i];
	if (rc == 0)
		printf("ok: %" PRIu64 " rows in %" PRIu64 " pages\n", rows, s.report.pages);
	store_files_describe_upgrade(s.report.format, STORE_FORMAT, text);
	if (rc == 0 && text[0] != '\0')
		printf("its format is %" PRIu32 ": %s\n", s.report.format, text);
	if (rc == 0 && s.report.pages_lost > 0)
		printf("%" PRIu64 " pages are in no list: harmless, they are unused\n",
		       s.report.pages_lost);
	store_source_close(&s);
	return rc;
}

/* ---- copies ---- */

static int run_backup(const char *path, const char *to)
{
	char text[STORE_ERROR_TEXT];

	if (keep.count > 0 || keep.days > 0)
		return retention_backup(path, to, &keep);
	if (store_files_backup(path, to, text) != 0)
		return report_error(EXIT_FAILED, "%s", text);
	printf("%s\n", text);
	return 0;
}

static int run_compact(const char *directory, const char *argument)
{
	char text[STORE_ERROR_TEXT];

	(void)argument;
	return store_files_compact(directory, text) == 0 ? 0
	                                                 : report_error(EXIT_FAILED, "%s", text);
}

static int run_restore(const char *directory, const char *from)
{
	char text[STORE_ERROR_TEXT];

	if (store_files_restore(directory, from, text) != 0)
		return report_error(EXIT_FAILED, "%s", text);
	if (text[0] != '\0')
		printf("the old store is now %s\n", text);
	return 0;
}

static int load_from(const char *directory, const struct store_load *load)
{
	char text[STORE_ERROR_TEXT];

	if (store_files_load(directory, load, text) != 0)
		return report_error(EXIT_FAILED, "%s", text);
	if (text[0] != '\0')
		printf("the old store is now %s\n", text);
	return 0;
}

static int run_load(const char *directory, const char *from)
{
	struct store_load load = {.from = stdin, .name = "standard input"};
	struct stat st;
	int rc;

	if (strcmp(from, STANDARD_INPUT) != 0) {
		load.name = from;
		load.from = fopen(from, "re");
		if (load.from == NULL)
			return report_error(EXIT_FAILED, "%s cannot be opened: %s", from,
			                    strerror(errno));
	}
	if (fstat(fileno(load.from), &st) == 0 && S_ISREG(st.st_mode))
		load.size_bytes = (uint64_t)st.st_size;
	rc = load_from(directory, &load);
	if (load.from != stdin)
		(void)fclose(load.from);
	return rc;
}

/* ---- the command line ---- */

static int take_number(const char *option, const char *value, uint32_t *out)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (value[0] < '1' || value[0] > '9' || *end != '\0' || number > KEEP_MAX)
		return report_usage("--%s takes a number from 1 to %d, not '%s'", option, KEEP_MAX,
		                    value);
	*out = (uint32_t)number;
	return 0;
}

static int take_keep(void *options, const char *value)
{
	return take_number("keep", value, &((struct retention *)options)->count);
}

static int take_keep_days(void *options, const char *value)
{
	return take_number("keep-days", value, &((struct retention *)options)->days);
}

static const struct store_command {
	const char *name;
	const char *argument; /* NULL: it has none */
	int (*run)(const char *path, const char *argument);
} commands[] = {
    {"info", NULL, run_info},         {"check", NULL, run_check},
    {"dump", NULL, store_dump},       {"backup", "where to", run_backup},
    {"compact", NULL, run_compact},   {"restore", "from where", run_restore},
    {"load", "from where", run_load},
};

/* May others have changed the file, or have put something in its place? */
static bool is_trusted(const char *path)
{
	char text[STORE_ERROR_TEXT] = "";

	/* mutant: trust_tool_stores */
	if (store_files_check_trust(path, text) == 0)
		return true;
	(void)report_error(EXIT_FAILED, "%s", text);
	return false;
}

static const struct store_command *find_command(const char *asked)
{
	const char *names[ARRAY_LEN(commands)];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(asked, commands[i].name) == 0)
			return &commands[i];
		names[i] = commands[i].name;
	}
	(void)report_unknown("command", asked, names, ARRAY_LEN(commands));
	return NULL;
}

static int run_words(int count, char **words)
{
	const struct store_command *command;

	if (count == 0)
		return report_usage("a path and a command are needed");
	if (count == 1)
		return report_usage("a command after '%s' is needed", words[0]);
	command = find_command(words[1]);
	if (command == NULL)
		return EXIT_USAGE;
	if (command->argument != NULL && count < 3)
		return report_usage("'%s' needs a path: %s", command->name, command->argument);
	if (count > (command->argument == NULL ? 2 : 3))
		return report_excess(words[command->argument == NULL ? 2 : 3]);
	if ((keep.count > 0 || keep.days > 0) && command->run != run_backup)
		return report_usage("--keep and --keep-days are for 'backup'");
	if (!is_trusted(words[0]) ||
	    (count == 3 && strcmp(words[2], STANDARD_INPUT) != 0 && !is_trusted(words[2])))
		return EXIT_FAILED;
	progress_show(command->run == store_dump);
	return command->run(words[0], words[2]);
}

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
}

int main(int argc, char **argv)
{
	static const struct command_option options[] = {
	    {"keep", 0, true, take_keep},
	    {"keep-days", 0, true, take_keep_days},
	};
	static const struct command_line line = {.program = "broker-store",
	                                         .print_usage = print_usage,
	                                         .options = options,
	                                         .option_count = ARRAY_LEN(options)};
	int rc;

	command_line_start(&line);
	store_sigbus_explain("broker-store");
	rc = command_line_read(&keep, argc, argv);
	if (rc == -1)
		rc = run_words(argc - optind, argv + optind);
	return command_line_finish(rc);
}
