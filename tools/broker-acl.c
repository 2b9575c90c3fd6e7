/* broker-acl(1): asks and tests the policy.  It uses the code of the broker and reads the same
 * files. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl_explain.h"
#include "acl/acl_test.h"
#include "acl/acl_verdict.h"
#include "base/array.h"
#include "program/command_line.h"
#include "proto/topic.h"

struct acl_options {
	const char *conf_path;
	const struct acl_command *command;
	struct question question;
	bool asks; /* an option of explain was given */
};

struct acl_command {
	const char *name;
	int (*take)(struct acl_options *o, int count, char **words); /* the words after the name */
	int (*run)(const struct context *h, const struct acl_options *o);
};

static const char usage_text[] =
    "usage: broker-acl explain -c broker.yaml --user USER | --anonymous [--client-id ID]\n"
    "                  publish | subscribe | receive | will TOPIC\n"
    "                  [--retain] [--qos N] [--payload TEXT]\n"
    "       broker-acl test -c broker.yaml\n"
    "\n"
    "  -c, --config FILE  the broker's configuration\n"
    "  --user USER        explain: the user\n"
    "  --anonymous        explain: a client without a user name\n"
    "  --client-id ID     explain: the client id, for %c in rules\n"
    "  --retain           explain: the message is retained\n"
    "  --qos N            explain: its QoS (default 0)\n"
    "  --payload TEXT     explain: its payload (default empty)\n"
    "  --trust-owner USER, --trust-group GROUP\n"
    "                     trust their files too, like the option of the broker\n";

/* ---- explain ---- */

static int take_action(struct question *q, const char *word)
{
	static const enum acl_action actions[] = {ACL_PUBLISH, ACL_SUBSCRIBE, ACL_RECEIVE,
	                                          ACL_WILL};
	const char *names[ARRAY_LEN(actions)];

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		names[i] = acl_action_name(actions[i]);
		if (strcmp(word, acl_action_name(actions[i])) == 0) {
			q->request.action = actions[i];
			return 0;
		}
	}
	return report_unknown("action", word, names, ARRAY_LEN(actions));
}

/* $share/group/FILTER is checked as FILTER. */
static int take_filter(struct question *q)
{
	struct slice group, filter = q->request.topic;

	if (topic_filter_share(q->request.topic, &group, &filter) == SHARE_INVALID)
		return report_error(EXIT_USAGE, "'%s' is not $share/GROUP/FILTER", q->topic);
	if (!topic_filter_valid(filter))
		return report_error(
		    EXIT_USAGE,
		    "'%s' is not a topic filter: + and # must be a whole level, and # "
		    "the last one",
		    q->topic);
	q->request.topic = filter;
	return 0;
}

static int take_explain(struct acl_options *o, int count, char **words)
{
	struct question *q = &o->question;
	const char *why;

	if (count == 0)
		return report_usage("explain needs an action and a topic");
	if (count == 1)
		return report_usage("explain needs a topic after '%s'", words[0]);
	if (count > 2)
		return report_excess(words[2]);
	if ((q->user != NULL) == q->anonymous)
		return report_usage("explain needs either --user or --anonymous");
	if (q->user != NULL && !identity_name_valid(slice_of_str(q->user), &why))
		return report_error(EXIT_USAGE, "invalid user name: %s", why);
	if (take_action(q, words[0]) != 0)
		return EXIT_USAGE;
	q->topic = words[1];
	q->request.topic = slice_of_str(words[1]);
	if (q->request.action == ACL_SUBSCRIBE)
		return take_filter(q);
	if (!topic_name_valid(q->request.topic))
		return report_error(
		    EXIT_USAGE, "'%s' is not a topic name: it must not be empty or contain + or #",
		    q->topic);
	return 0;
}

static int run_explain(const struct context *h, const struct acl_options *o)
{
	return explain(h, &o->question);
}

/* ---- test ---- */

struct test_counts {
	const struct context *context;
	char *directory; /* of the ACL file */
	size_t passed, failed, skipped;
};

