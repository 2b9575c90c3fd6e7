/* A line of the control socket: a valid one is encoded and decoded to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_member(struct buf *out, const struct json_member *m, const char *name)
{
	switch (m->kind) {
	case JSON_TEXT:
		json_text(out, name, m->text);
		break;
	case JSON_NUMBER:
		json_number(out, name, m->number);
		break;
	case JSON_BOOL:
		json_bool(out, name, m->number != 0);
		break;
	case JSON_NULL:
		json_str(out, name, NULL);
		break;
	}
}

static void check_same(const struct json_object *a, const struct json_object *b)
{
	REQUIRE(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct json_member *m = &a->members[i], *n = &b->members[i];

		REQUIRE(slice_equal(m->name, n->name) && m->kind == n->kind);
		REQUIRE(slice_equal(m->text, n->text) && m->number == n->number);
	}
}

static void check_printable(const struct buf *line)
{
	for (size_t i = 0; i + 1 < line->len; i++)
		REQUIRE(line->data[i] >= 0x20 && line->data[i] != 0x7f);
	REQUIRE(line->data[line->len - 1] == '\n');
}

/* Names are the writer's own text: none of ours has a NUL. */
static bool names_are_text(const struct json_object *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct slice name = o->members[i].name;

		if (name.len > 0 && memchr(name.data, 0, name.len) != NULL)
			return false;
	}
	return true;
}

static void write_and_read(const struct json_object *o)
{
	struct json_object again;
	struct buf line = {0};

	json_open(&line);
	for (size_t i = 0; i < o->count; i++) {
		char *name = slice_dup(o->members[i].name);

		write_member(&line, &o->members[i], name);
		free(name);
	}
	json_close(&line);
	check_printable(&line);
	REQUIRE(json_parse(slice_of(line.data, line.len - 1), &again));
	check_same(o, &again);
	json_fini(&again);
	buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object o;

	if (!json_parse(slice_of(data, size), &o))
		return 0;
	if (names_are_text(&o))
		write_and_read(&o);
	json_fini(&o);
	return 0;
}
