/* Rows of an answer in the order of their keys, whichever worker gives them, and in windows:
 * `limit` of them that come `after` a key, of those in which `match` is found.  A row begins with
 * its key, which the next window is asked with.  Thread: who has the query. */
#ifndef ADMIN_CONTROL_WINDOW_H
#define ADMIN_CONTROL_WINDOW_H

#include "admin/control/control_query.h"

/* What may be asked for at once. */
#define WINDOW_LIMIT_MAX 200

struct control_window;

/* That of this query; made when first asked for. NULL: the query has an error. */
struct control_window *control_window_of(struct control_query *q);
/* Is a window wanted at all, or everything? */
bool control_window_is_wanted(const struct control_query *q);
/* Is `match` of the request found in one of the texts? Without regard to the case of ASCII letters.
 */
bool control_window_matches(const struct control_query *q, const struct slice *texts, size_t count);
/* The same of all texts of an object. */
bool control_window_matches_object(const struct control_query *q, const struct json_object *object);
/* Would a row of this key be in the window? To make it only then. */
bool control_window_has_place(const struct control_window *w, struct slice key);
/* Add a row: a line with an object, newline included. */
void control_window_add(struct control_window *w, struct slice key, struct slice line);
bool control_window_is_empty(const struct control_window *w);
/* Write some of them. True: there are more. */
bool control_window_write(struct control_query *q);
/* Of commands that ask each worker: is this the last one? */
bool control_window_is_last(const struct control_query *q);

#endif
