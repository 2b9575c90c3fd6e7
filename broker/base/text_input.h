/* Text that somebody wrote with another program, and that is read from a file, a pipe or a
 * terminal: the traces of that program (a byte order mark, a carriage return before the newline)
 * are never part of it.  Thread: any. */
#ifndef BASE_TEXT_INPUT_H
#define BASE_TEXT_INPUT_H

#include <stddef.h>

#include "base/bytes.h"

/* The text after a UTF-8 byte order mark. */
struct slice text_input_start(struct slice text);
/* What kind of text it is that cannot be read (UTF-16), with a remedy; NULL: it is UTF-8, or
 * something else. */
const char *text_input_encoding(struct slice text);
/* A line without its end: one newline, or a carriage return and a newline. Where the newline was
 * cut off already, the carriage return. */
struct slice text_input_line(struct slice line);
/* One line that is all of a text, like a password: *text becomes what it says. NULL, or why it
 * cannot be used: "it is empty", with a remedy where there is one. */
const char *text_input_only_line(struct slice *text, size_t max_bytes);

#endif
