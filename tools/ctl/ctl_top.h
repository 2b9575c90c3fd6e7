/* The busiest clients on a terminal, again and again: what they did in a second, from two answers
 * of the broker.  Thread: main. */
#ifndef CTL_CTL_TOP_H
#define CTL_CTL_TOP_H

#include "base/json.h"
#include "ctl/ctl_table.h"

struct ctl_top;

struct ctl_top *ctl_top_new(void);
/* NULL is fine. */
void ctl_top_free(struct ctl_top *top);
/* A row of the answer. */
void ctl_top_take(struct ctl_top *top, const struct json_object *row, uint64_t now_ms);
/* The answer is complete: append the `max` busiest clients to *out, as a table. What came before is
 * what the next answer is compared with. */
void ctl_top_put(struct ctl_top *top, const struct column *columns, size_t column_count, size_t max,
                 struct buf *out);
/* Show it on the terminal, and wait until it is asked for again. */
void ctl_top_show(struct ctl_top *top, const struct column *columns, size_t column_count);

#endif
