/* getopt_long from a table. */
#include "program/command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/nearest.h"
#include "base/require.h"
#include "program/trust.h"

#define OPTIONS_MAX 96
#define LIST_TEXT   256
#define OPTION_TEXT 64 /* a longer one is not compared */
/* Values of options without a letter begin here, by their row. */
#define FIRST_VALUE 256

static const struct command_line *current;

#define COMMON_COUNT 4 /* options that all programs have */

static size_t row_of_letter(int letter);

static int take_help(void *options, const char *value)
{
	(void)options;
	(void)value;
	current->print_usage(stdout);
	printf("\n  --help, --version%s\n\nThe manual: man %s\n",
	       row_of_letter('h') < COMMON_COUNT ? "; -h is --help" : "", current->program);
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

/* ---- the usage ---- */

#define USAGE_WIDTH 96

static void indent(FILE *to, unsigned columns)
{
	fprintf(to, "%*s", (int)columns, "");
}

void command_line_put_row(FILE *to, const char *words, unsigned column, const char *text)
{
	size_t at = (size_t)fprintf(to, "  %s", words);

	if (at + 2 > column) {
		fputc('\n', to);
		at = 0;
	}
	indent(to, column - (unsigned)at);
	at = column;
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (at > column && at + 1 + len > USAGE_WIDTH) {
			fputc('\n', to);
			indent(to, column);
			at = column;
		}
		at += (size_t)fprintf(to, "%s%.*s", at == column ? "" : " ", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	fputc('\n', to);
}

/* -1 ends the program with status 0. */
static const struct command_option common[] = {
    {"help", 'h', false, take_help},
    {"version", 0, false, take_version},
    {"trust-owner", 0, true, take_trust_owner},
    {"trust-group", 0, true, take_trust_group},
};

_Static_assert(ARRAY_LEN(common) == COMMON_COUNT, "all of them");

static const struct command_option *option_at(size_t row)
{
	return row < COMMON_COUNT ? &common[row] : &current->options[row - COMMON_COUNT];
}

/* The row of a letter that exists. A program's own letters count first: -h is its host, where it
 * has one. */
static size_t row_of_letter(int letter)
{
	size_t row = COMMON_COUNT + current->option_count;

	do {
		REQUIRE(row > 0);
		row--;
	} while (option_at(row)->letter != letter);
	return row;
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

/* ---- what is wrong with an option ---- */

/* "--role", or "-c" for who wrote the letter. */
static void put_option(char *text, size_t size, const struct command_option *o, bool by_letter)
{
	if (by_letter)
		(void)snprintf(text, size, "-%c", o->letter);
	else
		(void)snprintf(text, size, "--%s", o->name);
}

static int no_value(int found, bool wanted)
{
	bool by_letter = found < FIRST_VALUE;
	char name[OPTION_TEXT];

	REQUIRE(by_letter || found < FIRST_VALUE + OPTIONS_MAX);
	put_option(name, sizeof(name),
	           option_at(by_letter ? row_of_letter(found) : (size_t)found - FIRST_VALUE),
	           by_letter);
	return wanted ? report_usage("%s needs a value", name)
	              : report_usage("%s takes no value", name);
}

/* An abbreviation of several, or none at all. */
static int no_option(const char *word)
{
	const char *names[OPTIONS_MAX], *name = word + 2, *near;
	size_t count = COMMON_COUNT + current->option_count, len = strcspn(name, "=");
	char asked[OPTION_TEXT];

	for (size_t i = 0; i < count; i++)
		names[i] = option_at(i)->name;
	for (size_t i = 0, other = count; i < count; i++) {
		if (strncmp(names[i], name, len) != 0)
			continue;
		if (other < count)
			return report_usage("'%s' can be --%s or --%s: write it in full", word,
			                    names[other], names[i]);
		other = i;
	}
	(void)snprintf(asked, sizeof(asked), "%.*s", (int)len, name);
	near = nearest_word(asked, names, count);
	return near == NULL
	           ? report_usage("there is no option '%s'", word)
	           : report_usage("there is no option '%s'; did you mean --%s?", word, near);
}

static int no_letter(char letter)
{
	for (const struct foreign_option *f = current->foreign; f != NULL && f->letter != 0; f++) {
		if (f->letter == letter)
			return report_usage("there is no option '-%c': %s", letter, f->instead);
	}
	return report_usage("there is no option '-%c'", letter);
}

/* `word`: at which getopt_long stopped. */
static int refuse_option(int found, const char *word)
{
	if (found == ':')
		return no_value(optopt, true);
	if (optopt >= FIRST_VALUE)
		return no_value(optopt, false);
	return optopt != 0 ? no_letter((char)optopt) : no_option(word);
}

int command_line_read(void *options, int argc, char **argv)
{
	struct option rows[OPTIONS_MAX + 1] = {0};
	char letters[2 * OPTIONS_MAX + 2], *end = letters;
	bool taken[UCHAR_MAX + 1] = {false};
	size_t count = COMMON_COUNT + current->option_count;
	int found, rc;

	REQUIRE(count <= OPTIONS_MAX);
	*end++ = ':'; /* a missing value gets its own answer */
	/* From the last to the first: of two with a letter, getopt takes the one that it meets
	 * first. */
	for (size_t i = count; i-- > 0;) {
		const struct command_option *o = option_at(i);
		uint8_t letter = (uint8_t)o->letter;

		rows[i] = (struct option){o->name, o->has_value ? required_argument : no_argument,
		                          NULL, FIRST_VALUE + (int)i};
		if (letter == 0 || taken[letter])
			continue;
		taken[letter] = true;
		*end++ = o->letter;
		if (o->has_value)
			*end++ = ':';
	}
	*end = '\0';
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, rows, NULL)) != -1) {
		size_t row;

		if (found == '?' || found == ':')
			return refuse_option(found, argv[optind - 1]);
		row = found < FIRST_VALUE ? row_of_letter(found) : (size_t)found - FIRST_VALUE;
		rc = option_at(row)->take(options, optarg);
		if (rc != 0)
			return rc < 0 ? command_line_finish(0) : rc;
	}
	return -1;
}

int command_line_finish(int status)
{
	/* Of a long output an earlier piece may have been lost. */
	int error = fflush(stdout) != 0 ? errno : EIO;

	/* mutant: lost_output_is_an_error */
	if (ferror(stdout) && status == 0)
		return report_error(EXIT_FAILED, "cannot write to standard output: %s",
		                    strerror(error));
	return status;
}

static void put_error(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static void put_error(const char *format, va_list args)
{
	fprintf(stderr, "%s: ", current->program);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the caller has started it */
	vfprintf(stderr, format, args);
}

int report_error(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_error(format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

int report_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_error(format, args);
	va_end(args);
	fprintf(stderr, " (see %s --help)\n", current->program);
	return EXIT_USAGE;
}

#define LISTED_MAX 9 /* more are left to the usage */

int report_unknown(const char *kind, const char *word, const char *const *names, size_t count)
{
	const char *near = nearest_word(word, names, count);
	char list[LIST_TEXT] = "";
	size_t len = 0;

	REQUIRE(count > 0);
	if (near != NULL)
		return report_usage("there is no %s '%s'; did you mean '%s'?", kind, word, near);
	for (size_t i = 0; i < count && count <= LISTED_MAX && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
		                        i == 0           ? "; there are "
		                        : i + 1 == count ? " and "
		                                         : ", ",
		                        names[i]);
	return report_usage("there is no %s '%s'%s", kind, word, list);
}

int report_excess(const char *word)
{
	return report_usage("unexpected argument '%s'", word);
}
