/* Where broker-passwd gets passwords from: the terminal without echo, standard input, or chance.
 * Errors are printed to stderr; functions return the exit status, 0 for success. */
#ifndef TOOLS_SECRET_H
#define TOOLS_SECRET_H

#include "base/bytes.h"

struct secret {
	uint8_t bytes[512];
	size_t len;
};

/* On the terminal. A signal restores the echo before it does its work. */
int secret_ask(struct secret *s, const char *prompt);
/* The only line of standard input. */
int secret_read(struct secret *s);
/* 24 letters and digits that cannot be mistaken for one another: 120 bits. */
void secret_generate(struct secret *s);
/* Cut off what an editor leaves (base/text_input.h). Empty, too long, more than text: the reason is
 * printed. */
int secret_check(struct secret *s);
void secret_wipe(struct secret *s);

static inline struct slice secret_slice(const struct secret *s)
{
	return slice_of(s->bytes, s->len);
}

#endif
