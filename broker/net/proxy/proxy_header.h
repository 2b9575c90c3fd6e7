/* The PROXY header that a proxy sends before everything else (the PROXY protocol, versions 1 and
 * 2): who is at the other end of the connection that it forwards.  Pure: no I/O, no allocation;
 * slices point into the input.  Thread: any. */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include "base/bytes.h"
#include "net/peer_address.h"

/* A version 1 header has at most 107 bytes; of version 2, which may have 65551, no more is taken:
 * there is space for addresses and fields, and for a certificate. */
#define PROXY_HEADER_MAX    4096
#define PROXY_HEADER_V1_MAX 107

enum proxy_header_result {
	PROXY_HEADER_INCOMPLETE, /* all of it belongs to the header, and there is more to come */
	PROXY_HEADER_COMPLETE,
	PROXY_HEADER_BAD, /* .cause says why */
};

struct proxy_header {
	/* Its bytes: what follows them is the client's. */
	size_t len;
	/* False: it names no address of a network (UNKNOWN, LOCAL, an unspecified family, a Unix
	 * socket at the proxy): the connection's own ends count. */
	bool has_source;
	struct peer_address source;
	/* What the proxy says of the client's TLS, where it ended that itself. */
	bool has_tls;
	/* "TLSv1.3"; "TLS": none that is known. */
	const char *tls_version;
	/* The client gave a certificate in this connection, or in the one that it resumed. */
	bool has_certificate;
	/* 0: it was verified. */
	uint32_t verify_result;
	/* Of the certificate's subject; as it came: it may be anything. */
	struct slice common_name;
	const char *cause;
};

enum proxy_header_result proxy_header_parse(struct slice in, struct proxy_header *out);

#endif
