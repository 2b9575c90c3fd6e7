/* The HTTP connections of a worker.  Thread: the worker's. */
#ifndef HTTP_HTTP_SERVER_H
#define HTTP_HTTP_SERVER_H

#include "http/http_link.h"

/* `routes` stay. */
void http_server_init(struct worker *w, const struct http_route *const *routes, size_t count);
void http_server_fini(struct worker *w);
/* Another configuration is in force: all connections are checked, some in each turn. */
void http_server_reload(struct worker *w);
/* Is there something for http_server_turn to do? */
static inline bool http_server_has_work(const struct http_server *s)
{
	return s->dirty != NULL || s->later != NULL || s->next_to_check != NULL;
}
/* The end of a turn. True: there is more to do. */
bool http_server_turn(struct worker *w);
/* The broker stops: first nothing more is read, then all connections are closed. */
void http_server_stop_reading(struct worker *w);
void http_server_close(struct worker *w);

#endif
