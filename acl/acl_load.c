/* acl.yaml, from the YAML tree to the compiled policy.  A key is a row of a table; all mistakes are
 * found in one go.  Thread: main. */
#include "acl/acl_load.h"

#include <errno.h>
#include <stdlib.h>

#include "acl/acl_lint.h"
#include "acl/acl_policy.h"
#include "acl/acl_test_load.h"
#include "acl/rule_parse.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"
#include "base/require.h"

struct loader {
	struct acl *acl;
	/* Whose section this is: a user's or anonymous's, and the rules in it; or a role's. */
	struct principal *principal;
	struct rule_list *list;
	struct errors *errors;
};

typedef void load_fn(struct loader *l, const struct yaml_node *node);

struct acl_key {
	const char *name;
	load_fn *load;
};

#define KEYS_MAX 8

static void report_error(struct loader *l, const struct yaml_node *node, const char *text)
{
	errors_add(l->errors, l->acl->name, node->line, node->column, "%s", text);
}

static void unknown_key(struct loader *l, const struct yaml_node *key, const struct acl_key *keys,
                        size_t count)
{
	const char *names[KEYS_MAX];
	const char *near;

	for (size_t i = 0; i < count; i++)
		names[i] = keys[i].name;
	near = nearest_word(key->text, names, count);
	if (near != NULL)
		errors_add(l->errors, l->acl->name, key->line, key->column,
		           "unknown key '%s'; did you mean '%s'?", key->text, near);
	else
		errors_add(l->errors, l->acl->name, key->line, key->column,
		           "unknown key '%s'; the first one known here is '%s'", key->text,
		           names[0]);
}

static bool is_of_mosquitto(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR &&
	       (strncmp(node->text, "user ", 5) == 0 || strncmp(node->text, "topic ", 6) == 0 ||
	        strncmp(node->text, "pattern ", 8) == 0);
}

/* A mapping with these keys; left empty it is one without entries. */
static void load_keys(struct loader *l, const struct yaml_node *node, const struct acl_key *keys,
                      size_t count)
{
	REQUIRE(count <= KEYS_MAX);
	if (node == NULL || yaml_is_null(node))
		return;
	if (node->kind != YAML_MAPPING) {
		report_error(l, node,
		             is_of_mosquitto(node)
		                 ? "this is an ACL file of mosquitto: rules are written in YAML "
		                   "here, see acl.yaml(5)"
		                 : "expected keys and values, 'key: value'");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *entry = &node->entries[i];
		size_t k = 0;

		while (k < count && strcmp(entry->key->text, keys[k].name) != 0)
			k++;
		if (k == count)
			unknown_key(l, entry->key, keys, count);
		else
			keys[k].load(l, entry->value);
	}
}

/* How many entries a list has; 0 where it is none, and that is said. */
static size_t list_length(struct loader *l, const struct yaml_node *node)
{
	if (yaml_is_null(node))
		return 0;
	if (node->kind == YAML_SEQUENCE)
		return node->count;
	report_error(l, node, "expected a list: '- ' before each entry, or [a, b]");
	return 0;
}

static void load_rules(struct loader *l, struct rule_list *list, const struct yaml_node *node)
{
	size_t count = list_length(l, node);

	list->rules = xcalloc(count + 1, sizeof(*list->rules));
	for (; list->count < count; list->count++) {
		struct acl_rule *rule = &list->rules[list->count];

		rule_parse(rule, l->acl->name, node->entries[list->count].value, l->errors);
		rule->id = (uint32_t)++l->acl->rule_count;
	}
}

static void load_own_rules(struct loader *l, const struct yaml_node *node)
{
	load_rules(l, l->list, node);
}

static void load_own_roles(struct loader *l, const struct yaml_node *node)
{
	size_t count = list_length(l, node);

	l->principal->roles = xcalloc(count + 1, sizeof(*l->principal->roles));
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *name = node->entries[i].value;

		if (name->kind != YAML_SCALAR || yaml_is_null(name)) {
			report_error(l, name, "expected the name of a role");
			continue;
		}
		l->principal->roles[l->principal->role_count++] =
		    (struct role_use){xstrdup(name->text), name->line, name->column};
	}
}

static void load_partial(struct loader *l, const struct yaml_node *node)
{
	bool filters = node->kind == YAML_SCALAR && strcmp(node->text, "filter") == 0;
	bool refuses = node->kind == YAML_SCALAR && strcmp(node->text, "refuse") == 0;

	if (!filters && (!refuses || l->principal == NULL))
		report_error(l, node,
		             l->principal != NULL
		                 ? "partial_subscriptions is refuse or filter"
		                 : "partial_subscriptions of a role is filter, or left out: a role "
		                   "takes nothing away; write refuse where the user is");
	l->list->partial = filters ? ACL_PARTIAL_FILTER : ACL_PARTIAL_REFUSE;
}

