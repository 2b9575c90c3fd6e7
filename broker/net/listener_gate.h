/* Whom a listener lets in before anything of a client was read: by allow_from, and by who may send
 * PROXY headers.  What is refused is counted and logged, so many lines in a while.  Thread: the
 * loop's. */
#ifndef NET_LISTENER_GATE_H
#define NET_LISTENER_GATE_H

#include "base/log.h"
#include "net/proxy/proxy_header.h"
#include "net/stream.h"

struct listener_gate {
	const struct conf_listener *conf;
	/* NULL: not counted. */
	_Atomic uint64_t *refused_addresses, *refused_proxies;
	struct log_limit addresses, proxies;
};

/* Does allow_from have this peer? `proxy`: who named it, or NULL. */
bool listener_gate_admits(struct listener_gate *gate, const struct peer_address *peer,
                          const struct peer_address *proxy, uint64_t now_ms);
/* May this peer send a PROXY header? */
bool listener_gate_trusts(struct listener_gate *gate, const struct peer_address *sender,
                          uint64_t now_ms);
/* Count and log that what came from a proxy is refused. */
void listener_gate_refuse_proxy(struct listener_gate *gate, const struct peer_address *sender,
                                const char *cause, uint64_t now_ms);
/* Put what the header says into the facts of the socket, as far as the settings believe it. False:
 * it must be closed, which is logged. */
bool listener_gate_take_header(struct listener_gate *gate, struct stream *socket,
                               const struct proxy_header *header, uint64_t now_ms);

/* For a reload: why this configuration of its listener would not let such a connection in; NULL: it
 * would. The connection keeps the address by which it came, whatever the listener asks for now. */
const char *listener_gate_refusal(const struct stream *s, const struct conf_listener *conf);

#endif
