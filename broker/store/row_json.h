/* A row as a line of JSON, for people. */
#ifndef STORE_ROW_JSON_H
#define STORE_ROW_JSON_H

#include "store/store_tables.h"

/* One line of JSON, whatever is in the row.  Values of sessions and payloads are base64. */
void row_json_put(struct buf *out, enum store_table table, struct slice key, struct slice value);

#endif
