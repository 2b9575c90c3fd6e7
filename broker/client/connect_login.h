/* What the two ways into the house share: connect.c (passwords, certificates, anonymous) and
 * exchange.c (SCRAM).  Thread: the connection's home. */
#ifndef CLIENT_CONNECT_LOGIN_H
#define CLIENT_CONNECT_LOGIN_H

#include "auth/login.h"
#include "client/conn.h"

/* CONNACK with this reason (what the version has of it), one log line, close. `cause` is for the
 * log; the Reason String is for the peer. */
void connect_refuse_packet(struct conn *c, const struct connect *packet, enum reason reason,
                           const char *cause, struct slice reason_string);
/* The same for a verdict other than accepted. */
void connect_refuse_login(struct conn *c, const struct connect *packet, enum login_verdict verdict,
                          const char *why);

/* What this connection and its CONNECT bring to login_decide. `name` keeps the certificate's name
 * for as long as `out` is used. */
void connect_fill_login(struct conn *c, const struct connect *packet, struct buf *name,
                        struct login *out);
/* Could `id` log in with this CONNECT by the rules of this moment, should they have changed since
 * that generation? */
bool connect_still_valid(struct conn *c, const struct connect *packet, const struct identity *id,
                         uint64_t generation, const char **why);
/* This listener only says where to go. True: it was said, the connection closes. Section 4.13.2. */
bool connect_send_elsewhere(struct conn *c, const struct connect *packet);
/* CONNACK with this reason in place of the one that the client waits for: its login is under way,
 * or what it promises is being written. False: no CONNECT is here, or none that is valid. */
bool connect_refuse_waiting(struct conn *c, enum reason reason, const char *cause,
                            struct slice server_reference);

/* The login has succeeded, c->identity says for whom; the rest of CONNECT in its order. CONNACK
 * carries `auth_data` where the login was an exchange. Section 3.1.4. */
void connect_accept(struct conn *c, const struct connect *packet, struct slice auth_data);

#endif
