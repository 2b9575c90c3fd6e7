/* What HTTPS listeners can serve.  Thread: any; constant. */
#ifndef SERVER_HTTP_ROUTES_H
#define SERVER_HTTP_ROUTES_H

#include "http/http_types.h"

extern const struct http_route *const http_routes[];
extern const size_t http_route_count;

#endif
