/* /health: does the broker accept clients, and can it acknowledge what they publish?  Thread: the
 * worker's. */
#ifndef HTTP_HEALTH_H
#define HTTP_HEALTH_H

#include "http/http_types.h"

extern const struct http_route health_route;

#endif
