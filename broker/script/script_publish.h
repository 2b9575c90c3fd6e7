/* POST /publish/TOPIC?qos=&retain=: the body is the payload.  Thread: the worker's. */
#ifndef SCRIPT_SCRIPT_PUBLISH_H
#define SCRIPT_SCRIPT_PUBLISH_H

#include "http/http_types.h"

extern const struct http_route script_publish_route;

#endif
