/* One row for each service; WebSocket is not one of them (http/websocket_upgrade.h). */
#include "server/http_routes.h"

#include "base/array.h"
#include "http/health.h"

const struct http_route *const http_routes[] = {
    &health_route,
};
const size_t http_route_count = ARRAY_LEN(http_routes);
