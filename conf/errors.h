/* What is wrong with a file, all of it at once: file:line:column, the mistake, and the remedy.
 * Thread: the caller's. */
#ifndef CONF_ERRORS_H
#define CONF_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

struct error_item {
	char *file;
	unsigned line;   /* from 1; 0: the file as a whole */
	unsigned column; /* from 1; 0: the line as a whole */
	bool warning;
	bool unlogged; /* see errors_warn_unlogged */
	char *text;    /* "unknown key 'listner'; did you mean 'listeners'?" */
};

/* Zero-initialised is empty. At most ERRORS_MAX errors and as many warnings are kept, the rest is
 * counted; what is the same in all is kept once. */
struct errors {
	struct error_item *items;
	size_t count;             /* kept items, warnings among them */
	size_t error_count;       /* errors alone, also those not kept */
	size_t warning_count;     /* likewise */
	size_t repeated_count[2]; /* not kept because they are there already: errors, warnings */
	bool may_pass;            /* one had a cause that may pass: see errors_note_cause */
};

#define ERRORS_MAX 100

void errors_fini(struct errors *e);
void errors_add(struct errors *e, const char *file, unsigned line, unsigned column,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void errors_warn(struct errors *e, const char *file, unsigned line, unsigned column,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* For what the running broker says by an event of its own: errors_log leaves it out. */
void errors_warn_unlogged(struct errors *e, const char *file, unsigned line, unsigned column,
                          const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Why the last error was: an errno. Without descriptors or memory, or with a file system that does
 * not answer, the same may work later. */
void errors_note_cause(struct errors *e, int error);
/* "broker.yaml:3:5: error: ...\n" for each, in the order of files and lines. The caller frees. */
char *errors_text(struct errors *e);
/* The same to the log, a line each: config-error, config-warning. */
void errors_log(struct errors *e);

#endif
