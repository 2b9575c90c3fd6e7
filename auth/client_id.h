/* bind_client_id: which client ids a user may have.  Pure.  Thread: any. */
#ifndef AUTH_CLIENT_ID_H
#define AUTH_CLIENT_ID_H

#include "conf/conf.h"

/* NULL: it is allowed. Otherwise the rule in words, and what to do. The text quotes neither name,
 * so it may be sent to the client. `client_id` is empty where the client sent none: an id that the
 * broker assigns neither is the user's name nor begins with it. */
const char *client_id_misfit(enum conf_bind_client_id bind, struct slice client_id,
                             struct slice user);

#endif
