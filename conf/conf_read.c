/* The reader of broker.yaml: walks the tree along the schema table.  It knows kinds of keys, never
 * a single key.  Thread: the caller's. */
#include "conf/conf_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"
#include "base/require.h"
#include "conf/foreign.h"
#include "conf/peer_list.h"
#include "conf/schema_section.h"
#include "conf/schema_table.h"
#include "conf/value.h"
#include "conf/value_list.h"
#include "conf/value_suggest.h"

#define KEYS_MAX 64 /* of one section, for the nearest name */

struct conf_reading {
	const char *name;
	struct errors *errors;
	const struct conf *global; /* what listeners inherit */
};

static void read_mapping(const struct conf_reading *r, const struct schema_section *section,
                         struct scope scope, const struct yaml_node *node);

static const char *kind_name(enum yaml_kind kind)
{
	switch (kind) {
	case YAML_SCALAR:
		return "a single value";
	case YAML_SEQUENCE:
		return "a list";
	case YAML_MAPPING:
		return "a mapping";
	}
	UNREACHABLE();
}

/* "connections 5" and "connections:5" in the place of a section. */
static char *suggest_section(const struct schema_key *key, const char *text)
{
	size_t len = strcspn(text, ": ");
	char *name = xstrndup(text, len), *out = NULL;

	if (text[len] != '\0' && schema_find(key->section, name) != NULL)
		out = xasprintf("%s: %s", name, text + len + strspn(text + len, ": "));
	free(name);
	return out;
}

/* "max_qos must be a whole number from 0 to 2, not 'x'; hint" */
static void add_wrong_text(const struct conf_reading *r, const struct schema_key *key,
                           const struct yaml_node *node, const char *expected)
{
	bool hinted = key->hint != NULL && (key->flags & KEY_GLOBAL) == 0;
	char *suggestion = key->kind == SCHEMA_MAPPING ? suggest_section(key, node->text)
	                                               : value_suggest(key, node->text);

	errors_add(r->errors, r->name, node->line, node->column,
	           "%s must be %s, not '%.80s'%s%s%s%s%s", key->name, expected, node->text,
	           hinted ? "; " : "", hinted ? key->hint : "",
	           suggestion == NULL ? "" : "; write '", suggestion == NULL ? "" : suggestion,
	           suggestion == NULL ? "" : "'");
	free(suggestion);
}

/* The same where there is no text, or none at all. */
static void add_expected(const struct conf_reading *r, const struct schema_key *key,
                         const struct yaml_node *node)
{
	struct buf expected = {0};
	bool hinted = key->hint != NULL && (key->flags & KEY_GLOBAL) == 0;
	const char *hint = hinted ? key->hint : "";
	const char *separator = hinted ? "; " : "";

	value_expected(key, &expected);
	buf_put_u8(&expected, '\0');
	if (node->kind != YAML_SCALAR)
		errors_add(r->errors, r->name, node->line, node->column,
		           "%s must be %s, not %s%s%s", key->name, (char *)expected.data,
		           node->kind == YAML_SEQUENCE && node->count == 0 ? "an empty list"
		                                                           : kind_name(node->kind),
		           separator, hint);
	else if (node->text[0] == '\0')
		errors_add(r->errors, r->name, node->line, node->column,
		           "%s has no value, it must be %s%s%s", key->name, (char *)expected.data,
		           separator, hint);
	else
		add_wrong_text(r, key, node, (char *)expected.data);
	buf_fini(&expected);
}

/* The section in which a key of this name has its place; NULL: none. */
static const struct schema_section *find_section(const char *name)
{
	for (size_t i = 0; i < schema_section_count; i++)
		if (schema_find(schema_sections[i], name) != NULL)
			return schema_sections[i];
	return NULL;
}

/* The nearest name in this section, however it is capitalised; then in any other. */
static const char *nearest_name(const struct schema_section *section, const char *word)
{
	const char *names[KEYS_MAX], *nearest;
	char *plain = xstrdup(word);

	REQUIRE(section->count <= KEYS_MAX);
	for (size_t i = 0; i < section->count; i++)
		names[i] = section->keys[i].name;
	for (char *p = plain; *p != '\0'; p++)
		*p = value_plain_letter(*p);
	nearest = nearest_word(plain, names, section->count);
	free(plain);
	return nearest;
}

static void put_elsewhere(const char *word, struct buf *out)
{
	for (size_t i = 0; i < schema_section_count && out->len == 0; i++) {
		const struct schema_section *section = schema_sections[i];
		const char *near = nearest_name(section, word);

		if (near != NULL && section == &schema_root)
			buf_printf(out, "did you mean '%s' at the top level?", near);
		else if (near != NULL)
			buf_printf(out, "did you mean '%s' in %s:?", near, section->name);
	}
}

