/* How clients of a load reach the broker, and as whom.  Thread: main; read by all. */
#ifndef BENCH_LINK_SETTINGS_H
#define BENCH_LINK_SETTINGS_H

#include <sys/socket.h>

#include "options/client_options.h"

struct link_settings {
	bool has_tls; /* else bare TCP, or a Unix socket */
	struct mqtt_tls_options tls;
	const char *host;                /* what the certificate must name */
	const char *source;              /* address to connect from; NULL: any */
	const char *websocket;           /* its path; NULL: none */
	unsigned websocket_cuts;         /* mqtt_websocket_put */
	char authority[300];             /* HOST:PORT, for the request of a WebSocket */
	struct sockaddr_storage address; /* looked up once, not for each client */
	socklen_t address_bytes;
	struct mqtt_options mqtt, mqtt_kept; /* kept: with a session that outlives the connection */
};

/* After client_options_finish: all but mqtt_kept and what is of WebSocket. 0, or the exit status
 * after an error was reported. */
int link_settings_init(struct link_settings *s, const struct client_options *o);
/* What is wrong with files of TLS, and what else is set, is said now and not by the first client.
 */
int link_settings_check(const struct link_settings *s);

#endif
