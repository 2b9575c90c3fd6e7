/* broker-acl: the access rules explained and tested from the command line, see its manual.  It
 * decides with the broker's own code and reads the broker's files. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl_test.h"
#include "acl/acl_verdict.h"
#include "acl_explain.h"
#include "base/array.h"
#include "base/descriptors.h"
#include "base/hash.h"
#include "base/trust.h"
#include "proto/topic.h"

struct options {
	const char *conf_path;
	const struct command *command;
	struct question question;
	bool asks; /* an option of explain was given */
};

struct command {
	const char *name;
	int (*take)(struct options *o, int count, char **words); /* what stands after the name */
	int (*run)(const struct context *h, const struct options *o);
};

static const char usage_text[] =
    "usage: broker-acl explain -c broker.yaml --user USER | --anonymous [--client-id ID]\n"
    "                  publish | subscribe | receive | will TOPIC\n"
    "                  [--retain] [--qos N] [--payload TEXT]\n"
    "       broker-acl test -c broker.yaml\n"
    "\n"
    "  -c, --config FILE  the broker's configuration\n"
    "  --user USER        explain: who asks\n"
    "  --anonymous        explain: a client without a user name asks\n"
    "  --client-id ID     explain: the client id, for %c in rules\n"
    "  --retain           explain: the message is retained\n"
    "  --qos N            explain: its QoS, 0 if left out\n"
    "  --payload TEXT     explain: its payload, empty if left out\n"
    "  --trust-owner USER, --trust-group GROUP\n"
    "                     believe their files, too, as the broker's option of that name\n";

static int usage_error(const char *text)
{
	(void)report_error("%s", text);
	fprintf(stderr, "\n%s", usage_text);
	return EXIT_USAGE;
}

/* ---- explain ---- */

static int take_action(struct question *q, const char *word)
{
	static const enum acl_action actions[] = {ACL_PUBLISH, ACL_SUBSCRIBE, ACL_RECEIVE,
	                                          ACL_WILL};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(word, acl_action_name(actions[i])) == 0) {
			q->request.action = actions[i];
			return 0;
		}
	}
	return report_error(
	    "unknown action '%s'; the actions are publish, subscribe, receive and will", word);
}

/* $share/group/FILTER is checked as FILTER. */
static int take_filter(struct question *q)
{
	struct slice group, filter = q->request.topic;

	if (topic_filter_share(q->request.topic, &group, &filter) == SHARE_INVALID)
		return report_error("'%s' is not $share/GROUP/FILTER", q->topic);
	if (!topic_filter_valid(filter))
		return report_error(
		    "'%s' is not a topic filter: + and # stand alone in their level, # "
		    "only at the end",
		    q->topic);
	q->request.topic = filter;
	return 0;
}

static int take_explain(struct options *o, int count, char **words)
{
	struct question *q = &o->question;
	const char *why;

	if (count != 2)
		return usage_error("explain needs an action and a topic");
	if ((q->user != NULL) == q->anonymous)
		return usage_error("explain needs either --user or --anonymous");
	if (q->user != NULL && !identity_name_valid(slice_of_str(q->user), &why))
		return report_error("invalid user name: %s", why);
	if (take_action(q, words[0]) != 0)
		return EXIT_USAGE;
	q->topic = words[1];
	q->request.topic = slice_of_str(words[1]);
	if (q->request.action == ACL_SUBSCRIBE)
		return take_filter(q);
	if (!topic_name_valid(q->request.topic))
		return report_error(
		    "'%s' is not a topic name: it must not be empty or contain + or #", q->topic);
	return 0;
}

static int run_explain(const struct context *h, const struct options *o)
{
	return explain(h, &o->question);
}

/* ---- test ---- */

struct tally {
	const struct context *context;
	size_t passed, failed, skipped;
};

static void print_test(void *arg, const struct acl_test_result *r)
{
	struct tally *t = arg;
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
	if (r->passed)
		printf("%s (%s)\n", r->expect_allow ? "allow" : "deny", why);
	else
		printf("expected %s, the policy says %s (%s)\n", r->expect_allow ? "allow" : "deny",
		       r->verdict.allowed ? "allow" : "deny", why);
}