/* The right name in the wrong section, one of another broker, a wrong name, or something else
 * altogether. */
static void put_remedy(const struct schema_section *section, const char *word, struct buf *out)
{
	const struct schema_section *right = find_section(word);
	const struct foreign_name *foreign = foreign_find(slice_of_str(word));
	const char *nearest = nearest_name(section, word);

	if (right == &schema_root)
		buf_printf(out, "its place is the top level");
	else if (right != NULL)
		buf_printf(out, "its place is in %s:", right->name);
	else if (foreign != NULL)
		buf_printf(out, "it is of another broker: %s", foreign->ours);
	else if (word[0] == '-' && word[1] != '\0')
		buf_printf(out, "an item of a list begins with a dash and a blank: write '- %s'",
		           word + 1);
	else if (nearest != NULL)
		buf_printf(out, "did you mean '%s'?", nearest);
	else
		put_elsewhere(word, out);
	if (out->len > 0)
		return;
	for (size_t i = 0; i < section->count; i++)
		buf_printf(out, "%s%s", i == 0 ? "known are " : ", ", section->keys[i].name);
}

static void add_unknown(const struct conf_reading *r, const struct schema_section *section,
                        const struct yaml_node *key)
{
	struct buf remedy = {0};

	put_remedy(section, key->text, &remedy);
	errors_add(r->errors, r->name, key->line, key->column, "unknown key '%.80s'%s%s; %.*s",
	           key->text, section == &schema_root ? "" : " in ",
	           section == &schema_root ? "" : section->name, (int)remedy.len,
	           (char *)remedy.data);
	buf_fini(&remedy);
}

/* What has no default and is null is switched off; an empty one was more likely forgotten. */
static bool is_switched_off(const struct schema_key *key, const struct yaml_node *node)
{
	bool optional = key->default_text == NULL && (key->flags & KEY_REQUIRED) == 0;

	return optional && yaml_is_null(node) && node->text[0] != '\0';
}

/* False: it is wrong, which was reported. */
static bool read_item(const struct conf_reading *r, const struct schema_key *key, void *field,
                      const struct yaml_node *node)
{
	struct value_input in = {.file = r->name, .text = node->text};
	bool fine =
	    node->kind == YAML_SCALAR && !yaml_is_null(node) && value_parse(key, &in, field);

	if (!fine && in.why != NULL)
		errors_add(r->errors, r->name, node->line, node->column, "%s: %s", key->name,
		           in.why);
	else if (!fine)
		add_expected(r, key, node);
	free(in.why);
	return fine;
}

static void read_scalar(const struct conf_reading *r, const struct schema_key *key,
                        const struct scope *scope, const struct yaml_node *node)
{
	void *field = schema_field(key, scope);

	if (is_switched_off(key, node))
		schema_free_string(field);
	else
		(void)read_item(r, key, field, node);
}

static void note_place(const struct schema_section *section, void *object,
                       const struct yaml_node *node)
{
	if (!section->has_place)
		return;
	memcpy((char *)object + section->line_offset, &node->line, sizeof(node->line));
	memcpy((char *)object + section->column_offset, &node->column, sizeof(node->column));
}

static void read_list(const struct conf_reading *r, const struct schema_key *key,
                      const struct scope *scope, const struct yaml_node *node)
{
	bool off = is_switched_off(key, node);

	if (!off &&
	    (node->kind != YAML_SEQUENCE || node->count < key->min || node->count > key->max)) {
		add_expected(r, key, node);
		return;
	}
	schema_list_new(key, scope, node->count);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *value = node->entries[i].value;
		struct scope item = schema_item(key, scope, i);

		schema_defaults(key->section, item, r->global);
		note_place(key->section, item.object, value);
		if (value->kind == YAML_MAPPING)
			read_mapping(r, key->section, item, value);
		else
			errors_add(r->errors, r->name, value->line, value->column,
			           "an item of %s must be a mapping (- key: value), not %s",
			           key->name, kind_name(value->kind));
	}
}

static void clear_values(const struct schema_key *key, void *field)
{
	if (key->kind == SCHEMA_STRINGS)
		value_list_clear(field);
	else if (key->kind == SCHEMA_FLAGS)
		schema_store(key, field, 0);
	else
		peer_list_clear(key, field);
}

