/* From libyaml's events to a tree of nodes, without recursion and within bounds: the only file that
 * knows libyaml.  Thread: the caller's. */
#include "conf/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "base/text_input.h"
#include "conf/conf_file.h"
#include "conf/yaml_mistake.h"

#define DEPTH_MAX 16
#define NODES_MAX 100000

/* One open mapping or sequence. */
struct level {
	struct yaml_node *node;
	struct yaml_node *key; /* mapping: read, its value still to come */
	size_t cap;
};

struct builder {
	yaml_parser_t parser;
	const char *name;
	struct slice bytes;
	struct errors *errors;
	struct yaml_node *root;
	struct level levels[DEPTH_MAX];
	size_t depth;
	size_t nodes;
	bool second_document;
	bool stop;   /* the end, or beyond hope */
	bool broken; /* the tree is not what the file says */
};

static void report_error(struct builder *b, const yaml_mark_t *mark, const char *text)
{
	errors_add(b->errors, b->name, (unsigned)mark->line + 1, (unsigned)mark->column + 1, "%s",
	           text);
}

static void give_up(struct builder *b, const yaml_mark_t *mark, const char *text)
{
	report_error(b, mark, text);
	b->stop = true;
	b->broken = true;
}

static void level_add(struct level *level, struct yaml_node *key, struct yaml_node *value)
{
	struct yaml_node *node = level->node;

	REQUIRE((node->kind == YAML_MAPPING) == (key != NULL));
	array_reserve(node->entries, level->cap, node->count + 1);
	node->entries[node->count++] = (struct yaml_entry){.key = key, .value = value};
}

/* Hang a node where the text puts it. A container is attached at its start, so that whatever was
 * read is always reachable from the root. */
static void attach(struct builder *b, struct yaml_node *node, const yaml_mark_t *mark)
{
	struct level *level = b->depth == 0 ? NULL : &b->levels[b->depth - 1];

	if (level == NULL) {
		REQUIRE(b->root == NULL); /* there is one document */
		b->root = node;
	} else if (level->node->kind == YAML_SEQUENCE) {
		level_add(level, NULL, node);
	} else if (level->key != NULL) {
		level_add(level, level->key, node);
		level->key = NULL;
	} else if (node->kind == YAML_SCALAR) {
		level->key = node;
	} else {
		give_up(b, mark, "a key must be plain text, not a list or a mapping");
		yaml_free(node);
	}
}

static struct yaml_node *node_new(struct builder *b, enum yaml_kind kind, const yaml_mark_t *mark)
{
	struct yaml_node *node = xnew(node);

	node->kind = kind;
	node->line = (unsigned)mark->line + 1;
	node->column = (unsigned)mark->column + 1;
	if (++b->nodes > NODES_MAX)
		give_up(b, mark, "more than 100000 values in one file");
	return node;
}

static void refuse_decoration(struct builder *b, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		report_error(b, &event->start_mark,
		             "anchors (&) are not supported: write the value out");
	if (tag != NULL)
		report_error(b, &event->start_mark, "tags (!) are not supported: remove it");
}

static void on_document_start(struct builder *b, const yaml_event_t *event)
{
	if (b->second_document)
		give_up(b, &event->start_mark,
		        "a second document begins here: one file is one document, remove '---'");
	b->second_document = true;
}

static void on_alias(struct builder *b, const yaml_event_t *event)
{
	struct yaml_node *node = node_new(b, YAML_SCALAR, &event->start_mark);

	report_error(b, &event->start_mark, "aliases (*) are not supported: write the value out");
	b->broken = true;
	node->text = xstrdup("");
	attach(b, node, &event->start_mark);
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
	struct yaml_node *node = node_new(b, YAML_SCALAR, &event->start_mark);
	const char *value = (const char *)event->data.scalar.value;

	refuse_decoration(b, event, event->data.scalar.anchor, event->data.scalar.tag);
	node->text = xstrndup(value, event->data.scalar.length);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (memchr(value, '\0', event->data.scalar.length) != NULL)
		report_error(b, &event->start_mark, "a NUL character inside a value: remove it");
	attach(b, node, &event->start_mark);
}

static void open_level(struct builder *b, enum yaml_kind kind, const yaml_mark_t *mark)
{
	struct yaml_node *node;

	if (b->depth == DEPTH_MAX) {
		give_up(b, mark, "nested more than 16 deep");
		return;
	}
	node = node_new(b, kind, mark);
	attach(b, node, mark);
	if (!b->stop)
		b->levels[b->depth++] = (struct level){.node = node};
}