static void print_test(void *arg, const struct acl_test_result *r)
{
	struct test_counts *t = arg;
	const char *directory;
	char why[1024];

	printf("%s:%u:%u: %s %s %s %s: ", t->context->conf->acl_file, r->line, r->column,
	       r->skipped  ? "skipped"
	       : r->passed ? "passed"
	                   : "FAILED",
	       r->user == NULL ? "anonymous" : r->user, acl_action_name(r->action), r->topic);
	if (r->skipped) {
		t->skipped++;
		puts("the user is missing or locked");
		return;
	}
	acl_verdict_text(t->context->acl, &r->verdict, why, sizeof(why));
	t->passed += r->passed;
	t->failed += !r->passed;
	directory = r->verdict.cause == ACL_CAUSE_RULE ? t->directory : "";
	if (r->passed)
		printf("%s (%s%s)\n", r->expect_allow ? "allow" : "deny", directory, why);
	else
		printf("expected %s, the policy says %s (%s%s)\n",
		       r->expect_allow ? "allow" : "deny", r->verdict.allowed ? "allow" : "deny",
		       directory, why);
}

static int take_test(struct acl_options *o, int count, char **words)
{
	if (count != 0)
		return report_excess(words[0]);
	if (o->asks)
		return report_usage("test needs only the configuration; its tests are in the ACL "
		                    "file under tests:");
	return 0;
}

static int run_test(const struct context *h, const struct acl_options *o)
{
	struct test_counts t = {.context = h, .directory = context_acl_directory(h)};
	struct context context = *h;

	(void)o;
	acl_each_test(h->acl, context_roles_of, &context, print_test, &t);
	if (t.passed + t.failed + t.skipped == 0)
		printf("%s has no tests; tests are under tests:, like { user: anna, publish: a/b, "
		       "expect: allow }\n",
		       context_acl_name(h));
	else
		printf("%zu passed, %zu failed, %zu skipped\n", t.passed, t.failed, t.skipped);
	free(t.directory);
	return t.failed == 0 ? 0 : 1;
}

/* ---- the command line ---- */

static const struct acl_command commands[] = {
    {"explain", take_explain, run_explain},
    {"test", take_test, run_test},
};

#define TAKE(name, assignment)                                                                     \
	static int take_##name(void *arg, const char *value)                                       \
	{                                                                                          \
		struct acl_options *o = arg;                                                       \
                                                                                                   \
		(void)value;                                                                       \
		o->asks = true;                                                                    \
		assignment;                                                                        \
		return 0;                                                                          \
	}
TAKE(user, o->question.user = value)
TAKE(anonymous, o->question.anonymous = true)
TAKE(client_id, o->question.client_id = value)
TAKE(retain, o->question.request.retain = true)
TAKE(payload, o->question.request.payload = slice_of_str(value))

static int take_config(void *arg, const char *value)
{
	struct acl_options *o = arg;

	o->conf_path = value;
	return 0;
}

static int take_qos(void *arg, const char *text)
{
	struct acl_options *o = arg;

	if (strlen(text) != 1 || text[0] < '0' || text[0] > '2')
		return report_error(EXIT_USAGE, "--qos is 0, 1 or 2");
	o->asks = true;
	o->question.request.qos = (uint8_t)(text[0] - '0');
	return 0;
}

static const struct command_option command_options[] = {
    {"config", 'c', true, take_config},      {"user", 0, true, take_user},
    {"anonymous", 0, false, take_anonymous}, {"client-id", 0, true, take_client_id},
    {"retain", 0, false, take_retain},       {"qos", 0, true, take_qos},
    {"payload", 0, true, take_payload},
};

static int take_words(struct acl_options *o, int count, char **words)
{
	const char *names[ARRAY_LEN(commands)];

	if (count == 0)
		return report_usage("a command is needed: explain or test");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(words[0], commands[i].name) == 0)
			o->command = &commands[i];
		names[i] = commands[i].name;
	}
	if (o->command == NULL)
		return report_unknown("command", words[0], names, ARRAY_LEN(commands));
	if (o->conf_path == NULL)
		return report_usage("name the configuration with -c broker.yaml");
	return o->command->take(o, count - 1, words + 1);
}

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
}

int main(int argc, char **argv)
{
	static const struct command_line line = {.program = "broker-acl",
	                                         .print_usage = print_usage,
	                                         .options = command_options,
	                                         .option_count = ARRAY_LEN(command_options)};
	struct acl_options o = {0};
	struct context context;
	int status;

	command_line_start(&line);
	status = command_line_read(&o, argc, argv);
	if (status != -1)
		return status;
	status = take_words(&o, argc - optind, argv + optind);
	if (status != 0)
		return status;
	status = context_open(&context, o.conf_path) ? o.command->run(&context, &o) : EXIT_USAGE;
	context_close(&context);
	return command_line_finish(status);
}
