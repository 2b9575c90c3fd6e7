/* What a connection brings to the decision about its login.  Thread: the connection's owner. */
#ifndef CLIENT_LOGIN_INPUT_H
#define CLIENT_LOGIN_INPUT_H

#include "auth/login.h"
#include "client/conn.h"

/* What this connection and its CONNECT bring to login_decide. `name` holds the certificate's name
 * for as long as `out` is used. */
void login_input_fill(struct conn *c, const struct connect *packet, struct buf *name,
                      struct login *out);
/* One more was decided. */
void login_input_count(struct worker *w, enum login_method method, enum login_verdict verdict);
/* Could `id`, which could log in by the configuration of that generation, log in with this CONNECT
 * now? */
bool login_input_still_valid(struct conn *c, const struct connect *packet,
                             const struct identity *id, uint64_t generation, const char **why);

#endif
