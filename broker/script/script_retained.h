/* GET /retained/TOPIC: the retained message, as the body.  Thread: the worker's. */
#ifndef SCRIPT_SCRIPT_RETAINED_H
#define SCRIPT_SCRIPT_RETAINED_H

#include "http/http_types.h"

extern const struct http_route script_retained_route;

#endif
