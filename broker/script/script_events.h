/* GET /events?filter=FILTER: server-sent events, one for each message.  Thread: the worker's. */
#ifndef SCRIPT_SCRIPT_EVENTS_H
#define SCRIPT_SCRIPT_EVENTS_H

#include "http/http_types.h"

extern const struct http_route script_events_route;

#endif
