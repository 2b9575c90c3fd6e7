/* Control topics: an MQTT 5.0 client asks what broker-ctl asks, by a PUBLISH to
 * $CONTROL/vakt/v1/COMMAND with a Response Topic, and gets the answer there, on its connection
 * alone.  A request is never routed, retained or queued; an answer is never published.  DESIGN.md
 * section 11.
 *
 * Here is a worker's part: which requests are taken, which of them have their turn, and whether the
 * client may still have what comes.  Thread: the worker's, but for start and free. */
#ifndef ADMIN_CONTROL_TOPIC_H
#define ADMIN_CONTROL_TOPIC_H

#include "proto/packet_publish.h"
#include "session/client_link.h"

struct control;
struct shared;

/* So many answers of a connection are made at a time; so many more requests wait for that. */
#define CONTROL_RUNNING_MAX 4
#define CONTROL_WAITING_MAX 12

/* For all workers, before they run. */
void control_topic_start(struct control *c);
/* For all workers, after they ran. */
void control_topic_free(struct shared *shared);

/* A PUBLISH to a control topic that the rules permit. Without fault: it was taken, and is
 * acknowledged, now or when its QoS 2 identifier is stored. */
struct fault control_topic_request(struct client_link *link, const struct publish *pub);
/* The connection ends: its answers do. */
void control_topic_forget(struct client_link *link);

#endif