/* Items of a list of single values, or one value in its place. */
static void read_values(const struct conf_reading *r, const struct schema_key *key,
                        const struct scope *scope, const struct yaml_node *node)
{
	void *field = schema_field(key, scope);
	bool off = is_switched_off(key, node);
	if (!off &&
	    (node->kind == YAML_MAPPING || yaml_is_null(node) ||
	     (node->kind == YAML_SEQUENCE && (node->count < key->min || node->count > key->max)))) {
		add_expected(r, key, node);
		return;
	}
	clear_values(key, field);
	if (node->kind == YAML_SCALAR && !off)
		(void)read_item(r, key, field, node);
	for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++)
		(void)read_item(r, key, field, node->entries[i].value);
}

static void read_peer_users(const struct conf_reading *r, const struct schema_key *key, void *field,
                            const struct yaml_node *node)
{
	static const struct schema_key user_key = {.name = "a user of peer_users",
	                                           .kind = SCHEMA_STRING};

	peer_list_clear(key, field);
	if (is_switched_off(key, node))
		return;
	if (node->kind != YAML_MAPPING || node->count < key->min || node->count > key->max) {
		add_expected(r, key, node);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		char *user = NULL;

		if (read_item(r, &user_key, &user, node->entries[i].value) &&
		    read_item(r, key, field, node->entries[i].key))
			peer_list_set_user(field, user);
		free(user);
	}
}

static void read_entry(const struct conf_reading *r, const struct schema_key *key,
                       const struct scope *scope, const struct yaml_entry *entry)
{
	if (schema_field(key, scope) == NULL) {
		errors_add(r->errors, r->name, entry->key->line, entry->key->column,
		           "%s cannot be set in a listener: %s", key->name, key->hint);
		return;
	}
	if (key->given_offset != 0 && scope->listener != NULL)
		*(bool *)((char *)scope->listener + key->given_offset) = true;
	if (key->kind == SCHEMA_MAPPING && yaml_is_null(entry->value))
		return; /* all its lines are comments: nothing is changed */
	if (key->kind == SCHEMA_MAPPING && entry->value->kind != YAML_MAPPING)
		add_expected(r, key, entry->value);
	else if (key->kind == SCHEMA_MAPPING)
		read_mapping(r, key->section, schema_inner(key, scope), entry->value);
	else if (key->kind == SCHEMA_LIST)
		read_list(r, key, scope, entry->value);
	else if (key->kind == SCHEMA_STRINGS || key->kind == SCHEMA_FLAGS ||
	         key->kind == SCHEMA_NETWORKS || key->kind == SCHEMA_SENDERS)
		read_values(r, key, scope, entry->value);
	else if (key->kind == SCHEMA_PEER_USERS)
		read_peer_users(r, key, schema_field(key, scope), entry->value);
	else
		read_scalar(r, key, scope, entry->value);
}

static void require_keys(const struct conf_reading *r, const struct schema_section *section,
                         const struct yaml_node *node)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct schema_key *key = &section->keys[i];
		struct buf expected = {0};

		if ((key->flags & KEY_REQUIRED) == 0 || yaml_get(node, key->name) != NULL)
			continue;
		value_expected(key, &expected);
		buf_put_u8(&expected, '\0');
		errors_add(r->errors, r->name, node->line, node->column,
		           "key '%s' is missing%s%s: %s%s%s", key->name,
		           section == &schema_root ? "" : " in ",
		           section == &schema_root ? "" : section->name, (char *)expected.data,
		           key->hint == NULL ? "" : "; ", key->hint == NULL ? "" : key->hint);
		buf_fini(&expected);
	}
}

static void read_entries(const struct conf_reading *r, const struct schema_section *section,
                         const struct scope *scope, const struct yaml_node *node, unsigned turn)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *entry = &node->entries[i];
		const struct schema_key *key = schema_find(section, entry->key->text);

		if (key == NULL && turn == 0)
			add_unknown(r, section, entry->key);
		if (key != NULL && (key->flags & KEY_LAST) == turn)
			read_entry(r, key, scope, entry);
	}
}

/* As deep as the tables nest. */
static void read_mapping(const struct conf_reading *r, const struct schema_section *section,
                         struct scope scope, const struct yaml_node *node)
{
	read_entries(r, section, &scope, node, 0);
	read_entries(r, section, &scope, node, KEY_LAST);
	require_keys(r, section, node);
}

void conf_read(struct conf *conf, const char *name, const struct yaml_node *root,
               struct errors *errors)
{
	struct conf_reading r = {.name = name, .errors = errors, .global = conf};
	struct scope scope = {.object = conf, .whole = conf};

	schema_defaults(&schema_root, scope, NULL);
	if (root->kind == YAML_MAPPING)
		read_mapping(&r, &schema_root, scope, root);
	else
		errors_add(errors, name, root->line, root->column,
		           "the file must be a mapping (lines of 'key: value'), not %s",
		           kind_name(root->kind));
}
