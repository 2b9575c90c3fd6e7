/* A row as a line of JSON: for people, and for another machine. */
#ifndef STORE_ROW_JSON_H
#define STORE_ROW_JSON_H

#include "store/store_tables.h"

/* One line of JSON, whatever is in the row.  Values of sessions and payloads are base64.  A row
 * that cannot be read has "unreadable":true. */
void row_json_put(struct buf *out, enum store_table table, struct slice key, struct slice value);
/* Its number among the members: "position", ...; NULL: it has none. */
const char *row_json_number_name(enum store_table table);

#endif
