/* The files of the dashboard: a page that is an MQTT client over WebSocket.  Everybody can read
 * them; whoever uses the page logs in by MQTT.  Thread: the worker's. */
#ifndef HTTP_DASHBOARD_H
#define HTTP_DASHBOARD_H

#include "http/http_types.h"

extern const struct http_route dashboard_route;

#endif
