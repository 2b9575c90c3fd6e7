/* Tables for people: lines of JSON in, aligned columns out.  Whatever a name holds, no control
 * character reaches the terminal. */
#ifndef CTL_CTL_TABLE_H
#define CTL_CTL_TABLE_H

#include "base/json.h"

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,  /* to the right */
	COLUMN_SECONDS, /* 90s, 45m, 30d; to the right */
	COLUMN_PAYLOAD, /* text, or what no text is: 0x00ff, the member with _hex at its end */
	COLUMN_LINE,    /* the only one: text for other programs, a line for each row */
};

struct column {
	const char *member; /* of the JSON object */
	const char *title;
	enum column_kind kind;
};

#define TABLE_COLUMNS_MAX 12

struct ctl_table {
	const struct column *columns;
	size_t column_count;
	bool no_titles;
	bool hides_payload; /* the last column, where it is COLUMN_PAYLOAD */
	struct buf *cells;  /* row by row */
	size_t cell_count, cell_cap;
};

/* A row of what the object has; what it lacks, and null, is "-". */
void ctl_table_add(struct ctl_table *t, const struct json_object *row);
/* A row of a name and a value. */
void ctl_table_add_pair(struct ctl_table *t, const char *name, const struct json_member *value);
void ctl_table_print(const struct ctl_table *t, struct buf *out);
void ctl_table_fini(struct ctl_table *t);

#endif
