/* acl.yaml as a person writes it: mistakes and their remedies, warnings, the tests: section. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "acl/acl.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "reference.h"

static char *said(const char *yaml, bool *loaded)
{
	struct errors errors = {0};
	struct acl *acl =
	    acl_parse("acl.yaml", slice_of_str(yaml), PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
	char *text = errors_text(&errors);

	*loaded = acl != NULL;
	assert_int_equal(*loaded, errors.error_count == 0);
	acl_free(acl);
	errors_fini(&errors);
	return text;
}

struct row {
	const char *name;
	const char *yaml;
	const char *says; /* begins with it, or has it inside; "": nothing at all */
};

static void run(const struct row *rows, size_t count, bool loads)
{
	for (size_t i = 0; i < count; i++) {
		bool loaded;
		char *text = said(rows[i].yaml, &loaded);

		if (loaded != loads || strstr(text, rows[i].says) == NULL ||
		    (rows[i].says[0] == '\0' && text[0] != '\0'))
			fail_msg("%s:\n%s", rows[i].name, text);
		free(text);
	}
}

#define RULE(text) "users: {anna: {rules: [\"" text "\"]}}"
/* The rule's first letter stands in column 25 (the quote in 24). */

static const struct row mistakes[] = {
    {"empty rule", RULE(""), "acl.yaml:1:25: error: a rule begins with allow or deny"},
    {"unknown effect", RULE("alow publish a"),
     "acl.yaml:1:25: error: unknown 'alow'; did you mean 'allow'?"},
    {"unknown effect, far", RULE("whatever publish a"), "unknown 'whatever': a rule begins"},
    {"effect of another broker", RULE("permit publish a"),
     "acl.yaml:1:25: error: unknown 'permit': write allow"},
    {"mosquitto's pattern", RULE("pattern readwrite a/%u"),
     "unknown 'pattern': a rule may have %u (the user name) and %c (the client id) in it"},
    {"mosquitto's topic", RULE("topic read a"), "unknown 'topic': write allow or deny"},
    {"mosquitto's readwrite", RULE("allow readwrite a"), "unknown 'readwrite': write all"},
    {"mosquitto's read", RULE("allow read a"), "unknown 'read': write subscribe"},
    {"mosquitto's write", RULE("allow write a"), "unknown 'write': write publish"},
    {"a placeholder in %{}", RULE("allow publish a/%{username}/b"),
     "acl.yaml:1:41: error: a placeholder of another broker: write %u for the user name"},
    {"no action", RULE("allow"), "publish, will, subscribe, receive or all must follow"},
    {"unknown action", RULE("allow pubish a"),
     "acl.yaml:1:31: error: unknown 'pubish'; did you mean 'publish'?"},
    {"no filter", RULE("allow publish"), "acl.yaml:1:25: error: a rule without a filter"},
    {"the comment that YAML takes away", "roles:\n  r:\n    - allow all #\n",
     "acl.yaml:3:7: error: a rule without a filter (in YAML ' #' starts a comment: put a "
     "rule with # in quotes, \"allow all #\")"},
    {"conditions alone", RULE("allow publish own"), "a rule without a filter"},
    {"unknown condition", RULE("allow publish a retian=no"),
     "acl.yaml:1:41: error: unknown condition 'retian='; did you mean 'retain='?"},
    {"unknown condition with <=", RULE("allow publish a qqq<=1"), "unknown condition 'qqq<='"},
    {"known conditions", RULE("allow publish a zzzzzzzz=1"),
     "known are " REFERENCE_CONDITIONS " ("},
    {"qos=1", RULE("allow publish a qos=1"), "did you mean 'qos<='?"},
    {"a filter with = without quotes", RULE("allow publish a=b"),
     "put a filter with '=' in single quotes"},
    {"retain=yes", RULE("allow publish a retain=yes"),
     "retain= takes no, only or delete, not 'yes'"},
    {"qos<=3", RULE("allow publish a qos<=3"), "qos<= takes 0, 1 or 2, not '3'"},
    {"max=lots", RULE("allow publish a max=lots"), "max= takes a size"},
    {"max=", RULE("allow publish a max="), "max= takes a size"},
    {"max=k", RULE("allow publish a max=k"), "max= takes a size"},
    {"payload=", RULE("allow publish a payload="), "payload= with an empty text"},
    {"payload=a,,b", RULE("allow publish a payload=a,,b"), "payload= with an empty text"},
    {"payload=100%", RULE("allow publish a payload=on,100%"), "acl.yaml:1:55: error: unknown '%'"},
    {"twice", RULE("allow publish a own own"), "'own' is given twice"},
    {"conditions on subscribe", RULE("allow subscribe a own"),
     "'own' belongs to publish and will rules only"},
    {"conditions on receive", RULE("allow receive a retain=no"),
     "'retain=' belongs to publish and will rules only"},
    {"conditions on all", RULE("allow all a max=1"),
     "'max=' belongs to publish and will rules only"},
    {"own on deny", RULE("deny publish a own"), "'own' belongs to allow rules only"},
    {"max on deny", RULE("deny publish a max=1"), "'max=' belongs to allow rules only"},
    {"qos on deny", RULE("deny will a qos<=1"), "'qos<=' belongs to allow rules only"},
    {"filter behind a condition", RULE("allow publish a payload=on off"),
     "acl.yaml:1:52: error: a filter must come before the conditions"},
    {"%x", RULE("allow publish a/%x"),
     "acl.yaml:1:41: error: unknown '%x': %u is the user name, %c the client id, %% a "
     "percent sign"},
    {"% at the end", RULE("allow publish a%"), "acl.yaml:1:40: error: unknown '%'"},
    {"%U", RULE("allow publish '%U'"), "acl.yaml:1:40: error: unknown '%U'"},
    {"wildcard inside a level", RULE("allow publish a+/b"), "not a topic filter"},
    {"# in the middle", RULE("allow publish 'a/#/b'"), "not a topic filter"},
    {"empty filter", RULE("allow publish ''"), "not a topic filter"},
    {"$share", RULE("allow subscribe $share/g/a"), "leave $share/group/ out"},
    {"open quote", RULE("allow publish 'a b"),
     "acl.yaml:1:39: error: the closing single quote is missing"},
    {"quote in a word", RULE("allow publish it's"), "a quote inside a word"},
    {"text behind a quote", RULE("allow publish 'a'b"), "a blank is missing"},
    {"column counts characters", RULE("allow publish \u00e4\u00f6\u00fc x="),
     "acl.yaml:1:43: error: unknown condition"},
    {"plain rules have no quote before them", "roles:\n  r:\n    - allow publish a x=\n",
     "acl.yaml:3:23: error: unknown condition"},
    {"two lines", "roles:\n  r:\n    - |\n      allow publish a\n      deny all b\n",
     "a rule is one line"},
    {"a mapping", "roles:\n  r:\n    - allow publish a: b\n", "a rule is one line of text"},
    {"every mistake at once", RULE("allow publish a+ b x=1 y=2"),
     "acl.yaml:1:44: error: unknown condition 'x='"},
};

