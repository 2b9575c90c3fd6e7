/* Levels of parts of the log: an area is how the names of events begin, like "store" or
 * "client-connected".  Below log.h, whose numbers of events and levels these are.  Thread: any. */
#ifndef BASE_LOG_AREA_H
#define BASE_LOG_AREA_H

#include <stdbool.h>
#include <stddef.h>

/* What is wrong with "AREA=LEVEL"; NULL: nothing. */
const char *log_area_wrong(const char *item);
/* Of several that fit an event the longest area counts.  Items that are wrong are left out.  For
 * log_set_areas, which the others call. */
void log_area_set(const char *const *items, size_t count);
/* The level in force for an event; `otherwise` where no area has it. */
int log_area_level(unsigned event, int otherwise);
/* Is there an area with the level debug? */
bool log_area_is_debug(void);

#endif
