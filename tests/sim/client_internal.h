/* Between client.c and client_receive.c. */
#ifndef SIM_CLIENT_INTERNAL_H
#define SIM_CLIENT_INTERNAL_H

#include "client.h"

void client_pending_free(struct client *c, struct pending *p);
void client_received_free(struct received *r);
/* A connection that was to be taken over is dropped too. */
void client_drop_old(struct client *c);
/* [MQTT-4.4.0-1] */
void client_resend_pending(struct client *c);
void client_take_packet(struct client *c, const struct frame *f);

#endif
