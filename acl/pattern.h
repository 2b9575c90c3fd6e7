/* Text with names in it, as rules have it: "dev-%u", "%c", "100%%".  Compared with bytes at the
 * moment of the check, so that one compiled policy serves every session.  Pure; no allocation after
 * parsing.  Thread: any. */
#ifndef ACL_PATTERN_H
#define ACL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* What %u and %c stand for. A name whose data is NULL has no value. */
struct pattern_names {
	struct slice user;
	struct slice client;
};

enum part_kind {
	PART_TEXT,
	PART_USER,
	PART_CLIENT,
};

struct part {
	enum part_kind kind;
	struct slice text; /* PART_TEXT: never empty */
};

/* Zero-initialised is the empty text. */
struct pattern {
	struct part *parts;
	size_t count;
	char *bytes; /* what the texts borrow from */
};

enum pattern_flags {
	PATTERN_HOLES = 1, /* a name without a value stands for any text; else nothing matches */
	PATTERN_OPEN = 2,  /* any rest may follow */
	PATTERN_FIRST = 4, /* first level of a topic: a leading hole is a wildcard, not for `$` */
};

/* May %u and %c in filters have this value? No separators, wildcards, control characters, leading
 * `$`; not empty. */
bool pattern_name_is_clean(struct slice name);

/* The offset of a '%' that is not %u, %c or %%; raw.len when all is well. Fini in both cases. */
size_t pattern_parse(struct pattern *p, struct slice raw);
void pattern_fini(struct pattern *p);
/* No name in it: *text is what it says. */
bool pattern_is_text(const struct pattern *p, struct slice *text);
bool pattern_has_client(const struct pattern *p);
/* Every name in it has a value. */
bool pattern_is_known(const struct pattern *p, const struct pattern_names *names);
/* Nothing but names without a value: like a `+`. */
bool pattern_is_hole(const struct pattern *p, const struct pattern_names *names);
/* pattern_matches of any pattern. */
bool pattern_matches_parts(const struct pattern *p, const struct pattern_names *names,
                           struct slice bytes, unsigned flags);

/* Nearly all patterns of rules are a whole level "%u" or "%c". */
static inline bool pattern_matches(const struct pattern *p, const struct pattern_names *names,
                                   struct slice bytes, unsigned flags)
{
	if (p->count == 1 && (flags & PATTERN_OPEN) == 0 && p->parts->kind != PART_TEXT) {
		const struct slice *name =
		    p->parts->kind == PART_USER ? &names->user : &names->client;

		if (name->data != NULL)
			return slice_equal(*name, bytes);
	}
	return pattern_matches_parts(p, names, bytes, flags);
}

#endif
