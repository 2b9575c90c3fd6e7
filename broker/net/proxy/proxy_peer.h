/* What a PROXY header said of the client of a connection, and who sent it: kept with the socket for
 * as long as that lives.  Immutable.  Thread: that of the stream. */
#ifndef NET_PROXY_PEER_H
#define NET_PROXY_PEER_H

#include "net/proxy/proxy_header.h"
#include "net/stream.h"

struct proxy_peer {
	struct stream_proxy proxy;
	/* What the proxy says of the client's TLS. Only where that is believed is it in the facts
	 * of the stream. */
	struct stream_tls tls;
	size_t name_len;
	uint8_t name[];
};

struct proxy_peer *proxy_peer_new(const struct peer_address *sender,
                                  const struct proxy_header *header);

#endif
