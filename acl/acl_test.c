/* The tests: section: what the policy must answer, written beside it.  Thread: main. */
#include <stdlib.h>

#include "acl/acl_policy.h"
#include "acl/explanation.h"
#include "base/alloc.h"
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
		    "expected a topic filter: + and # stand alone in their level, # only at "
		    "the end");
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

/* $share/group/FILTER is judged as FILTER. */
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

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static void unknown_key(struct test_loader *l, const struct yaml_node *key)
{
	const char *names[KEY_COUNT];
	const char *near;

	for (size_t i = 0; i < KEY_COUNT; i++)
		names[i] = keys[i].name;
	near = errors_nearest(key->text, names, KEY_COUNT);
	errors_add(l->errors, l->acl->name, key->line, key->column, "unknown key '%s'%s%s%s",
	           key->text, near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
	           near == NULL ? "; a test looks like { user: anna, publish: a/b, expect: allow }"
	                        : "'?");
}

static void load_key(struct test_loader *l, const struct yaml_entry *entry)
{
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

static void load_test(struct test_loader *l, const struct yaml_node *node)
{
	l->test->line = node->line;
	l->test->column = node->column;
	if (node->kind != YAML_MAPPING) {
		report_error(l, node, "expected { user: anna, publish: a/b, expect: allow }");
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		load_key(l, &node->entries[i]);
	if ((l->test->user != NULL) == l->test->anonymous)
		report_error(l, node, "a test names a user, or says anonymous: true");
	if (!l->test->has_action)
		report_error(l, node, "a test asks something: publish, subscribe, receive or will");
	if (!l->test->has_expect)
		report_error(l, node, "a test expects something: expect: allow, or expect: deny");
}

void acl_load_tests(struct acl *acl, const struct yaml_node *section, struct errors *errors)
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

/* A topic that nobody owns yet counts as free. */
static struct acl_verdict test_ask(const struct acl *acl, const struct acl_test *test,
                                   const struct acl_who *who)
{
	struct acl_subject *subject = acl_subject_new(acl, who);
	struct acl_verdict verdict = acl_check(subject, &(struct acl_request){
							    .action = test->action,
							    .topic = slice_of_str(test->topic),
							    .retain = test->retain,
							    .qos = test->qos,
							    .payload = slice_of_str(test->payload),
							    .owner = ACL_OWNER_NOBODY_ELSE,
							});

	acl_subject_free(subject);
	return verdict;
}

const char *acl_action_name(enum acl_action action)
{
	static const char *const words[] = {
	    [ACL_PUBLISH] = "publish",
	    [ACL_WILL] = "will",
	    [ACL_SUBSCRIBE] = "subscribe",
	    [ACL_RECEIVE] = "receive",
	};

	return words[action];
}

static struct acl_test_result test_result(const struct acl_test *test)
{
	return (struct acl_test_result){
	    .line = test->line,
	    .column = test->column,
	    .user = test->user,
	    .action = test->action,
	    .topic = test->topic,
	    .expect_allow = test->expect_allow,
	};
}

size_t acl_each_test(const struct acl *acl, acl_roles_fn *roles_of, void *roles_arg,
                     acl_test_fn *report, void *arg)
{
	size_t run = 0;

	for (size_t i = 0; i < acl->test_count; i++) {
		const struct acl_test *test = &acl->tests[i];
		struct acl_test_result result = test_result(test);
		struct acl_who who = {
		    .anonymous = test->anonymous,
		    .user = slice_of_str(test->user),
		    .client_id = slice_of_str(test->client_id),
		};

		result.skipped = !test->anonymous && roles_of != NULL &&
		                 !roles_of(roles_arg, who.user, &who.roles, &who.role_count);
		if (!result.skipped) {
			result.verdict = test_ask(acl, test, &who);
			result.passed = result.verdict.allowed == test->expect_allow;
			run++;
		}
		report(arg, &result);
	}
	return run;
}

struct test_report {
	const struct acl *acl;
	struct errors *errors;
};

static void report(void *arg, const struct acl_test_result *r)
{
	const struct test_report *to = arg;
	char why[256];

	if (r->skipped) {
		errors_warn(to->errors, to->acl->name, r->line, r->column,
		            "test skipped: user '%s' is missing or locked", r->user);
		return;
	}
	if (r->passed)
		return;
	acl_verdict_text(to->acl, &r->verdict, why, sizeof(why));
	errors_add(to->errors, to->acl->name, r->line, r->column,
	           "test failed: %s %s %s: expected %s, the policy says %s (%s)",
	           r->user == NULL ? "anonymous" : r->user, acl_action_name(r->action), r->topic,
	           r->expect_allow ? "allow" : "deny", r->verdict.allowed ? "allow" : "deny", why);
}

size_t acl_run_tests(const struct acl *acl, acl_roles_fn *roles_of, void *arg,
                     struct errors *errors)
{
	struct test_report to = {.acl = acl, .errors = errors};

	return acl_each_test(acl, roles_of, arg, report, &to);
}
