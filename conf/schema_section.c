/* Finding, lists, defaults, copying for listeners, freeing. */
#include "conf/schema_section.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"
#include "conf/listen_address.h"
#include "conf/peer_list.h"
#include "conf/schema_table.h"
#include "conf/value.h"
#include "conf/value_list.h"

const struct schema_key *schema_find(const struct schema_section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++)
		if (strcmp(section->keys[i].name, name) == 0)
			return &section->keys[i];
	return NULL;
}

void *schema_field(const struct schema_key *key, const struct scope *scope)
{
	if ((key->flags & KEY_GLOBAL) == 0)
		return (char *)scope->object + key->offset;
	return scope->whole == NULL ? NULL : (char *)scope->whole + key->offset;
}

struct scope schema_inner(const struct schema_key *key, const struct scope *scope)
{
	struct scope inner = *scope;

	REQUIRE(key->kind == SCHEMA_MAPPING);
	inner.object = (char *)scope->object + key->offset;
	return inner;
}

static void copy(const struct schema_section *section, struct scope to, const void *from);

const void *schema_list(const struct schema_key *key, const void *object, size_t *count)
{
	const void *items;

	REQUIRE(key->kind == SCHEMA_LIST);
	memcpy(&items, (const char *)object + key->offset, sizeof(items));
	memcpy(count, (const char *)object + key->count_offset, sizeof(*count));
	return items;
}

struct scope schema_item(const struct schema_key *key, const struct scope *scope, size_t index)
{
	struct scope item = *scope;
	size_t count;
	char *items;

	(void)schema_list(key, scope->object, &count);
	REQUIRE(index < count);
	memcpy(&items, (char *)scope->object + key->offset, sizeof(items));
	item.object = items + index * key->section->size;
	if (key->section == &schema_listener) {
		item.listener = item.object;
		item.whole = NULL;
	}
	return item;
}

static void list_set(const struct schema_key *key, const struct scope *scope, void *items,
                     size_t count)
{
	memcpy((char *)scope->object + key->offset, &items, sizeof(items));
	memcpy((char *)scope->object + key->count_offset, &count, sizeof(count));
}

static void list_clear(const struct schema_key *key, const struct scope *scope)
{
	size_t count;
	void *items;

	schema_list(key, scope->object, &count);
	for (size_t i = 0; i < count; i++)
		schema_clear(key->section, schema_item(key, scope, i));
	memcpy(&items, (char *)scope->object + key->offset, sizeof(items));
	free(items);
	list_set(key, scope, NULL, 0);
}

void *schema_list_new(const struct schema_key *key, const struct scope *scope, size_t count)
{
	void *items = count == 0 ? NULL : xcalloc(count, key->section->size);

	list_clear(key, scope);
	list_set(key, scope, items, count);
	return items;
}

static bool is_peer_list(const struct schema_key *key)
{
	return key->kind == SCHEMA_NETWORKS || key->kind == SCHEMA_SENDERS ||
	       key->kind == SCHEMA_PEER_USERS;
}

/* The field is a string of its own. */
static bool is_text(const struct schema_key *key)
{
	return key->kind == SCHEMA_STRING || key->kind == SCHEMA_PATH || key->kind == SCHEMA_FILTER;
}

static void copy_string(void *to, const void *from)
{
	char *text;

	memcpy(&text, from, sizeof(text));
	if (text != NULL)
		text = xstrdup(text);
	memcpy(to, &text, sizeof(text));
}

static void copy_list(const struct schema_key *key, const struct scope *to, const void *from)
{
	size_t count;
	const char *items = schema_list(key, from, &count);

	schema_list_new(key, to, count);
	for (size_t i = 0; i < count; i++)
		copy(key->section, schema_item(key, to, i), items + i * key->section->size);
}

static void copy_place(const struct schema_section *section, void *to, const void *from)
{
	if (!section->has_place)
		return;
	memcpy((char *)to + section->line_offset, (const char *)from + section->line_offset,
	       sizeof(unsigned));
	memcpy((char *)to + section->column_offset, (const char *)from + section->column_offset,
	       sizeof(unsigned));
}

/* A section that is inherited has no mappings inside; lists nest as deep as the tables do. */
static void copy(const struct schema_section *section, struct scope to, const void *from)
{
	copy_place(section, to.object, from);
	for (size_t i = 0; i < section->count; i++) {
		const struct schema_key *key = &section->keys[i];
		void *field = schema_field(key, &to);

		REQUIRE(key->kind != SCHEMA_MAPPING && key->kind != SCHEMA_BIND);
		REQUIRE(!is_peer_list(key)); /* a listener's own */
		if (field == NULL)
			continue;
		if (key->kind == SCHEMA_LIST)
			copy_list(key, &to, from);
		else if (is_text(key))
			copy_string(field, (const char *)from + key->offset);
		else if (key->kind == SCHEMA_STRINGS)
			value_list_copy(field, (const char *)from + key->offset);
		else
			memcpy(field, (const char *)from + key->offset, key->width);
	}
}

void schema_defaults(const struct schema_section *section, struct scope scope,
                     const struct conf *global)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct schema_key *key = &section->keys[i];

		if (key->inherits)
			copy(key->section, schema_inner(key, &scope),
			     (const char *)global + key->inherit_offset);
		else if (key->kind == SCHEMA_MAPPING)
			schema_defaults(key->section, schema_inner(key, &scope), global);
		else if (key->default_text != NULL)
			value_default(key, schema_field(key, &scope));
	}
}

void schema_free_string(void *field)
{
	char *text;

	memcpy(&text, field, sizeof(text));
	free(text);
	memset(field, 0, sizeof(text));
}

/* As deep as the tables nest. */
void schema_clear(const struct schema_section *section, struct scope scope)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct schema_key *key = &section->keys[i];
		void *field = schema_field(key, &scope);

		if (field == NULL)
			continue;
		if (key->kind == SCHEMA_MAPPING)
			schema_clear(key->section, schema_inner(key, &scope));
		else if (key->kind == SCHEMA_LIST)
			list_clear(key, &scope);
		else if (is_text(key))
			schema_free_string(field);
		else if (is_peer_list(key))
			peer_list_clear(key, field);
		else if (key->kind == SCHEMA_STRINGS)
			value_list_clear(field);
		else if (key->kind == SCHEMA_BIND)
			listen_address_clear(field);
	}
}
