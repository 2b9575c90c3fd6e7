/* JSON, as far as the control socket needs it: a line is one flat object of text, whole
 * numbers, true, false and null. No library: those of Debian accept much more than these lines, and
 * refusing the rest takes as much code as reading it.  Pure.  Thread: any. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/bytes.h"

/* --- writing: one printable line, newline included --- */

void json_open(struct buf *out);
void json_text(struct buf *out, const char *name, struct slice value);
void json_str(struct buf *out, const char *name, const char *value); /* NULL: null */
void json_number(struct buf *out, const char *name, uint64_t value);
void json_bool(struct buf *out, const char *name, bool value);
void json_close(struct buf *out);
/* The members of another object, which is a line (newline included) that was written with these. */
void json_members(struct buf *out, struct slice object);

/* --- reading, strictly: no other types, nothing twice, nothing after the object --- */

enum json_kind {
	JSON_TEXT,
	JSON_NUMBER, /* 0 to 2^64 - 1 */
	JSON_BOOL,
	JSON_NULL,
};

struct json_member {
	struct slice name;
	enum json_kind kind;
	struct slice text; /* decoded: valid UTF-8, may hold U+0000 */
	uint64_t number;   /* JSON_BOOL: 0 or 1 */
};

#define JSON_MEMBERS_MAX 96

struct json_object {
	struct json_member members[JSON_MEMBERS_MAX];
	size_t count;
	uint8_t *bytes; /* what the slices point into */
};

/* `line` without its newline. False: it is no such object, and there is nothing to free. */
bool json_parse(struct slice line, struct json_object *out);
void json_fini(struct json_object *o);
const struct json_member *json_find(const struct json_object *o, const char *name);
/* The text of that name; empty where there is none. */
struct slice json_text_of(const struct json_object *o, const char *name);

#endif