static void rule_with_a_mistake_is_refused_with_its_column(void **state)
{
	(void)state;
	run(mistakes, sizeof(mistakes) / sizeof(mistakes[0]), false);
}

static void file_with_a_mistake_is_refused_with_its_place(void **state)
{
	static const struct row rows[] = {
	    {"unknown key", "role: {}",
	     "acl.yaml:1:1: error: unknown key 'role'; did you mean "
	     "'roles'?"},
	    {"unknown key, far", "whatever: {}", "unknown key 'whatever'"},
	    {"wrong word on partial subscriptions", "users: {anna: {partial_subscriptions: yes}}",
	     "acl.yaml:1:39: error: partial_subscriptions is refuse or filter"},
	    {"partial subscriptions as a list", "anonymous: {partial_subscriptions: [filter]}",
	     "partial_subscriptions is refuse or filter"},
	    {"role that refuses", "roles: {r: {partial_subscriptions: refuse, rules: []}}",
	     "acl.yaml:1:36: error: partial_subscriptions of a role is filter, or left out"},
	    {"unknown key of a role", "roles: {r: {rule: []}}",
	     "unknown key 'rule'; did you mean 'rules'?"},
	    {"unknown key of a user", "users: {anna: {rule: []}}",
	     "unknown key 'rule'; did you mean 'rules'?"},
	    {"unknown key of anonymous", "anonymous: {rolls: []}", "did you mean 'roles'?"},
	    {"duplicate user", "users: {a: {}, a: {}}", "acl.yaml:1:16: error: "},
	    {"not a mapping", "- a", "expected keys and values"},
	    {"roles as a list", "roles: [a]", "expected roles"},
	    {"users as a list", "users: [a]", "expected users"},
	    {"rules as text", "roles: {a: allow publish b}", "expected a list"},
	    {"a role that is a list", "users: {a: {roles: [[b]]}}", "expected the name of a role"},
	    {"no name", "users: {\"\": {}}", "no user has this name"},
	    {"a name with a slash", "users: {a/b: {}}", "no user has this name"},
	    {"a name with a plus", "users: {a+b: {}}", "no user has this name"},
	    {"a name with $", "users: {$a: {}}", "no user has this name"},
	    {"a name with a control character", "users: {\"a\\u0085\": {}}",
	     "no user has this name"},
	    {"desired_topics emptied", "desired_topics: []", "desired_topics cannot be empty"},
	    {"desired_topics left blank", "desired_topics:", "desired_topics cannot be empty"},
	    {"desired_topics as text", "desired_topics: a/#", "expected a list"},
	    {"desired_topics, no filter", "desired_topics: ['a/#/b']", "not a topic filter"},
	    {"desired_topics with a name", "desired_topics: ['a/%u']",
	     "anonymous clients have no "
	     "name"},
	    {"desired_topics, unknown %", "desired_topics: ['a%']", "unknown '%'"},
	    {"tests as mapping", "tests: {a: b}", "expected a list of tests"},
	    {"a test as text", "tests: [a]", "expected { user: anna"},
	    {"test: unknown key", "tests: [{user: a, pubish: a, expect: allow}]",
	     "unknown key 'pubish'; did you mean 'publish'?"},
	    {"test: nobody", "tests: [{publish: a, expect: allow}]", "a test names a user"},
	    {"test: both", "tests: [{user: a, anonymous: true, publish: a, expect: allow}]",
	     "a test names a user"},
	    {"test: nothing asked", "tests: [{user: a, expect: allow}]", "a test asks something"},
	    {"test: two things", "tests: [{user: a, publish: a, will: b, expect: deny}]",
	     "one test asks one thing"},
	    {"test: expects nothing", "tests: [{user: a, publish: a}]",
	     "acl.yaml:1:9: error: a test expects"},
	    {"test: expects something else", "tests: [{user: a, publish: a, expect: yes}]",
	     "expected allow or deny"},
	    {"test: wildcard", "tests: [{user: a, publish: a/+, expect: deny}]",
	     "expected a topic name"},
	    {"test: no filter", "tests: [{user: a, subscribe: 'a#', expect: deny}]",
	     "expected a topic filter"},
	    {"test: bad share", "tests: [{user: a, subscribe: $share/g, expect: deny}]",
	     "expected $share/group/filter"},
	    {"test: qos", "tests: [{user: a, publish: a, qos: 3, expect: deny}]",
	     "expected 0, 1 or 2"},
	    {"test: retain", "tests: [{user: a, publish: a, retain: only, expect: deny}]",
	     "expected true or false"},
	    {"test: a list as value", "tests: [{user: [a], publish: a, expect: deny}]",
	     "expected one value"},
	};

	(void)state;
	run(rows, sizeof(rows) / sizeof(rows[0]), false);
}

