/* What one check of the policy costs: nanoseconds per acl_check for policies of 100 and 300 rules,
 * decided early, late, or by nobody.  Run it alone, on a release build. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "acl/acl.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/require.h"

#define LOOPS 1000000U

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A house with many rooms: own rules, one role with a rule per room, and the usual two. */
static char *policy_text(unsigned rules)
{
	struct buf out = {0};

	buf_printf(&out, "roles:\n  rooms:\n");
	for (unsigned i = 0; i < rules; i++) {
		if (i % 3 == 0)
			buf_printf(&out, "    - allow publish current/room%u/+/on retain=no\n", i);
		else if (i % 3 == 1)
			buf_printf(&out, "    - allow all tele/device%u/#\n", i);
		else
			buf_printf(&out, "    - allow subscribe +/room%u/%%u/state\n", i);
	}
	buf_printf(&out, "  provider:\n    - allow publish current/%%u/#\n"
	                 "    - allow publish device/+ own\n    - allow subscribe desired/%%u/#\n"
	                 "    - deny publish desired/#\n"
	                 "  actor:\n    - allow subscribe current/# desired/# device/+\n"
	                 "    - allow publish desired/+/# retain=no\n"
	                 "users:\n  porch:\n    roles: [rooms, provider, actor]\n"
	                 "    rules:\n      - deny publish current/porch/locked/#\n"
	                 "      - allow publish weather/+\n");
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

static double measure(const struct acl_subject *subject, enum acl_action action, const char *topic,
                      bool expect)
{
	struct acl_request request = {.action = action, .topic = slice_of_str(topic)};
	unsigned allowed = 0;
	double best = 1e9;

	for (unsigned run = 0; run < 5; run++) {
		double start = now_ns();
		double each;

		for (unsigned i = 0; i < LOOPS; i++) {
			__asm__ volatile("" : : "r"(&request) : "memory");
			allowed += acl_check(subject, &request).allowed;
		}
		each = (now_ns() - start) / LOOPS;
		best = each < best ? each : best;
	}
	REQUIRE(allowed == (expect ? 5 * LOOPS : 0));
	return best;
}

static void bench(unsigned rules)
{
	static const struct {
		const char *name, *topic;
		enum acl_action action;
		bool expect;
	} rows[] = {
	    {"own rule, first", "weather/rain", ACL_PUBLISH, true},
	    {"role, early", "current/room3/lamp/on", ACL_PUBLISH, true},
	    {"role, late", "tele/device97/sensor/temperature", ACL_PUBLISH, true},
	    {"second role, %u", "current/porch/lamp/on", ACL_PUBLISH, true},
	    {"third role", "desired/kitchen/lamp/on", ACL_PUBLISH, true},
	    {"delivery, early", "tele/device1/sensor", ACL_RECEIVE, true},
	    {"delivery, third role", "current/kitchen/lamp/brightness", ACL_RECEIVE, true},
	    {"nobody", "home/kitchen/table/lamp/brightness", ACL_PUBLISH, false},
	    {"nobody, after a start", "current/room4/lamp/on", ACL_PUBLISH, false},
	    {"subscribe", "current/kitchen/#", ACL_SUBSCRIBE, true},
	};
	char *text = policy_text(rules);
	struct errors errors = {0};
	struct acl *acl =
	    acl_parse("acl.yaml", slice_of_str(text), PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);
	struct acl_subject *subject;

	REQUIRE(acl != NULL);
	subject = acl_subject_new(
	    acl, &(struct acl_who){.user = SLICE("porch"), .client_id = SLICE("porch-1")});
	printf("%zu rules\n", acl_rule_count(acl));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("  %-28s %8.1f ns\n", rows[i].name,
		       measure(subject, rows[i].action, rows[i].topic, rows[i].expect));
	}
	acl_subject_free(subject);
	acl_free(acl);
	errors_fini(&errors);
	free(text);
}

int main(void)
{
	hash_init();
	bench(100);
	bench(300);
	bench(3000);
	return 0;
}
