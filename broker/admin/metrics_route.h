/* /metrics over HTTPS, for who has the token, a listed address, or a client certificate whose user
 * may read $SYS/#.  Thread: the worker's. */
#ifndef ADMIN_METRICS_ROUTE_H
#define ADMIN_METRICS_ROUTE_H

#include "http/http_types.h"

extern const struct http_route metrics_route;

#endif
