/* getopt_long from a table. */
#include "base/command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/require.h"
#include "base/trust.h"

#define OPTIONS_MAX 32
/* Values of options without a letter begin here, by their row. */
#define FIRST_VALUE 256

static const struct command_line *current;

static int take_help(void *options, const char *value)
{
	(void)options;
	(void)value;
	current->print_usage(stdout);
	return -1;
}

static int take_version(void *options, const char *value)
{
	(void)options;
	(void)value;
	printf("%s %s\n", current->program, VAKT_VERSION);
	return -1;
}

static int take_trust_owner(void *options, const char *value)
{
	(void)options;
	return trust_owner(value) ? 0
	                          : report_error(EXIT_USAGE,
	                                         "--trust-owner: there is no user '%s' on this "
	                                         "machine; a number can be given instead",
	                                         value);
}

static int take_trust_group(void *options, const char *value)
{
	(void)options;
	return trust_group(value) ? 0
	                          : report_error(EXIT_USAGE,
	                                         "--trust-group: there is no group '%s' on this "
	                                         "machine; a number can be given instead",
	                                         value);
}

/* -1 ends the program with status 0. */
static const struct command_option common[] = {
    {"help", 'h', false, take_help},
    {"version", 0, false, take_version},
    {"trust-owner", 0, true, take_trust_owner},
    {"trust-group", 0, true, take_trust_group},
};

#define COMMON_COUNT ARRAY_LEN(common)

static const struct command_option *option_at(size_t row)
{
	return row < COMMON_COUNT ? &common[row] : &current->options[row - COMMON_COUNT];
}

/* A program may be started with descriptors 0, 1 or 2 closed (`2>&-`).  The next file that it opens
 * then gets that number, and every message for people is written into that file. */
static void reserve_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* mutant: standard_descriptors_reserved */
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is this one. Opened the wrong way round: who reads from a
		 * closed standard input, or writes to a closed standard output, goes on to get an
		 * error. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(2);
	}
}

void command_line_start(const struct command_line *line)
{
	static const struct rlimit no_core = {0, 0};

	REQUIRE(line->option_count + COMMON_COUNT <= OPTIONS_MAX);
	current = line;
	reserve_standard_descriptors();
	if (!line->is_broker)
		trust_as_tool();
	(void)setrlimit(RLIMIT_CORE, &no_core);
	umask(077);
	hash_init();
}

int command_line_read(void *options, int argc, char **argv)
{
	struct option rows[OPTIONS_MAX + 1] = {0};
	char letters[2 * OPTIONS_MAX + 1], *end = letters;
	size_t count = COMMON_COUNT + current->option_count;
	int found, rc;

	for (size_t i = 0; i < count; i++) {
		const struct command_option *o = option_at(i);

		rows[i] = (struct option){o->name, o->has_value ? required_argument : no_argument,
		                          NULL, FIRST_VALUE + (int)i};
		if (o->letter != 0)
			*end++ = o->letter;
		if (o->letter != 0 && o->has_value)
			*end++ = ':';
	}
	*end = '\0';
	while ((found = getopt_long(argc, argv, letters, rows, NULL)) != -1) {
		size_t row = 0;

		while (row < count && found != option_at(row)->letter && found != rows[row].val)
			row++;
		if (row == count) { /* getopt_long has said what is wrong */
			fputc('\n', stderr);
			current->print_usage(stderr);
			return EXIT_USAGE;
		}
		rc = option_at(row)->take(options, optarg);
		if (rc != 0)
			return rc < 0 ? 0 : rc;
	}
	return -1;
}

int command_line_finish(int status)
{
	if (fflush(stdout) != 0 && status == 0)
		return report_error(EXIT_FAILED, "cannot write to standard output");
	return status;
}

int report_error(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", current->program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

int report_usage(const char *text)
{
	(void)report_error(EXIT_USAGE, "%s", text);
	fputc('\n', stderr);
	current->print_usage(stderr);
	return EXIT_USAGE;
}
