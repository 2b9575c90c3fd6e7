/* Connections that failed before MQTT began: no TLS, a TLS that does not fit, a certificate that is
 * not accepted.  Remembered by address, so that it can be asked later which device fails, and why:
 * the log limits its lines, this does not.  Of the whole process.  Thread: any. */
#ifndef NET_FAILED_HANDSHAKES_H
#define NET_FAILED_HANDSHAKES_H

#include "base/recent.h"
#include "net/peer_address.h"

struct failed_handshake {
	const char *what; /* "tls", "no-tls", "before-connect", "address" */
	const struct peer_address *peer;
	const char *listener;
	const char *cause;
	const char *server_name;  /* that the client asked for; "": none */
	struct slice offered;     /* of what the cause is about; may be empty */
	struct slice certificate; /* of the client, in words; may be empty */
};

void failed_handshakes_add(const struct failed_handshake *failure);
typedef void failed_handshake_fn(void *arg, const struct recent_entry *entry);
/* Each, in any order: its text is a JSON object. */
void failed_handshakes_visit(failed_handshake_fn *fn, void *arg);
void failed_handshakes_forget(void);

#endif