static const struct acl_key principal_keys[] = {
    {"roles", load_own_roles},
    {"rules", load_own_rules},
    {"partial_subscriptions", load_partial},
};

static const struct acl_key role_keys[] = {
    {"rules", load_own_rules},
    {"partial_subscriptions", load_partial},
};

static void load_principal(struct loader *l, struct principal *principal,
                           const struct yaml_node *node)
{
	l->principal = principal;
	l->list = &principal->rules;
	load_keys(l, node, principal_keys, ARRAY_LEN(principal_keys));
}

static void load_anonymous(struct loader *l, const struct yaml_node *node)
{
	load_principal(l, &l->acl->anonymous, node);
}

static bool is_mapping(struct loader *l, const struct yaml_node *node, const char *wanted)
{
	if (!yaml_is_null(node) && node->kind != YAML_MAPPING)
		report_error(l, node, wanted);
	return node->kind == YAML_MAPPING;
}

static void load_users(struct loader *l, const struct yaml_node *node)
{
	if (!is_mapping(l, node, "expected users: 'name: { roles: [...], rules: [...] }'"))
		return;
	l->acl->users = xcalloc(node->count + 1, sizeof(*l->acl->users));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *name = node->entries[i].key;
		struct principal *user = &l->acl->users[l->acl->user_count++];

		user->name = xstrdup(name->text);
		user->line = name->line;
		user->column = name->column;
		if (!pattern_name_is_clean(slice_of_str(name->text)))
			report_error(
			    l, name,
			    "no user has this name: it must not be empty, begin with '$' or "
			    "contain '/', '+', '#' or control characters");
		load_principal(l, user, node->entries[i].value);
	}
}

/* A role is the list of its rules, or a mapping with that list in it. */
static void load_roles(struct loader *l, const struct yaml_node *node)
{
	if (!is_mapping(l, node, "expected roles: 'name:', and a list of rules below it"))
		return;
	l->acl->roles = xcalloc(node->count + 1, sizeof(*l->acl->roles));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *name = node->entries[i].key;
		const struct yaml_node *value = node->entries[i].value;
		struct rule_list *role = &l->acl->roles[l->acl->role_count++];

		role->name = xstrdup(name->text);
		role->line = name->line;
		role->column = name->column;
		l->principal = NULL;
		l->list = role;
		if (value->kind == YAML_MAPPING)
			load_keys(l, value, role_keys, ARRAY_LEN(role_keys));
		else
			load_rules(l, role, value);
	}
}

static void load_desired(struct loader *l, const struct yaml_node *node)
{
	struct rule_list *guard = &l->acl->guard;
	size_t count = list_length(l, node);

	if (yaml_is_null(node) || (node->kind == YAML_SEQUENCE && count == 0)) {
		report_error(
		    l, node,
		    "desired_topics cannot be empty: name the topics that anonymous clients "
		    "must never write, or leave the key out");
		return;
	}
	guard->rules = xcalloc(count + 1, sizeof(*guard->rules));
	for (; guard->count < count; guard->count++)
		rule_parse_guard(&guard->rules[guard->count], l->acl->name,
		                 node->entries[guard->count].value, l->errors);
}

/* Left out: these two. */
static void default_desired(struct loader *l)
{
	static const char *const topics[] = {"desired/#", "+/desired/#"};
	struct rule_list *guard = &l->acl->guard;

	guard->rules = xcalloc(2, sizeof(*guard->rules));
	for (; guard->count < 2; guard->count++) {
		struct yaml_node node = {.kind = YAML_SCALAR,
		                         .text = xstrdup(topics[guard->count])};

		rule_parse_guard(&guard->rules[guard->count], l->acl->name, &node, l->errors);
		free(node.text);
	}
}

static void load_tests(struct loader *l, const struct yaml_node *node)
{
	acl_test_load(l->acl, node, l->errors);
}

static const struct acl_key file_keys[] = {
    {"desired_topics", load_desired}, {"roles", load_roles}, {"users", load_users},
    {"anonymous", load_anonymous},    {"tests", load_tests},
};
_Static_assert(ARRAY_LEN(file_keys) <= KEYS_MAX, "room for their names");

static int by_role_name(const void *a, const void *b)
{
	return strcmp(((const struct rule_list *)a)->name, ((const struct rule_list *)b)->name);
}

static int by_user_name(const void *a, const void *b)
{
	return strcmp(((const struct principal *)a)->name, ((const struct principal *)b)->name);
}

static void check_roles(struct loader *l, const struct principal *principal)
{
	const char **names = xcalloc(l->acl->role_count + 1, sizeof(*names));

	for (size_t i = 0; i < l->acl->role_count; i++)
		names[i] = l->acl->roles[i].name;
	for (size_t i = 0; i < principal->role_count; i++) {
		const struct role_use *use = &principal->roles[i];
		const char *near;

		if (acl_find_role(l->acl, slice_of_str(use->name)) != NULL ||
		    l->errors->count >= ERRORS_MAX)
			continue;
		near = nearest_word(use->name, names, l->acl->role_count);
		if (near != NULL)
			errors_warn(
			    l->errors, l->acl->name, use->line, use->column,
			    "role '%s' is not defined and gives nothing; did you mean '%s'?",
			    use->name, near);
		else
			errors_warn(l->errors, l->acl->name, use->line, use->column,
			            "role '%s' is not defined and gives nothing; define it under "
			            "roles:",
			            use->name);
	}
	free(names);
}

