/* All rows of a store that may be at rest or in use, for whoever only looks.  Thread: any; blocks.
 */
#ifndef STORE_STORE_ROWS_H
#define STORE_STORE_ROWS_H

#include "store/store_verify.h"

/* Each row, table by table in their order: at rest without trust in the file, beside a broker
 * through LMDB. 0 or -errno, and *text says what is wrong and what to do. */
int store_rows_read(const char *directory, verify_row_fn *row, void *arg,
                    char text[STORE_ERROR_TEXT]);

#endif
