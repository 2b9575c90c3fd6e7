/* A row of the tests: section is a mapping; a key is a row of a table. */
#include "acl/acl_test_load.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"
#include "proto/topic.h"

struct test_loader {
	const struct acl *acl;
	struct acl_test *test;
	struct errors *errors;
};

static void report_error(struct test_loader *l, const struct yaml_node *node, const char *text)
{
	errors_add(l->errors, l->acl->name, node->line, node->column, "%s", text);
}

/* The texts of a test are freed with it: a value that comes again replaces the one before. */
static void keep(char **place, const struct yaml_node *value)
{
	free(*place);
	*place = xstrdup(value->text);
}

static void on_user(struct test_loader *l, const struct yaml_node *value)
{
	keep(&l->test->user, value);
}

static void on_client_id(struct test_loader *l, const struct yaml_node *value)
{
	keep(&l->test->client_id, value);
}

static void on_payload(struct test_loader *l, const struct yaml_node *value)
{
	keep(&l->test->payload, value);
}

static bool flag(struct test_loader *l, const struct yaml_node *value)
{
	bool yes = strcmp(value->text, "true") == 0;

	if (!yes && strcmp(value->text, "false") != 0)
		report_error(l, value, "expected true or false");
	return yes;
}

static void on_anonymous(struct test_loader *l, const struct yaml_node *value)
{
	l->test->anonymous = flag(l, value);
}

static void on_retain(struct test_loader *l, const struct yaml_node *value)
{
	l->test->retain = flag(l, value);
}

static void on_qos(struct test_loader *l, const struct yaml_node *value)
{
	if (strlen(value->text) == 1 && value->text[0] >= '0' && value->text[0] <= '2')
		l->test->qos = (uint8_t)(value->text[0] - '0');
	else
		report_error(l, value, "expected 0, 1 or 2");
}

static void on_expect(struct test_loader *l, const struct yaml_node *value)
{
	l->test->has_expect = true;
	l->test->expect_allow = strcmp(value->text, "allow") == 0;
	if (!l->test->expect_allow && strcmp(value->text, "deny") != 0)
		report_error(l, value, "expected allow or deny");
}

static void on_action(struct test_loader *l, const struct yaml_node *value, enum acl_action action)
{
	struct slice topic = slice_of_str(value->text);

	if (l->test->has_action)
		report_error(l, value,
		             "one test asks one thing: publish, subscribe, receive or will");
	if (action != ACL_SUBSCRIBE && !topic_name_valid(topic))
		report_error(l, value, "expected a topic name: not empty, without + and #");
	if (action == ACL_SUBSCRIBE && !topic_filter_valid(topic))
		report_error(
		    l, value,
		    "expected a topic filter: + and # must be a whole level, and # the last one");
	l->test->has_action = true;
	l->test->action = action;
	keep(&l->test->topic, value);
}

static void on_publish(struct test_loader *l, const struct yaml_node *value)
{
	on_action(l, value, ACL_PUBLISH);
}

static void on_will(struct test_loader *l, const struct yaml_node *value)
{
	on_action(l, value, ACL_WILL);
}

static void on_receive(struct test_loader *l, const struct yaml_node *value)
{
	on_action(l, value, ACL_RECEIVE);
}

/* $share/group/FILTER is checked as FILTER. */
static void on_subscribe(struct test_loader *l, const struct yaml_node *value)
{
	struct slice group, filter;
	struct yaml_node inner = *value;

	switch (topic_filter_share(slice_of_str(value->text), &group, &filter)) {
	case SHARE_NONE:
		break;
	case SHARE_OK:
		inner.text += strlen(inner.text) - filter.len;
		break;
	case SHARE_INVALID:
		report_error(l, value, "expected $share/group/filter");
		break;
	}
	on_action(l, &inner, ACL_SUBSCRIBE);
}

static const struct {
	const char *name;
	void (*load)(struct test_loader *l, const struct yaml_node *value);
} keys[] = {
    {"user", on_user},       {"anonymous", on_anonymous}, {"client_id", on_client_id},
    {"publish", on_publish}, {"subscribe", on_subscribe}, {"receive", on_receive},
    {"will", on_will},       {"retain", on_retain},       {"qos", on_qos},
    {"payload", on_payload}, {"expect", on_expect},
};

#define KEY_COUNT ARRAY_LEN(keys)

static void unknown_key(struct test_loader *l, const struct yaml_node *key)
{
	const char *names[KEY_COUNT];
	const char *near;

	for (size_t i = 0; i < KEY_COUNT; i++)
		names[i] = keys[i].name;
	near = nearest_word(key->text, names, KEY_COUNT);
	errors_add(l->errors, l->acl->name, key->line, key->column, "unknown key '%s'%s%s%s",
	           key->text, near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
	           near == NULL ? "; a test looks like { user: anna, publish: a/b, expect: allow }"
	                        : "'?");
}

static void load_test(struct test_loader *l, const struct yaml_node *node)
{
	l->test->line = node->line;
	l->test->column = node->column;
	if (node->kind != YAML_MAPPING) {
		report_error(l, node, "expected { user: anna, publish: a/b, expect: allow }");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *entry = &node->entries[i];
		size_t k = 0;

		while (k < KEY_COUNT && strcmp(entry->key->text, keys[k].name) != 0)
			k++;
		if (k == KEY_COUNT)
			unknown_key(l, entry->key);
		else if (entry->value->kind != YAML_SCALAR)
			report_error(l, entry->value, "expected one value");
		else
			keys[k].load(l, entry->value);
	}
	if ((l->test->user != NULL) == l->test->anonymous)
		report_error(l, node, "a test names a user, or says anonymous: true");
	if (!l->test->has_action)
		report_error(l, node, "a test asks something: publish, subscribe, receive or will");
	if (!l->test->has_expect)
		report_error(l, node, "a test expects something: expect: allow, or expect: deny");
}

void acl_test_load(struct acl *acl, const struct yaml_node *section, struct errors *errors)
{
	struct test_loader l = {.acl = acl, .errors = errors};

	if (yaml_is_null(section))
		return;
	if (section->kind != YAML_SEQUENCE) {
		report_error(&l, section, "expected a list of tests: '- ' before each");
		return;
	}
	acl->tests = xcalloc(section->count + 1, sizeof(*acl->tests));
	for (size_t i = 0; i < section->count; i++) {
		l.test = &acl->tests[acl->test_count++];
		load_test(&l, section->entries[i].value);
	}
}

void acl_test_fini(struct acl_test *test)
{
	free(test->user);
	free(test->client_id);
	free(test->topic);
	free(test->payload);
}
