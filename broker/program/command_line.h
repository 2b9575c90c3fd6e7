/* The command line of the broker and its tools: options, errors, and what all of them have (--help,
 * --version, --trust-owner, --trust-group).  Thread: main. */
#ifndef PROGRAM_COMMAND_LINE_H
#define PROGRAM_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2 /* use, or files that are not valid */

struct command_option {
	const char *name;
	/* The short option; 0: it has none. */
	char letter;
	bool has_value;
	/* `value` NULL: it has none. Returns 0, or the exit status after an error. */
	int (*take)(void *options, const char *value);
};

/* A `take` that sets a member of `struct type`, to the value or to true. */
#define COMMAND_TAKE_TEXT(function, type, member)                                                  \
	static int function(void *options, const char *value)                                      \
	{                                                                                          \
		((struct type *)options)->member = value;                                          \
		return 0;                                                                          \
	}
#define COMMAND_TAKE_FLAG(function, type, member)                                                  \
	static int function(void *options, const char *value)                                      \
	{                                                                                          \
		(void)value;                                                                       \
		((struct type *)options)->member = true;                                           \
		return 0;                                                                          \
	}

/* An option of another program that people try here, and what to do instead. */
struct foreign_option {
	char letter; /* 0: the end of the list */
	const char *instead;
};

struct command_line {
	const char *program;
	void (*print_usage)(FILE *to);
	const struct command_option *options;
	size_t option_count;
	const struct foreign_option *foreign; /* NULL: none */
	/* It reads its own files: a tool may work on those of others (trust.h). */
	bool is_broker;
};

/* A row of a usage: "  WORDS", and `text` from `column` on, in as many lines as it needs. */
void command_line_put_row(FILE *to, const char *words, unsigned column, const char *text);

/* First of all: what a process with secrets needs, and the name for report_error. print_usage is
 * called for --help. */
void command_line_start(const struct command_line *line);
/* Read all options into `options`. -1: go on with the words from argv[optind]; otherwise the exit
 * status. */
int command_line_read(void *options, int argc, char **argv);
/* What could not be written to standard output is an error. Returns the exit status. */
int command_line_finish(int status);

/* "broker-acl: ..." to standard error. Returns `status`. */
int report_error(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, with the way to --help. Returns EXIT_USAGE. */
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* There is no command (`kind`) of that name: which one was meant? Returns EXIT_USAGE. */
int report_unknown(const char *kind, const char *word, const char *const *names, size_t count);
/* An argument too many. Returns EXIT_USAGE. */
int report_excess(const char *word);

#endif
