/* A format that is newer than the broker's, as a later version will have one: with one more table,
 * which the upgrade fills with a row for each session. */
#ifndef TESTS_STORE_NEXT_FORMAT_H
#define TESTS_STORE_NEXT_FORMAT_H

#include "store/store_format.h"

#define TABLE_NEXT TABLES

const struct store_formats *next_formats(void);
/* The upgrade ends after so many rows: with that error, 0: with SIGKILL. UINT_MAX: it does not. */
void next_format_stop(unsigned rows, int error);

#endif
