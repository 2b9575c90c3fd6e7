/* One row for each service; WebSocket is not one of them (http/websocket_upgrade.h). */
#include "server/http_routes.h"

#include "admin/metrics_route.h"
#include "base/array.h"
#include "http/dashboard.h"
#include "http/health.h"
#include "script/script_events.h"
#include "script/script_publish.h"
#include "script/script_retained.h"

const struct http_route *const http_routes[] = {
    &health_route,  &script_publish_route, &script_retained_route, &script_events_route,
    &metrics_route, &dashboard_route, /* the last: its paths may begin like those of all others */
};
const size_t http_route_count = ARRAY_LEN(http_routes);
