/* A payload is read whole before the connection is made. */
#include "pubsub/payload_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "program/command_line.h"
#include "proto/frame.h"

#define PIECE ((size_t)65536)

int payload_source_count(const struct payload_source *s)
{
	return (s->text != NULL) + (s->file != NULL) + (int)s->empty + (int)s->from_input;
}

static int read_all(FILE *from, const char *name, struct buf *out)
{
	size_t n = 1;

	while (n > 0 && out->len <= FRAME_BODY_MAX) {
		buf_reserve(out, PIECE);
		n = fread(out->data + out->len, 1, PIECE, from);
		out->len += n;
	}
	if (ferror(from))
		return report_error(EXIT_FAILED, "cannot read %s: %s", name, strerror(errno));
	if (out->len > FRAME_BODY_MAX)
		return report_error(EXIT_USAGE, "%s is larger than a message can be (256 MB)",
		                    name);
	return 0;
}

int payload_source_read(const struct payload_source *s, struct buf *out)
{
	FILE *file;
	int rc;

	REQUIRE(out->len == 0);
	if (s->text != NULL)
		buf_put_slice(out, slice_of_str(s->text));
	if (s->from_input)
		return read_all(stdin, "standard input", out);
	if (s->file == NULL)
		return 0;
	file = fopen(s->file, "re");
	if (file == NULL)
		return report_error(EXIT_USAGE, "cannot open %s: %s", s->file, strerror(errno));
	rc = read_all(file, s->file, out);
	(void)fclose(file);
	return rc;
}
