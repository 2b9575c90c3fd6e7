/* A client of MQTT 5.0 for one HTTP request, inside the broker: what it publishes and subscribes to
 * goes the way of every client's, with the same limits, rules, queue and log.  Its user has logged
 * in by HTTP already.  It has no client id of its own: that of its session begins with "http/", so
 * that %c has no value in its rules.  Thread: the worker's. */
#ifndef SCRIPT_SCRIPT_CLIENT_H
#define SCRIPT_SCRIPT_CLIENT_H

#include "http/http_types.h"
#include "proto/frame.h"
#include "proto/packet_subscribe.h"

struct script_client;

/* None is called from inside a script_client_* function. Each may call any of them. */
struct script_client_events {
	/* The CONNECT was accepted. */
	void (*on_connected)(void *arg);
	/* Any other packet from the broker but DISCONNECT. False: take no more until
	 * script_client_wake. The frame is valid for the call. */
	bool (*on_packet)(void *arg, const struct frame *f);
	/* The last call: refused, or ended; the reason, and the cause in words, which may be empty.
	 */
	void (*on_ended)(void *arg, enum reason reason, struct slice cause);
};

/* `x->identity` is who it is. */
struct script_client *script_client_new(struct http_exchange *x, uint16_t receive_maximum,
                                        const struct script_client_events *events, void *arg);
/* A whole packet. */
void script_client_send(struct script_client *c, struct slice packet);
/* SUBSCRIBE with packet identifier 1, and QoS 2. */
void script_client_subscribe(struct script_client *c, struct slice filter);
void script_client_ping(struct script_client *c);
/* Answer a PUBLISH of QoS 1 or 2, or a PUBREL. */
void script_client_acknowledge(struct script_client *c, const struct frame *f);
void script_client_wake(struct script_client *c);
/* Are retained messages still to come? */
bool script_client_replays(const struct script_client *c);
/* It goes, and no event comes any more. NULL is fine; *c becomes NULL. */
void script_client_close(struct script_client **c);

#endif
