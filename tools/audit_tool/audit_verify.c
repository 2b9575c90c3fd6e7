/* A line that is not whole is what a crash leaves at the end of the last file; anywhere else the
 * broker would have removed it. */
#include "audit_tool/audit_verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"

static bool blame(struct buf *why, const char *name, uint64_t line, const char *what)
{
	buf_printf(why, "%s:%" PRIu64 ": %s", name, line, what);
	return false;
}

/* The first line of a file says what it follows. */
static bool read_previous(struct slice line, struct audit_head *previous)
{
	struct json_object object;
	bool ok;

	if (!json_parse(line, &object))
		return false;
	ok = slice_equal(json_text_of(&object, "event"), SLICE("audit-opened")) &&
	     slice_equal(json_text_of(&object, "cause"), SLICE("new-file")) &&
	     audit_head_parse(json_text_of(&object, "previous"), previous);
	json_fini(&object);
	return ok;
}

static bool begin_file(struct audit_verify *v, struct slice line, const char *name, struct buf *why)
{
	struct audit_head previous;

	if (!read_previous(line, &previous))
		return blame(
		    why, name, 1,
		    "this is not how an audit file begins: its first lines were deleted or "
		    "changed, or it is another file");
	if (v->files == 0) {
		v->head = previous;
		v->begins_after = previous.number;
	}
	if (!audit_head_equal(&v->head, &previous))
		return blame(
		    why, name, 1,
		    "this file does not follow the one before: lines at its end were cut, a "
		    "file is missing, or the order is wrong (the oldest comes first)");
	return true;
}

static void note_line(struct audit_verify *v, struct slice line)
{
	struct json_object object;

	v->lines++;
	v->found = v->found || (v->wanted != NULL && audit_head_equal(v->wanted, &v->head));
	if (!json_parse(line, &object))
		return;
	if (slice_equal(json_text_of(&object, "event"), SLICE("audit-lost"))) {
		const struct json_member *lost = json_find(&object, "lines");

		v->lost += lost == NULL ? 0 : lost->number;
	}
	json_fini(&object);
}

static bool verify_line(struct audit_verify *v, struct slice line, const char *name,
                        uint64_t number, struct buf *why)
{
	if (number == 1 && !begin_file(v, line, name, why))
		return false;
	/* mutant: audit_verifies_lines */
	if (!audit_chain_follows(v->key, &v->head, line))
		return blame(why, name, number,
		             "this line does not follow the one before: it was changed, or lines "
		             "were deleted, inserted or moved here, or the key is another one");
	note_line(v, line);
	return true;
}

bool audit_verify_file(struct audit_verify *v, FILE *file, const char *name, struct buf *why)
{
	char *text = NULL;
	size_t capacity = 0;
	uint64_t number = 0;
	bool ok = true;
	ssize_t len;

	REQUIRE(v->key.len == AUDIT_KEY_BYTES);
	if (v->torn_bytes > 0)
		return blame(why, name, 1,
		             "the file before this one does not end with a whole line");
	while (ok && (len = getline(&text, &capacity, file)) > 0) {
		number++;
		if (text[len - 1] == '\n')
			ok = verify_line(v, slice_of(text, (size_t)len - 1), name, number, why);
		else
			v->torn_bytes = (uint64_t)len;
	}
	free(text);
	if (ok && ferror(file))
		return blame(why, name, number, "cannot be read");
	v->files++;
	return ok;
}

bool audit_verify_end(const struct audit_verify *v, struct buf *why)
{
	/* mutant: audit_tail_is_cut */
	if (v->wanted == NULL || v->found)
		return true;
	if (v->wanted->number <= v->begins_after && v->begins_after > 0)
		buf_printf(why,
		           "line %" PRIu64 " is before these files, which begin after line %" PRIu64
		           ": give the older files, too",
		           v->wanted->number, v->begins_after);
	else
		buf_printf(why,
		           "line %" PRIu64
		           " was published as being on disk, and is not there as it "
		           "was: the files end at line %" PRIu64 ", their end was cut",
		           v->wanted->number, v->head.number);
	return false;
}