static const struct row warnings[] = {
    {"nothing to say", "roles: {r: [allow publish a, deny publish b]}", ""},
    {"empty sections", "roles:\nusers:\nanonymous:\ntests:\n", ""},
    {"an empty role", "roles: {r: }\nusers: {a: {roles: [r]}}", ""},
    {"a role that is not defined", "roles: {actor: []}\nusers: {a: {roles: [actr]}}",
     "acl.yaml:2:21: warning: role 'actr' is not defined and gives nothing; did you mean "
     "'actor'?"},
    {"of anonymous", "anonymous: {roles: [x]}", "acl.yaml:1:21: warning: role 'x' is not defined"},
    {"shadowed", "roles:\n r:\n  - \"allow publish a/#\"\n  - deny publish a/b\n",
     "acl.yaml:4:5: warning: 'deny publish a/b' never decides: line 3, 'allow publish "
     "a/#', comes first and covers it"},
    {"shadowed by wider action", "roles: {r: [deny all a/+, allow receive a/b]}", "never decides"},
    {"shadowed: each filter by another",
     "roles: {r: [deny all a, deny all b/+, allow publish a b/c]}", "never decides"},
    {"one filter is still alive", "roles: {r: [deny all a, allow publish a b]}", ""},
    {"narrower action hides nothing", "roles: {r: [deny receive a, allow all a]}", ""},
    {"a condition hides nothing", "roles: {r: [deny publish a retain=no, allow publish a]}", ""},
    {"another list hides nothing", "roles: {r: [deny all a, allow all b], s: [allow all a]}", ""},
    {"a role of denies", "roles: {r: [deny all a, deny all b], s: [allow all c]}",
     "acl.yaml:1:13: warning: role 'r' only denies and so changes nothing"},
    {"a user of denies", "users: {u: {rules: [deny all a]}}", ""},
    {"a blank in a topic", "roles:\n r:\n  - allow publish home/living room/x\n",
     "acl.yaml:3:5: warning: 'allow publish home/living room/x' has two topic filters "
     "here, "
     "'home/living' and 'room/x'; a filter with a blank in it must be in single quotes: "
     "'home/living room/x'"},
    {"a blank in a topic, in two rules",
     "roles: {r: [allow publish z/living room/set, allow subscribe z/living room]}",
     "'z/living' and 'room'"},
    {"a blank in quotes", "roles: {r: [\"allow publish 'home/living room/x'\"]}", ""},
    {"two filters in quotes", "roles: {r: [\"allow publish 'home/living' 'room/x'\"]}", ""},
    {"two filters in one place", "roles: {r: [allow publish home/a home/b]}", ""},
    {"two filters, the first ends open", "roles: {r: [allow subscribe announce/# leave]}", ""},
    {"two filters, the second is known",
     "roles: {r: [allow publish home/a leave, allow subscribe leave]}", ""},
    {"two filters, the second is known by a test",
     "roles: {r: [allow publish home/a leave]}\n"
     "users: {u: {roles: [r]}}\ntests: [{user: u, publish: leave, expect: allow}]",
     ""},
    {"${username}", "roles: {r: ['allow publish dev/${username}/x']}",
     "acl.yaml:1:32: warning: '${username}' is taken as it is written, letter by letter: "
     "write %u for the user name"},
    {"${clientid}", "roles: {r: ['allow publish dev/${clientid}']}", "write %c for"},
    {"an unknown ${}", "roles: {r: ['allow publish dev/${x}']}",
     "write %u for the user name, %c for the client id"},
    {"$user", "roles: {r: [allow publish dev/$user/x]}", "'$user' is taken as"},
    {"{clientid}", "roles: {r: ['allow publish dev/{clientid}']}", "write %c for"},
    {"{Client_Id}", "roles: {r: ['allow publish dev/{Client_Id}']}", "'{Client_Id}' is taken as"},
    {"%username", "roles: {r: [allow publish dev/%username]}",
     "'%username' is %u, with the rest of the word after it: write %u for"},
    {"%clientid", "roles: {r: [allow publish dev/%clientid]}", "'%clientid' is %c, "},
    {"in a payload", "roles: {r: ['allow publish dev payload=${clientid}']}", "write %c for"},
    {"ours", "roles: {r: [allow publish dev/%u/%c/100%%user]}", ""},
    {"the same name", "roles: {r: [allow publish a/%u, allow publish a/%u]}", "never decides"},
    {"an allow with a name, then a deny",
     "roles: {r: [allow publish a/%u, deny publish "
     "a/%u]}",
     ""},
    {"bridge",
     "roles: {r: ['deny subscribe x', 'allow all $SYS/#', 'allow publish "
     "$SYS/broker/connection/#']}",
     ""},
    {"control", "roles: {r: ['allow all $CONTROL/#', 'allow all $CONTROL/vakt/v1/#']}",
     "does not let anybody control the broker"},
    {"control as it is meant", "roles: {r: ['allow all $CONTROL/vakt/v1/#']}", ""},
    {"control is read", "roles: {r: ['allow subscribe $CONTROL/#']}", ""},
    {"anonymous control", "anonymous: {rules: [allow publish $CONTROL/vakt/v1/status]}",
     "never allows anything: clients without a login never control"},
    {"publish to $", "roles: {r: ['allow publish $SYS/#']}",
     "never allows anything: nobody publishes"},
    {"anonymous commands", "anonymous: {rules: [allow publish desired/lamp]}",
     "never allows anything: anonymous clients never publish"},
    {"anonymous by name", "anonymous: {rules: [allow receive a/%u]}",
     "never allows anything: anonymous clients have no %u"},
};

