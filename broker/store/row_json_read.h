/* A row from a line of JSON.  Pure; any thread. */
#ifndef STORE_ROW_JSON_READ_H
#define STORE_ROW_JSON_READ_H

#include "base/json.h"
#include "store/store_tables.h"

/* What row_json_put wrote: append the key and the value of the row, the same bytes.  False: it is
 * no row, or one that could not be read; what was appended means nothing then.  Any line may be
 * given. */
bool row_json_read(const struct json_object *row, enum store_table *table, struct buf *key,
                   struct buf *value);

#endif
