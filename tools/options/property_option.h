/* -D PACKET NAME VALUE: MQTT 5 properties of the command line.  Thread: main. */
#ifndef OPTIONS_PROPERTY_OPTION_H
#define OPTIONS_PROPERTY_OPTION_H

#include "options/client_options.h"

/* `packet` is the option's own value; the other words are taken off the command line. 0 or
 * EXIT_USAGE. */
int property_option_take(struct client_options *o, const char *packet);
/* "Message Expiry Interval" as it is written here: "message-expiry-interval". False: `text` is
 * another. */
bool property_option_is(const char *name, const char *text);
/* May a block of properties stand in packets of that owner (proto/property.h)? 0, or EXIT_USAGE
 * after words. */
int property_option_check(const struct buf *block, unsigned owner);

#endif
