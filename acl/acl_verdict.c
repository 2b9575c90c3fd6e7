/* Texts are cut at `cap`, where a character begins. */
#include "acl/acl_verdict.h"

#include <stdarg.h>
#include <stdio.h>

#include "acl/acl_policy.h"
#include "acl/rule_filter.h"
#include "base/array.h"
#include "base/require.h"
#include "base/utf8.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static size_t put(char *out, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t put(char *out, size_t cap, const char *format, ...)
{
	va_list args;
	size_t len;
	int n;

	if (cap == 0)
		return 0;
	va_start(args, format);
	n = vsnprintf(out, cap, format, args);
	va_end(args);
	if (n < 0) {
		out[0] = '\0';
		return 0;
	}
	if ((size_t)n < cap)
		return (size_t)n;
	/* What does not fit is cut where a character begins: a Reason String is UTF-8. */
	len = cap - 1;
	while (len > 0 && !utf8_valid(slice_of(out, len)))
		len--;
	out[len] = '\0';
	return len;
}

size_t acl_verdict_text(const struct acl *acl, const struct acl_verdict *verdict, char *out,
                        size_t cap)
{
	REQUIRE((verdict->cause == ACL_CAUSE_RULE) == (verdict->rule != NULL));
	REQUIRE(!verdict->allowed || verdict->cause == ACL_CAUSE_RULE);
	switch (verdict->cause) {
	case ACL_CAUSE_RULE:
		return put(out, cap, "%s:%u: %s", base_name(acl->name), verdict->rule->line,
		           verdict->rule->text);
	case ACL_CAUSE_NO_RULE:
		return put(out, cap, "no rule allows it");
	case ACL_CAUSE_GUARD_DESIRED:
		return put(out, cap, "guard: anonymous clients never publish to %s",
		           acl->guard.rules[verdict->desired].filters[0].source);
	case ACL_CAUSE_GUARD_BRIDGE:
		return put(out, cap,
		           "guard: no rule names the topic where a bridge announces itself: set "
		           "\"notifications false\" or \"notifications_local_only true\" in the "
		           "bridge, or add the rule \"allow publish " BRIDGE_PREFIX "%%c/state\"");
	case ACL_CAUSE_GUARD_CONTROL:
		return put(out, cap,
		           "guard: no rule whose filter begins with " CONTROL_PREFIX " allows it");
	case ACL_CAUSE_GUARD_LOGIN:
		return put(out, cap, "guard: clients without a login never control the broker");
	case ACL_CAUSE_GUARD_SYSTEM:
		return put(out, cap, "guard: nobody publishes to topics that begin with $");
	}
	return put(out, cap, "no rule allows it");
}

uint32_t acl_verdict_id(const struct acl_verdict *verdict)
{
	if (verdict->cause != ACL_CAUSE_RULE)
		return (uint32_t)verdict->cause;
	REQUIRE(verdict->rule->id > 0); /* 0 is a guard's, which is a cause of its own */
	return ACL_CAUSE_GUARD_SYSTEM + verdict->rule->id;
}

const char *acl_action_name(enum acl_action action)
{
	static const char *const words[] = {
	    [ACL_PUBLISH] = "publish",
	    [ACL_WILL] = "will",
	    [ACL_SUBSCRIBE] = "subscribe",
	    [ACL_RECEIVE] = "receive",
	};

	REQUIRE((size_t)action < ARRAY_LEN(words));
	return words[action];
}
