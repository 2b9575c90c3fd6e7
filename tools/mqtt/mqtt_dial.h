/* One attempt of a connection: name look-up and sockets, and what is to be said about its end.
 * Thread: the loop's. */
#ifndef MQTT_MQTT_DIAL_H
#define MQTT_MQTT_DIAL_H

#include "mqtt/mqtt_connection.h"

struct mqtt_attempt {
	struct mqtt_connection *c; /* NULL: only the look-up is left to end */
	uv_getaddrinfo_t lookup;
	struct addrinfo *list, *next; /* owned; the one to try next */
	struct mqtt_tls_problem problem;
	struct buf words;
	uint64_t deadline_ms;
	int last_error; /* of the address tried last */
	bool looks_up, redials;
	void (*looked_up)(struct mqtt_connection *c, int status);
	struct mqtt_loss loss;
};

/* status: 0 or an error of libuv. */
typedef void mqtt_lookup_fn(struct mqtt_connection *c, int status);

struct mqtt_attempt *mqtt_attempt_new(struct mqtt_connection *c);
/* What is said about the end of this connection; where no attempt is left, one is made. */
struct buf *mqtt_attempt_words(struct mqtt_connection *c);
/* Freed, or after its look-up. */
void mqtt_attempt_free(struct mqtt_attempt *a);
/* `done` may be called at once: addresses and Unix sockets need no look-up. */
void mqtt_attempt_lookup(struct mqtt_attempt *a, mqtt_lookup_fn *done);
/* A socket that connects to the next address; -errno of the last one when there is none. */
int mqtt_attempt_dial(struct mqtt_attempt *a);
bool mqtt_attempt_has_next(const struct mqtt_attempt *a);
/* Append "cannot connect to HOST port PORT: ..." with a remedy. */
void mqtt_dial_describe(const struct mqtt_endpoint *e, int error, struct buf *out);
void mqtt_dial_describe_lookup(const struct mqtt_endpoint *e, int status, struct buf *out);

#endif
