/* One rule, parsed: "Rules" in acl.yaml(5).  Immutable after parsing.  Thread: any. */
#ifndef ACL_RULE_H
#define ACL_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acl/acl.h"
#include "acl/filter_levels.h"
#include "acl/pattern.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* A set of enum acl_action. */
#define ACTION_BIT(action) ((uint8_t)(1U << (action)))
#define ACTIONS_WRITE      ((uint8_t)(ACTION_BIT(ACL_PUBLISH) | ACTION_BIT(ACL_WILL)))
#define ACTIONS_READ       ((uint8_t)(ACTION_BIT(ACL_SUBSCRIBE) | ACTION_BIT(ACL_RECEIVE)))

enum rule_retain {
	RETAIN_ANY,
	RETAIN_NO,
	RETAIN_ONLY,
	RETAIN_DELETE,
};

struct rule_payload {
	struct pattern text;
	bool open; /* a `*` stood at the end */
};

struct acl_rule {
	bool deny;
	uint8_t actions;
	bool conditional; /* any of the five below */
	enum rule_retain retain;
	bool own;
	uint8_t max_qos;               /* UINT8_MAX: any */
	uint64_t max_payload;          /* UINT64_MAX: any */
	struct rule_payload *payloads; /* none: any */
	size_t payload_count;
	struct rule_filter *filters;
	size_t filter_count;
	char *text; /* the line as written */
	unsigned line, column;
	uint32_t id; /* from 1, in the order of the file */
};

/* Parse the line in `node`; false: every mistake in it is in `errors`. Fini in both cases. */
bool rule_parse(struct acl_rule *rule, const char *file, const struct yaml_node *node,
                struct errors *errors);
/* A rule of the guard: deny writing on this filter. */
bool rule_parse_guard(struct acl_rule *rule, const char *file, const struct yaml_node *node,
                      struct errors *errors);
void rule_fini(struct acl_rule *rule);

/* Do the conditions hold? Actions and filters are not looked at. */
bool rule_holds(const struct acl_rule *rule, const struct acl_request *request,
                const struct names *in_payloads);

/* For rule.c and condition.c: where words are and where their mistakes go. */
struct rule_source {
	const char *file;
	const struct yaml_node *node;
	struct errors *errors;
	bool failed;
};

struct word {
	struct slice text; /* without its quotes */
	size_t offset;     /* in the line */
	bool quoted;
};

void rule_error(struct rule_source *source, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The one thing to say about a '%' that means nothing. */
void rule_error_percent(struct rule_source *source, size_t offset, struct slice text, size_t bad);
/* Is this word a condition?  By its looks: `own`, or a '=' in it. */
bool condition_is(const struct word *word);
void condition_parse(struct acl_rule *rule, struct rule_source *source, const struct word *word);

#endif
