/* A file of scenarios:
 *     scenarios:
 *       lamps:
 *         publishers: 50
 *         rate: 100
 * Every mistake is told, with its place. */
#include "workload_file.h"

#include <string.h>

#include "base/array.h"
#include "base/nearest.h"
#include "conf/errors.h"
#include "conf/yaml.h"

struct scenario_reader {
	struct workload *workload;
	const char *file;
	struct errors *errors;
};

static void report(struct scenario_reader *r, const struct yaml_node *node, const char *text)
{
	errors_add(r->errors, r->file, node->line, node->column, "%s", text);
}

static void report_unknown_key(struct scenario_reader *r, const struct yaml_node *key)
{
	const char *names[WORKLOAD_KEYS];
	const char *near;

	for (size_t i = 0; i < WORKLOAD_KEYS; i++)
		names[i] = workload_name((enum workload_key)i);
	near = nearest_word(key->text, names, WORKLOAD_KEYS);
	if (near == NULL)
		errors_add(r->errors, r->file, key->line, key->column,
		           "unknown key '%s'; the keys are those of broker-bench --help, with _ in "
		           "place of -",
		           key->text);
	else
		errors_add(r->errors, r->file, key->line, key->column,
		           "unknown key '%s'; did you mean '%s'?", key->text, near);
}

/* A value that chance decides can be a list of YAML, too. */
static bool put_list(struct scenario_reader *r, const struct yaml_node *node, struct buf *text)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *item = node->entries[i].value;

		if (item->kind != YAML_SCALAR) {
			report(r, item, "expected one value");
			return false;
		}
		buf_printf(text, "%s%s", i == 0 ? "" : ",", item->text);
	}
	return true;
}

static void read_key(struct scenario_reader *r, const struct yaml_entry *entry)
{
	enum workload_key key = workload_find(entry->key->text);
	struct buf text = {0}, why = {0};

	if (strcmp(entry->key->text, "description") == 0)
		return;
	if (key == WORKLOAD_KEYS || strchr(entry->key->text, '-') != NULL) {
		report_unknown_key(r, entry->key);
		return;
	}
	if (entry->value->kind == YAML_SCALAR)
		buf_printf(&text, "%s", entry->value->text);
	else if (key != WORKLOAD_KEY_payload || entry->value->kind != YAML_SEQUENCE)
		report(r, entry->value, "expected one value");
	else if (!put_list(r, entry->value, &text))
		buf_clear(&text);
	buf_put_u8(&text, '\0');
	if ((entry->value->kind == YAML_SCALAR || text.len > 1) &&
	    !workload_set(r->workload, key, (const char *)text.data, &why))
		errors_add(r->errors, r->file, entry->value->line, entry->value->column,
		           "%s: %.*s, not '%s'", entry->key->text, (int)why.len,
		           (const char *)why.data, (const char *)text.data);
	buf_fini(&text);
	buf_fini(&why);
}

static void read_scenario(struct scenario_reader *r, const struct yaml_node *node)
{
	if (node == NULL || yaml_is_null(node))
		return;
	if (node->kind != YAML_MAPPING) {
		report(r, node, "expected keys and values, like 'rate: 1000'");
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		read_key(r, &node->entries[i]);
}

static const struct yaml_node *find_scenario(struct scenario_reader *r, const struct yaml_node *all,
                                             const char *scenario)
{
	struct buf names = {0};
	const struct yaml_node *found = NULL;

	if (scenario == NULL && all->count == 1)
		return all->entries[0].value;
	for (size_t i = 0; i < all->count; i++) {
		const char *name = all->entries[i].key->text;

		if (scenario != NULL && strcmp(name, scenario) == 0)
			found = all->entries[i].value;
		buf_printf(&names, "%s%s", i == 0 ? "" : ", ", name);
	}
	if (found == NULL && scenario == NULL)
		errors_add(r->errors, r->file, all->line, all->column,
		           "which of its scenarios? --scenario is one of: %.*s", (int)names.len,
		           (const char *)names.data);
	else if (found == NULL)
		errors_add(r->errors, r->file, all->line, all->column,
		           "there is no scenario '%s'; there are: %.*s", scenario, (int)names.len,
		           (const char *)names.data);
	buf_fini(&names);
	return found;
}

static void read_file(struct scenario_reader *r, const struct yaml_node *root, const char *scenario)
{
	const struct yaml_node *all = root == NULL ? NULL : yaml_get(root, "scenarios");
	const struct yaml_node *found;

	if (all == NULL || all->kind != YAML_MAPPING || root->count != 1) {
		errors_add(r->errors, r->file, 1, 0,
		           "expected one key 'scenarios:', and below it a name for each scenario");
		return;
	}
	found = find_scenario(r, all, scenario);
	/* What is wrong with others is told as well: who writes a file wants all of it right. */
	for (size_t i = 0; i < all->count; i++) {
		struct workload other;
		struct scenario_reader reader = *r;

		workload_init(&other);
		reader.workload = all->entries[i].value == found ? r->workload : &other;
		read_scenario(&reader, all->entries[i].value);
	}
}

static bool finish(struct workload *w, struct yaml_node *root, const char *name,
                   const char *scenario, struct errors *errors)
{
	struct scenario_reader r = {.workload = w, .file = name, .errors = errors};

	if (root != NULL && root->kind != YAML_MAPPING)
		report(&r, root, "expected 'scenarios:'");
	else if (errors->error_count == 0)
		read_file(&r, root, scenario);
	yaml_free(root);
	return errors->error_count == 0;
}

bool workload_file_parse(struct workload *w, const char *name, struct slice text,
                         const char *scenario, struct errors *errors)
{
	return finish(w, yaml_load(name, text, errors), name, scenario, errors);
}

bool workload_file_load(struct workload *w, const char *path, const char *scenario,
                        struct errors *errors)
{
	return finish(w, yaml_load_file(path, "file of scenarios", errors), path, scenario, errors);
}
