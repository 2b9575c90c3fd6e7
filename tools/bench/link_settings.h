/* How clients of a load reach the broker, and as whom.  Thread: main; read by all. */
#ifndef BENCH_LINK_SETTINGS_H
#define BENCH_LINK_SETTINGS_H

#include <sys/socket.h>

#include "mqtt/mqtt_protocol.h"
#include "mqtt/mqtt_tls.h"

struct link_options {
	const char *host, *port, *unix_path;
	const char *websocket; /* its path; NULL: none */
	bool plain;
	struct mqtt_tls_options tls;
};

struct link_settings {
	bool has_tls; /* else bare TCP, or a Unix socket */
	struct mqtt_tls_options tls;
	const char *host;                /* what the certificate must name */
	const char *websocket;           /* its path; NULL: none */
	unsigned websocket_cuts;         /* mqtt_websocket_put */
	char authority[300];             /* HOST:PORT, for the request of a WebSocket */
	struct sockaddr_storage address; /* looked up once, not for each client */
	socklen_t address_bytes;
	struct mqtt_options mqtt, mqtt_kept; /* kept: with a session that outlives the connection */
};

/* All but mqtt, mqtt_kept and websocket_cuts. 0, or the exit status after an error was reported. */
int link_settings_init(struct link_settings *s, const struct link_options *o);

#endif
