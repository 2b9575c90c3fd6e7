/* Which lines of the audit are asked for, and how they are printed.  Thread: main. */
#ifndef AUDIT_TOOL_AUDIT_SELECT_H
#define AUDIT_TOOL_AUDIT_SELECT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"

/* NULL: not asked for. */
struct audit_select {
	const char *topic; /* a filter: the topic of the line matches it, or it is its filter */
	const char *user, *client_id, *event;
	char since[32]; /* "2026-12-01T10:00:00.000Z"; empty: always */
	bool json;
};

/* "90s", "30m", "1h", "7d" before now_ms, or a time as the lines have it, or its beginning. False:
 * it is neither. */
bool audit_select_since(struct audit_select *s, const char *text, int64_t now_ms);
/* `line` without its newline. What is no line of the audit is not selected. */
bool audit_select_has(const struct audit_select *s, struct slice line);
void audit_select_print(const struct audit_select *s, struct slice line, FILE *to);

#endif