static int take_test(struct options *o, int count, char **words)
{
	(void)words;
	if (count != 0 || o->asks)
		return usage_error("test needs only the configuration; its tests are in the ACL "
		                   "file under tests:");
	return 0;
}

static int run_test(const struct context *h, const struct options *o)
{
	struct tally t = {.context = h};
	struct context context = *h;

	(void)o;
	acl_each_test(h->acl, context_roles_of, &context, print_test, &t);
	if (t.passed + t.failed + t.skipped == 0)
		printf("%s has no tests; tests are under tests:, like { user: anna, publish: a/b, "
		       "expect: allow }\n",
		       context_acl_name(h));
	else
		printf("%zu passed, %zu failed, %zu skipped\n", t.passed, t.failed, t.skipped);
	return t.failed == 0 ? 0 : 1;
}

/* ---- the command line ---- */

static const struct command commands[] = {
    {"explain", take_explain, run_explain},
    {"test", take_test, run_test},
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"user", required_argument, NULL, 'u'},
    {"anonymous", no_argument, NULL, 'a'},
    {"client-id", required_argument, NULL, 'i'},
    {"retain", no_argument, NULL, 'r'},
    {"qos", required_argument, NULL, 'q'},
    {"payload", required_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"trust-owner", required_argument, NULL, 'O'},
    {"trust-group", required_argument, NULL, 'G'},
    {0},
};

static int take_qos(struct question *q, const char *text)
{
	if (strlen(text) != 1 || text[0] < '0' || text[0] > '2')
		return report_error("--qos is 0, 1 or 2");
	q->request.qos = (uint8_t)(text[0] - '0');
	return 0;
}

static int take_trust(int letter)
{
	bool is_owner = letter == 'O';

	if (is_owner ? trust_owner(optarg) : trust_group(optarg))
		return 0;
	return report_error("there is no %s '%s'", is_owner ? "user" : "group", optarg);
}

static int take_option(struct options *o, int letter)
{
	struct question *q = &o->question;

	if (letter == 'O' || letter == 'G')
		return take_trust(letter);
	o->asks |= letter != 'c';
	if (letter == 'c')
		o->conf_path = optarg;
	else if (letter == 'u')
		q->user = optarg;
	else if (letter == 'a')
		q->anonymous = true;
	else if (letter == 'i')
		q->client_id = optarg;
	else if (letter == 'r')
		q->request.retain = true;
	else if (letter == 'p')
		q->request.payload = slice_of_str(optarg);
	else
		return take_qos(q, optarg);
	return 0;
}

/* -1: go on; otherwise the exit status. */
static int take_options(struct options *o, int argc, char **argv)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (letter == 'h') {
			fputs(usage_text, stdout);
			return 0;
		}
		if (letter == 'V') {
			puts("broker-acl " VAKT_VERSION);
			return 0;
		}
		if (letter == '?') {
			fprintf(stderr, "\n%s", usage_text);
			return EXIT_USAGE;
		}
		if (take_option(o, letter) != 0)
			return EXIT_USAGE;
	}
	return -1;
}

static int take_words(struct options *o, int count, char **words)
{
	if (count == 0)
		return usage_error("a command is needed: explain or test");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(words[0], commands[i].name) == 0)
			o->command = &commands[i];
	}
	if (o->command == NULL)
		return usage_error("unknown command");
	if (o->conf_path == NULL)
		return usage_error("name the configuration with -c broker.yaml");
	return o->command->take(o, count - 1, words + 1);
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct context context;
	int status;

	descriptors_reserve_standard();
	trust_as_tool();
	status = take_options(&o, argc, argv);
	if (status != -1)
		return status;
	status = take_words(&o, argc - optind, argv + optind);
	if (status != 0)
		return status;
	hash_init();
	status = context_open(&context, o.conf_path) ? o.command->run(&context, &o) : EXIT_USAGE;
	context_close(&context);
	if (fflush(stdout) != 0)
		return report_error("cannot write to standard output");
	return status;
}
