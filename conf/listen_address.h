/* Where a listener listens: numeric addresses with a port, and Unix sockets.  Names are refused:
 * what they mean changes, and may be more than one address.  Inside conf/ only.  Thread: any. */
#ifndef CONF_LISTEN_ADDRESS_H
#define CONF_LISTEN_ADDRESS_H

#include "conf/schema_field.h"

/* bind: "[::]:8883", "127.0.0.1:8883", "unix:/path". False: *in says why. */
bool listen_address_parse(struct value_input *in, struct conf_listener *listener);
void listen_address_clear(struct conf_listener *listener);

#endif
