/* What was in flight when a connection was lost, on the next one.  Thread: the caller's, one at a
 * time. */
#ifndef MQTT_MQTT_RESEND_H
#define MQTT_MQTT_RESEND_H

#include "mqtt/mqtt_in_flight.h"
#include "proto/reason.h"

struct mqtt_resend {
	enum mqtt_version version;
	/* The server has the session: PUBLISH packets are duplicates, and none may be left out but
	 * those that it does not take any more. */
	bool resumes;
	/* What the server takes now, which may be less than before. */
	bool retains;
	uint8_t max_qos;
	uint32_t max_packet_bytes;
	/* So many may be without their acknowledgement: the server's Receive Maximum. */
	uint32_t window;
	uint64_t now_ms;
	/* It cannot be sent again, and is done: its Message Expiry Interval is over and the server
	 * knows nothing of it (0x80), or the server does not take it any more. `why`: one sentence
	 * without a full stop. */
	void (*on_given_up)(void *arg, const struct mqtt_request *r, enum reason reason,
	                    const char *why);
	void *arg;
};

/* Put again what is held, in its order, as far as the window permits, PUBREL for what was received.
 * To be called again, while some are held, when there are acknowledgements. */
void mqtt_resend_put(struct mqtt_in_flight *t, struct buf *out, const struct mqtt_resend *how);

#endif