static void rules_that_never_decide_are_warned_of(void **state)
{
	(void)state;
	run(warnings, sizeof(warnings) / sizeof(warnings[0]), true);
}

static char *write_file(const char *text, mode_t mode)
{
	char *path = xstrdup("/tmp/acl-test-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static struct acl_verdict ask(const struct acl *acl)
{
	struct acl_subject *subject = acl_subject_new(acl, &(struct acl_who){.user = SLICE("a")});
	struct acl_verdict verdict =
	    acl_check(subject, &(struct acl_request){.action = ACL_PUBLISH, .topic = SLICE("a")});

	acl_subject_free(subject);
	return verdict;
}

static void files_load_or_are_refused(void **state)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
		int error; /* 0: loads */
	} rows[] = {
	    {"empty denies everything", "", 0644, 0},
	    {"comments alone", "# nothing\n", 0644, 0},
	    {"others may write", "", 0646, EACCES},
	};
	struct errors errors = {0};
	struct acl *acl;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *path = write_file(rows[i].text, rows[i].mode);

		acl = acl_load(path, PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
		unlink(path);
		if (rows[i].error != 0 ? acl != NULL || errno != rows[i].error
		                       : acl == NULL || ask(acl).allowed)
			fail_msg("%s", rows[i].name);
		acl_free(acl);
		free(path);
		errors_fini(&errors);
	}
	acl = acl_load("/tmp/no-such-acl.yaml", PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
	assert_null(acl);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(errors.error_count, 1);
	errors_fini(&errors);
	acl = acl_load(NULL, PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
	assert_false(ask(acl).allowed);
	acl_free(acl);
	errors_fini(&errors);
}

static const char policy[] = "roles:\n"
			     "  r:\n"
			     "    - allow publish r/%u max=2\n"
			     "    - \"allow subscribe s/#\"\n"
			     "  extra: [allow receive e]\n"
			     "users:\n"
			     "  a: {roles: [r]}\n"
			     "  b: {}\n"
			     "tests:\n";

static bool roles_of(void *arg, struct acl_who *who)
{
	static char extra[] = "extra";
	static char *list[] = {extra};

	(void)arg;
	who->roles = list;
	who->role_count = 1;
	who->assumed = slice_equal(who->user, SLICE("porch"));
	return !slice_equal(who->user, SLICE("gone"));
}

static void tests_of_the_file_are_run(void **state)
{
	static const struct {
		const char *name, *test;
		size_t run;
		const char *says; /* "": passes */
	} rows[] = {
	    {"allow", "user: a, publish: r/a, expect: allow", 1, ""},
	    {"deny", "user: a, publish: r/b, expect: deny", 1, ""},
	    {"fails", "user: a, publish: r/a, expect: deny", 1,
	     "acl.yaml:10:3: error: test failed: a publish r/a: expected deny, the policy says "
	     "allow (acl.yaml:3: allow publish r/%u max=2)"},
	    {"fails the other way", "user: b, receive: x, expect: allow", 1,
	     "b receive x: expected allow, the policy says deny (no rule allows it)"},
	    {"payload", "user: a, publish: r/a, payload: abc, expect: deny", 1, ""},
	    {"qos and retain", "user: a, publish: r/a, qos: 2, retain: true, expect: allow", 1, ""},
	    {"will", "user: a, will: r/a, expect: allow", 1, ""},
	    {"subscribe", "user: a, subscribe: s/+, expect: allow", 1, ""},
	    {"shared", "user: a, subscribe: $share/g/s/+, expect: allow", 1, ""},
	    {"shared, not that", "user: a, subscribe: $share/g/t/+, expect: deny", 1, ""},
	    {"client id", "user: a, client_id: x, publish: r/x, expect: deny", 1, ""},
	    {"anonymous", "anonymous: true, publish: desired/x, expect: deny", 1, ""},
	    {"anonymous fails", "anonymous: true, publish: desired/x, expect: allow", 1,
	     "anonymous publish desired/x: expected allow, the policy says deny (guard: "
	     "anonymous clients never publish to desired/#)"},
	    {"assumed", "user: porch, publish: desired/x, expect: deny", 1, ""},
	    {"$ fails", "user: a, publish: $x, expect: allow", 1,
	     "(guard: nobody publishes to topics that begin with $)"},
	    {"roles of the password file", "user: b, receive: e, expect: allow", 1, ""},
	    {"missing or locked", "user: gone, receive: e, expect: deny", 0,
	     "acl.yaml:10:3: warning: test skipped: user 'gone' is missing or locked"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *yaml = xasprintf("%s- {%s}\n", policy, rows[i].test);
		struct errors errors = {0};
		struct acl *acl = acl_parse("dir/acl.yaml", slice_of_str(yaml),
		                            PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
		char *text;

		assert_non_null(acl);
		assert_int_equal(acl_run_tests(acl, roles_of, NULL, &errors), rows[i].run);
		text = errors_text(&errors);
		if (strstr(text, rows[i].says) == NULL ||
		    (rows[i].says[0] == '\0' && *text != '\0'))
			fail_msg("%s: %s", rows[i].name, text);
		free(text);
		errors_fini(&errors);
		acl_free(acl);
		free(yaml);
	}
}

static void verdict_names_its_rule_or_guard(void **state)
{
	static const char yaml[] = "users: {a: {rules: [\n\"deny publish 'b\u00e4'  x\",\n"
				   "allow publish a]}}";
	struct errors errors = {0};
	struct acl *acl = acl_parse("/etc/broker/acl.yaml", slice_of_str(yaml),
	                            PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
	struct acl_subject *subject = acl_subject_new(acl, &(struct acl_who){.user = SLICE("a")});
	struct acl_request request = {.action = ACL_PUBLISH, .topic = SLICE("b\u00e4")};
	struct acl_verdict denied = acl_check(subject, &request);
	struct acl_verdict allowed, guarded, none;
	char text[64];

	(void)state;
	request.topic = SLICE("a");
	allowed = acl_check(subject, &request);
	request.topic = SLICE("$a");
	guarded = acl_check(subject, &request);
	request.topic = SLICE("c");
	none = acl_check(subject, &request);
	assert_int_equal(acl_verdict_text(acl, &denied, text, sizeof(text)), 33);
	assert_string_equal(text, "acl.yaml:2: deny publish 'b\u00e4'  x");
	assert_int_equal(acl_verdict_text(acl, &denied, text, 29), 27);
	assert_string_equal(text, "acl.yaml:2: deny publish 'b");
	assert_int_equal(acl_verdict_text(acl, &denied, text, 1), 0);
	assert_int_equal(acl_verdict_text(acl, &denied, text, 0), 0);
	assert_int_not_equal(acl_verdict_id(&denied), acl_verdict_id(&allowed));
	assert_int_not_equal(acl_verdict_id(&denied), acl_verdict_id(&guarded));
	assert_int_not_equal(acl_verdict_id(&none), acl_verdict_id(&guarded));
	assert_int_not_equal(acl_verdict_id(&none), acl_verdict_id(&denied));
	acl_subject_free(subject);
	acl_free(acl);
	errors_fini(&errors);
}

static void rules_and_roles_are_counted(void **state)
{
	struct errors errors = {0};
	struct acl *acl =
	    acl_parse("acl.yaml", slice_of_str(policy), PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);

	(void)state;
	assert_int_equal(acl_rule_count(acl), 3);
	assert_int_equal(acl_role_count(acl), 2);
	assert_true(acl_has_role(acl, "extra"));
	assert_false(acl_has_role(acl, "admin"));
	acl_free(acl);
	errors_fini(&errors);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rule_with_a_mistake_is_refused_with_its_column),
	    cmocka_unit_test(file_with_a_mistake_is_refused_with_its_place),
	    cmocka_unit_test(rules_that_never_decide_are_warned_of),
	    cmocka_unit_test(files_load_or_are_refused),
	    cmocka_unit_test(tests_of_the_file_are_run),
	    cmocka_unit_test(verdict_names_its_rule_or_guard),
	    cmocka_unit_test(rules_and_roles_are_counted),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
