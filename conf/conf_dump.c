/* Along the schema table.  A listener shows what differs from the global values. */
#include "conf/conf_dump.h"

#include <stdlib.h>
#include <string.h>

#include "conf/schema_section.h"
#include "conf/schema_table.h"
#include "conf/value.h"

struct dump {
	struct buf *out;
	const struct conf *conf;
	const struct conf_listener *listener; /* NULL outside of one */
	const char *global;                   /* inside a listener: the section that it overrides */
	int indent;
	bool bullet; /* the next key begins an item */
};

static void dump_section(struct dump d, const struct schema_section *section, const char *object);

/* Indentation and name; an item's first key carries its dash. */
static void put_name(struct dump *d, const struct schema_key *key)
{
	if (d->bullet)
		buf_printf(d->out, "%*s- %s:", d->indent - 2, "", key->name);
	else
		buf_printf(d->out, "%*s%s:", d->indent, "", key->name);
	d->bullet = false;
}

static void dump_list(struct dump *d, const struct schema_key *key, const char *object)
{
	size_t count;
	const char *items = schema_list(key, object, &count);

	put_name(d, key);
	buf_printf(d->out, count == 0 ? " null\n" : "\n");
	for (size_t i = 0; i < count; i++) {
		struct dump inner = *d;
		const char *item = items + i * key->section->size;

		inner.indent += 4;
		inner.bullet = true;
		inner.global = NULL;
		if (key->section == &schema_listener)
			inner.listener = &d->conf->listeners[i];
		dump_section(inner, key->section, item);
	}
}

static void dump_leaf(struct dump *d, const struct schema_key *key, const char *object)
{
	if (key->kind == SCHEMA_LIST) {
		dump_list(d, key, object);
		return;
	}
	put_name(d, key);
	buf_put_u8(d->out, ' ');
	value_format(key, object + key->offset, d->out);
	buf_put_u8(d->out, '\n');
}

/* A mapping without lines says nothing and is left out. */
static void dump_mapping(struct dump *d, const struct schema_key *key, const char *object)
{
	struct dump inner = *d;
	struct buf lines = {0};

	inner.out = &lines;
	inner.indent += 2;
	inner.global = key->inherits ? (const char *)d->conf + key->inherit_offset : NULL;
	dump_section(inner, key->section, object + key->offset);
	if (lines.len > 0) {
		put_name(d, key);
		buf_put_u8(d->out, '\n');
		buf_put_slice(d->out, buf_slice(&lines));
	}
	buf_fini(&lines);
}

static bool differs(const struct schema_key *key, const char *a, const char *b)
{
	struct buf left = {0}, right = {0};
	struct dump dump_a = {.out = &left}, dump_b = {.out = &right};
	bool equal;

	dump_leaf(&dump_a, key, a);
	dump_leaf(&dump_b, key, b);
	equal = slice_equal(buf_slice(&left), buf_slice(&right));
	buf_fini(&left);
	buf_fini(&right);
	return !equal;
}

static bool is_shown(const struct dump *d, const struct schema_key *key, const char *object)
{
	unsigned wrong;

	if (d->listener == NULL)
		return true;
	wrong = KEY_GLOBAL | (d->listener->is_unix ? KEY_TCP : KEY_UNIX) |
	        (d->listener->protocol == CONF_PROTOCOL_HTTPS ? 0 : KEY_HTTPS);
	if ((key->flags & wrong) != 0)
		return false;
	if (d->global == NULL)
		return true;
	if (key->given_offset != 0)
		return *(const bool *)((const char *)d->listener + key->given_offset);
	return differs(key, object, d->global);
}

/* As deep as the tables nest. */
static void dump_section(struct dump d, const struct schema_section *section, const char *object)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct schema_key *key = &section->keys[i];
		bool global = (key->flags & KEY_GLOBAL) != 0;

		if (!is_shown(&d, key, object))
			continue;
		if (key->kind == SCHEMA_MAPPING)
			dump_mapping(&d, key, object);
		else
			dump_leaf(&d, key, global ? (const char *)d.conf : object);
	}
}

char *conf_dump(const struct conf *conf)
{
	struct buf out = {0};
	struct dump d = {.out = &out, .conf = conf};

	dump_section(d, &schema_root, (const char *)conf);
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}
