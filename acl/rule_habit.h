/* How other brokers write their rules, for whoever comes from one: what stands for it here.  Inside
 * acl/ only.  Thread: main. */
#ifndef ACL_RULE_HABIT_H
#define ACL_RULE_HABIT_H

#include "acl/rule_error.h"

/* What to write for a word ("pattern", "readwrite") that is none of ours; NULL: it is not known. */
const char *rule_habit_word(const char *word);
/* Warn of placeholders that are text here, or begin with one of ours: ${username}, %clientid. */
void rule_habit_warn(const struct rule_source *source);
/* An error for a '%' that means nothing, at `bad` in `text`. */
void rule_habit_percent(struct rule_source *source, size_t offset, struct slice text, size_t bad);

#endif