static void on_sequence_start(struct builder *b, const yaml_event_t *event)
{
	refuse_decoration(b, event, event->data.sequence_start.anchor,
	                  event->data.sequence_start.tag);
	open_level(b, YAML_SEQUENCE, &event->start_mark);
}

static void on_mapping_start(struct builder *b, const yaml_event_t *event)
{
	refuse_decoration(b, event, event->data.mapping_start.anchor,
	                  event->data.mapping_start.tag);
	open_level(b, YAML_MAPPING, &event->start_mark);
}

static int by_text(const void *left, const void *right)
{
	const struct yaml_node *a = (*(struct yaml_entry *const *)left)->key;
	const struct yaml_node *b = (*(struct yaml_entry *const *)right)->key;
	int order = strcmp(a->text, b->text);

	if (order != 0)
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

/* Sorted, so that a mapping of many thousand keys costs no square. Only the first stays in the
 * tree: a reader that ignores the error finds one value. */
static void refuse_duplicates(struct builder *b, struct yaml_node *mapping)
{
	struct yaml_entry **entries;
	const struct yaml_node *first;
	size_t kept = 0;

	if (mapping->count < 2)
		return;
	entries = xcalloc(mapping->count, sizeof(struct yaml_entry *));
	for (size_t i = 0; i < mapping->count; i++)
		entries[i] = &mapping->entries[i];
	qsort(entries, mapping->count, sizeof(struct yaml_entry *), by_text);
	first = entries[0]->key;
	for (size_t i = 1; i < mapping->count; i++) {
		const struct yaml_node *key = entries[i]->key;

		if (strcmp(first->text, key->text) != 0) {
			first = key;
			continue;
		}
		errors_add(b->errors, b->name, key->line, key->column,
		           "duplicate key '%s': it is on line %u already; remove one", key->text,
		           first->line);
		yaml_free(entries[i]->key);
		yaml_free(entries[i]->value);
		*entries[i] = (struct yaml_entry){0};
	}
	free(entries);
	for (size_t i = 0; i < mapping->count; i++)
		if (mapping->entries[i].key != NULL)
			mapping->entries[kept++] = mapping->entries[i];
	mapping->count = kept;
}

static void on_level_end(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	REQUIRE(b->depth > 0);
	b->depth--;
	if (b->levels[b->depth].node->kind == YAML_MAPPING)
		refuse_duplicates(b, b->levels[b->depth].node);
}

static void on_stream_end(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	b->stop = true;
}

typedef void event_handler(struct builder *b, const yaml_event_t *event);

static event_handler *const handlers[] = {
    [YAML_STREAM_END_EVENT] = on_stream_end,
    [YAML_DOCUMENT_START_EVENT] = on_document_start,
    [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,
    [YAML_SEQUENCE_START_EVENT] = on_sequence_start,
    [YAML_SEQUENCE_END_EVENT] = on_level_end,
    [YAML_MAPPING_START_EVENT] = on_mapping_start,
    [YAML_MAPPING_END_EVENT] = on_level_end,
};

static yaml_mark_t mark_of_offset(struct slice bytes, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset && i < bytes.len; i++) {
		mark.column++;
		if (bytes.data[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

/* libyaml counts characters, so the place is found by its line. */
static bool indented_with_tab(struct slice bytes, size_t line)
{
	size_t at = 0;

	for (; line > 0 && at < bytes.len; at++)
		line -= bytes.data[at] == '\n' ? 1 : 0;
	while (at < bytes.len && bytes.data[at] == ' ')
		at++;
	return at < bytes.len && bytes.data[at] == '\t';
}

/* What cannot be text at all was found before. */
static void on_reader_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t mark = mark_of_offset(b->bytes, p->problem_offset);
	const char *problem = p->problem == NULL ? "" : p->problem;

	if (strstr(problem, "control characters") != NULL)
		errors_add(b->errors, b->name, (unsigned)mark.line + 1, (unsigned)mark.column + 1,
		           "a control character (0x%02x): remove it", (unsigned)p->problem_value);
	else
		errors_add(b->errors, b->name, (unsigned)mark.line + 1, (unsigned)mark.column + 1,
		           "this character is not UTF-8: save the file as UTF-8 (from Latin-1: "
		           "'iconv -f latin1 -t utf-8 FILE')");
}

static void on_syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	struct yaml_mistake mistake = {.problem = p->problem,
	                               .context = p->context,
	                               .line = p->problem_mark.line,
	                               .column = p->problem_mark.column,
	                               .context_line = p->context_mark.line,
	                               .context_column = p->context_mark.column};
	struct buf words = {0};

	b->broken = true;
	if (p->error == YAML_READER_ERROR) {
		on_reader_error(b);
		return;
	}
	if (indented_with_tab(b->bytes, p->problem_mark.line))
		buf_printf(&words, "a tab cannot indent YAML: use spaces");
	else
		yaml_mistake_describe(&mistake, b->bytes, &words);
	errors_add(b->errors, b->name, (unsigned)mistake.line + 1, (unsigned)mistake.column + 1,
	           "%.*s", (int)words.len, (const char *)words.data);
	buf_fini(&words);
}

static void build(struct builder *b)
{
	while (!b->stop) {
		yaml_event_t event;

		if (yaml_parser_parse(&b->parser, &event) == 0) {
			on_syntax_error(b);
			return;
		}
		if ((size_t)event.type < ARRAY_LEN(handlers) && handlers[event.type] != NULL)
			handlers[event.type](b, &event);
		yaml_event_delete(&event);
	}
}

static bool is_loadable(struct builder *b)
{
	const uint8_t *nul = b->bytes.len == 0 ? NULL : memchr(b->bytes.data, '\0', b->bytes.len);
	const char *no_text = yaml_mistake_no_text(b->bytes);
	yaml_mark_t mark;

	if (b->bytes.len > YAML_SIZE_MAX) {
		errors_add(b->errors, b->name, 0, 0, "larger than the limit of %zu bytes",
		           YAML_SIZE_MAX);
		return false;
	}
	if (no_text[0] != '\0') {
		errors_add(b->errors, b->name, 0, 0, "%s", no_text);
		return false;
	}
	if (nul == NULL)
		return true;
	mark = mark_of_offset(b->bytes, (size_t)(nul - b->bytes.data));
	report_error(b, &mark,
	             "a NUL byte: this is not a text file, or was cut or damaged; name "
	             "another one, or remove the byte");
	return false;
}

struct yaml_node *yaml_load_file(const char *path, const char *what, struct errors *e)
{
	struct conf_file file = {.path = path, .what = what, .max_bytes = YAML_SIZE_MAX};
	struct yaml_node *node = NULL;
	struct buf bytes = {0};

	errno = -conf_read_file(&file, &bytes, e);
	if (errno == 0)
		node = yaml_load(path, buf_slice(&bytes), e);
	buf_fini(&bytes);
	return node;
}

struct yaml_node *yaml_load(const char *name, struct slice bytes, struct errors *e)
{
	size_t errors_before = e->error_count;
	struct yaml_node *root = yaml_load_anyway(name, bytes, e);

	if (e->error_count == errors_before)
		return root;
	yaml_free(root);
	return NULL;
}

struct yaml_node *yaml_load_anyway(const char *name, struct slice bytes, struct errors *e)
{
	struct builder b = {.name = name, .errors = e};

	bytes = text_input_start(bytes); /* a byte order mark is no column */
	b.bytes = bytes;
	if (!is_loadable(&b))
		return NULL;
	if (yaml_parser_initialize(&b.parser) == 0) {
		errors_add(e, name, 0, 0, "cannot be read: out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &b.parser, bytes.data == NULL ? (const uint8_t *)"" : bytes.data, bytes.len);
	build(&b);
	yaml_parser_delete(&b.parser);
	for (size_t i = 0; i < b.depth; i++)
		yaml_free(b.levels[i].key);
	REQUIRE(b.broken || b.depth == 0);
	if (!b.broken)
		return b.root;
	yaml_free(b.root);
	return NULL;
}

/* Recursion is bounded by DEPTH_MAX. */
void yaml_free(struct yaml_node *node)
{
	if (node == NULL)
		return;
	for (size_t i = 0; i < node->count; i++) {
		yaml_free(node->entries[i].key);
		yaml_free(node->entries[i].value);
	}
	free(node->entries);
	free(node->text);
	free(node);
}

struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
	if (mapping == NULL || mapping->kind != YAML_MAPPING)
		return NULL;
	for (size_t i = 0; i < mapping->count; i++)
		if (strcmp(mapping->entries[i].key->text, key) == 0)
			return mapping->entries[i].value;
	return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
	return node == NULL || (node->kind == YAML_SCALAR && !node->quoted &&
	                        (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
	                         strcmp(node->text, "null") == 0));
}