/* From the tree (NULL: empty); errors that were there before are those of somebody else. */
static struct acl *acl_build(const char *name, const struct yaml_node *root,
                             enum conf_partial_subscriptions partial, struct errors *errors,
                             size_t errors_before)
{
	struct acl *acl = xnew(acl);
	struct loader l = {.acl = acl, .errors = errors};

	acl->name = xstrdup(name);
	acl->partial = partial == PARTIAL_SUBSCRIPTIONS_FILTER;
	level_dictionary_init(&acl->levels);
	load_keys(&l, root, file_keys, ARRAY_LEN(file_keys));
	if (acl->guard.rules == NULL)
		default_desired(&l);
	if (errors->error_count != errors_before) {
		acl_free(acl);
		return NULL;
	}
	if (acl->role_count > 1)
		qsort(acl->roles, acl->role_count, sizeof(*acl->roles), by_role_name);
	if (acl->user_count > 1)
		qsort(acl->users, acl->user_count, sizeof(*acl->users), by_user_name);
	check_roles(&l, &acl->anonymous);
	for (size_t i = 0; i < acl->user_count; i++)
		check_roles(&l, &acl->users[i]);
	rule_list_compile(&acl->guard, &acl->levels);
	rule_list_compile(&acl->anonymous.rules, &acl->levels);
	for (size_t i = 0; i < acl->role_count; i++)
		rule_list_compile(&acl->roles[i], &acl->levels);
	for (size_t i = 0; i < acl->user_count; i++)
		rule_list_compile(&acl->users[i].rules, &acl->levels);
	acl_lint(acl, errors);
	return acl;
}

static struct acl *acl_finish(const char *name, struct yaml_node *root,
                              enum conf_partial_subscriptions partial, struct errors *errors,
                              size_t errors_before)
{
	struct acl *acl = NULL;

	if (errors->error_count == errors_before)
		acl = acl_build(name, root, partial, errors, errors_before);
	yaml_free(root);
	return acl;
}

struct acl *acl_parse(const char *name, struct slice bytes, enum conf_partial_subscriptions partial,
                      struct errors *errors)
{
	size_t before = errors->error_count;

	return acl_finish(name, yaml_load(name, bytes, errors), partial, errors, before);
}

struct acl *acl_load(const char *path, enum conf_partial_subscriptions partial,
                     struct errors *errors)
{
	size_t before = errors->error_count;
	struct yaml_node *root;
	struct acl *acl;
	int error;

	if (path == NULL)
		return acl_build("", NULL, partial, errors, before);
	root = yaml_load_file(path, "ACL file", errors);
	error = errno;
	acl = acl_finish(path, root, partial, errors, before);
	errno = error;
	return acl;
}

static void principal_fini(struct principal *principal)
{
	for (size_t i = 0; i < principal->role_count; i++)
		free(principal->roles[i].name);
	free(principal->roles);
	free(principal->name);
	rule_list_fini(&principal->rules);
}

void acl_free(struct acl *acl)
{
	if (acl == NULL)
		return;
	for (size_t i = 0; i < acl->role_count; i++)
		rule_list_fini(&acl->roles[i]);
	for (size_t i = 0; i < acl->user_count; i++)
		principal_fini(&acl->users[i]);
	for (size_t i = 0; i < acl->test_count; i++)
		acl_test_fini(&acl->tests[i]);
	principal_fini(&acl->anonymous);
	rule_list_fini(&acl->guard);
	level_dictionary_fini(&acl->levels);
	free(acl->roles);
	free(acl->users);
	free(acl->tests);
	free(acl->name);
	free(acl);
}

size_t acl_rule_count(const struct acl *acl)
{
	return acl->rule_count;
}

size_t acl_role_count(const struct acl *acl)
{
	return acl->role_count;
}

bool acl_has_role(const struct acl *acl, const char *role)
{
	return acl_find_role(acl, slice_of_str(role)) != NULL;
}

static bool list_allows(const struct rule_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!list->rules[i].deny)
			return true;
	}
	return false;
}

bool acl_allows_anonymous(const struct acl *acl)
{
	bool allows = list_allows(&acl->anonymous.rules);

	for (size_t i = 0; !allows && i < acl->anonymous.role_count; i++) {
		const struct rule_list *role =
		    acl_find_role(acl, slice_of_str(acl->anonymous.roles[i].name));

		allows = role != NULL && list_allows(role);
	}
	return allows;
}
