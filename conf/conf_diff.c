/* Every key of a configuration becomes a row: its name and its value as text. Two lists of rows are
 * compared. */
#include "conf/conf_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/bytes.h"
#include "base/require.h"
#include "conf/schema_section.h"
#include "conf/schema_table.h"
#include "conf/value.h"

struct conf_row {
	char *name, *value;
	bool at_restart;
};

struct conf_rows {
	struct conf_row *items;
	size_t count, cap;
};

struct conf_started {
	struct conf_rows rows;
};

/* --- a configuration as rows --- */

static char *take_text(struct buf *text)
{
	char *out = slice_dup(buf_slice(text));

	buf_fini(text);
	return out;
}

/* Where the value of a key is. A section may lie inside of `object`, or in the whole. */
struct conf_place {
	const char *object;
	const struct conf *whole; /* NULL: in a listener */
};

static const char *field_of(const struct schema_key *key, const struct conf_place *place)
{
	if ((key->flags & KEY_GLOBAL) == 0)
		return place->object + key->offset;
	return place->whole == NULL ? NULL : (const char *)place->whole + key->offset;
}

/* "{certificate: "a", key: "b"}, {...}"; items of lists hold single values. */
static char *list_text(const struct schema_key *key, const char *object)
{
	struct buf text = {0};
	size_t count;
	const char *items = schema_list(key, object, &count);

	buf_put_u8(&text, '[');
	for (size_t i = 0; i < count; i++) {
		const char *item = items + i * key->section->size;

		buf_printf(&text, i == 0 ? "{" : ", {");
		for (size_t k = 0; k < key->section->count; k++) {
			const struct schema_key *inner = &key->section->keys[k];

			REQUIRE(inner->kind != SCHEMA_LIST && inner->kind != SCHEMA_MAPPING);
			buf_printf(&text, "%s%s: ", k == 0 ? "" : ", ", inner->name);
			value_format(inner, item + inner->offset, &text);
		}
		buf_put_u8(&text, '}');
	}
	buf_put_u8(&text, ']');
	return take_text(&text);
}

static void add_row(struct conf_rows *rows, struct conf_row row)
{
	array_reserve(rows->items, rows->cap, rows->count + 1);
	rows->items[rows->count++] = row;
}

/* As deep as the tables nest. Listeners are compared by themselves. */
static void add_section(struct conf_rows *rows, const struct schema_section *section,
                        const char *prefix, struct conf_place place)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct schema_key *key = &section->keys[i];
		const char *field = field_of(key, &place);
		struct conf_row row = {.at_restart = (key->flags & KEY_RESTART) != 0};
		struct buf text = {0};

		if (field == NULL || key->section == &schema_listener || key->kind == SCHEMA_BIND)
			continue;
		row.name = xasprintf("%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", key->name);
		if (key->kind == SCHEMA_MAPPING) {
			struct conf_place inner = {place.object + key->offset, place.whole};

			add_section(rows, key->section, row.name, inner);
			free(row.name);
			continue;
		}
		if (key->kind == SCHEMA_LIST) {
			row.value = list_text(key, place.object);
			add_row(rows, row);
			continue;
		}
		value_format(key, field, &text);
		row.value = take_text(&text);
		add_row(rows, row);
	}
}

static struct conf_rows rows_of(const struct conf *conf)
{
	struct conf_rows rows = {0};
	struct conf_place place = {(const char *)conf, conf};

	add_section(&rows, &schema_root, "", place);
	return rows;
}

static struct conf_rows rows_of_listener(const struct conf_listener *l)
{
	struct conf_rows rows = {0};
	struct conf_place place = {(const char *)l, NULL};

	add_section(&rows, &schema_listener, "", place);
	return rows;
}

static void rows_fini(struct conf_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->items[i].name);
		free(rows->items[i].value);
	}
	free(rows->items);
	*rows = (struct conf_rows){0};
}

/* --- comparing --- */

static const char *value_in(const struct conf_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (strcmp(rows->items[i].name, name) == 0)
			return rows->items[i].value;
	}
	return NULL;
}

/* Both configurations, as what all listeners inherit; NULL: there is nothing to inherit. */
struct inherited {
	const struct conf_rows *before, *after;
};

/* The listener only follows what changed for all. */
static bool is_inherited(const struct inherited *all, const struct conf_row *before,
                         const struct conf_row *after)
{
	const char *old, *now;

	if (all == NULL)
		return false;
	old = value_in(all->before, before->name);
	now = value_in(all->after, after->name);
	return old != NULL && now != NULL && strcmp(old, before->value) == 0 &&
	       strcmp(now, after->value) == 0;
}

static void diff_rows(const struct conf_rows *before, const struct conf_rows *after,
                      const char *bind, const struct inherited *all, conf_diff_fn *fn, void *arg)
{
	REQUIRE(before->count == after->count); /* one schema */
	for (size_t i = 0; i < before->count; i++) {
		const struct conf_row *old = &before->items[i], *now = &after->items[i];
		struct conf_change change = {.name = now->name,
		                             .bind = bind,
		                             .before = old->value,
		                             .after = now->value,
		                             .at_restart = now->at_restart};

		/* mutant: reload_tells_settings */
		if (strcmp(old->value, now->value) == 0 || is_inherited(all, old, now))
			continue;
		fn(arg, &change);
	}
}

static const struct conf_listener *find_listener(const struct conf *conf, const char *bind)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		if (strcmp(conf->listeners[i].bind, bind) == 0)
			return &conf->listeners[i];
	}
	return NULL;
}

void conf_diff(const struct conf *before, const struct conf *after, conf_diff_fn *fn, void *arg)
{
	struct conf_rows old = rows_of(before), now = rows_of(after);
	struct inherited all = {&old, &now};

	diff_rows(&old, &now, NULL, NULL, fn, arg);
	for (size_t i = 0; i < after->listener_count; i++) {
		const struct conf_listener *l = &after->listeners[i];
		const struct conf_listener *same = find_listener(before, l->bind);
		struct conf_rows was, is;

		if (same == NULL)
			continue;
		was = rows_of_listener(same);
		is = rows_of_listener(l);
		diff_rows(&was, &is, l->bind, &all, fn, arg);
		rows_fini(&was);
		rows_fini(&is);
	}
	rows_fini(&old);
	rows_fini(&now);
}

/* --- what only a start applies --- */

struct conf_started *conf_started_new(const struct conf *conf)
{
	struct conf_started *started = xnew(started);

	started->rows = rows_of(conf);
	return started;
}

void conf_started_free(struct conf_started *started)
{
	if (started == NULL)
		return;
	rows_fini(&started->rows);
	free(started);
}

struct restart_filter {
	conf_diff_fn *fn;
	void *arg;
};

static void pass_restart(void *arg, const struct conf_change *change)
{
	const struct restart_filter *filter = arg;

	if (change->at_restart)
		filter->fn(filter->arg, change);
}

void conf_started_diff(const struct conf_started *started, const struct conf *conf,
                       conf_diff_fn *fn, void *arg)
{
	struct restart_filter filter = {fn, arg};
	struct conf_rows now = rows_of(conf);

	diff_rows(&started->rows, &now, NULL, NULL, pass_restart, &filter);
	rows_fini(&now);
}
