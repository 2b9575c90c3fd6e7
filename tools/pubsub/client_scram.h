/* The login by SCRAM-SHA-256 of a client (enhanced authentication, MQTT 5.0, section 4.12): what
 * goes into CONNECT and AUTH, and the proof of the server.  Thread: main. */
#ifndef PUBSUB_CLIENT_SCRAM_H
#define PUBSUB_CLIENT_SCRAM_H

#include "auth/scram_login.h"
#include "options/client_options.h"

/* Zero it. */
struct client_scram {
	struct scram_login login;
	struct buf properties; /* of CONNECT */
};

/* A new connection: the properties of its CONNECT, those of the options among them. They are good
 * until the next one. */
struct slice client_scram_begin(struct client_scram *s, const struct client_options *options);
void client_scram_fini(struct client_scram *s);
/* AUTH of the server. NULL, and the data of the answer is appended to `out`; or what is wrong: the
 * server is not to be trusted. */
const char *client_scram_answer(struct client_scram *s, const struct client_options *options,
                                enum reason reason, const struct properties *p, struct buf *out);
/* CONNACK that accepts. NULL: the server knows the password's verifier; or what is wrong. */
const char *client_scram_check(struct client_scram *s, const struct properties *p);

#endif
