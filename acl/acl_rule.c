/* Rules as text. */
#include "acl/acl_rule.h"

#include <string.h>

#include "acl/acl_policy.h"
#include "acl/rule_names.h"
#include "base/alloc.h"

bool acl_rule_denies(const struct acl_rule *rule)
{
	return rule->deny;
}

unsigned acl_rule_line(const struct acl_rule *rule)
{
	return rule->line;
}

char *acl_rule_text(const struct acl *acl, const struct acl_rule *rule)
{
	const char *slash = strrchr(acl->name, '/');

	return xasprintf("%s:%u: %s", slash == NULL ? acl->name : slash + 1, rule->line,
	                 rule->text);
}

/* The sign after a '%'. False: a name without a value. */
static bool fill_sign(struct buf *out, char sign, const struct pattern_names *names, bool deny)
{
	struct slice value = sign == 'u' ? names->user : names->client;

	if (sign == '%')
		value = SLICE("%");
	else if (value.data == NULL && deny)
		value = SLICE("+");
	buf_put_slice(out, value);
	return value.data != NULL;
}

char *acl_rule_filled(const struct acl_rule *rule, const struct acl_who *who)
{
	struct rule_names n = rule_names_of(who);
	bool has_names = false, has_values = true;
	struct buf out = {0};

	for (size_t i = 0; rule->text[i] != '\0'; i++) {
		const struct pattern_names *names =
		    i > rule->conditions_at ? &n.in_conditions : &n.in_filters;

		if (rule->text[i] != '%') {
			buf_put(&out, &rule->text[i], 1);
			continue;
		}
		i++;
		has_names |= rule->text[i] != '%';
		has_values &= fill_sign(&out, rule->text[i], names, rule->deny);
	}
	buf_put_u8(&out, '\0');
	if (has_names && has_values)
		return (char *)out.data;
	buf_fini(&out);
	return NULL;
}
