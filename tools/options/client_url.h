/* -L: where to, who, and what about, in one word.  Thread: main. */
#ifndef OPTIONS_CLIENT_URL_H
#define OPTIONS_CLIENT_URL_H

#include "options/client_options.h"

/* mqtts://[USER@]HOST[:PORT][/TOPIC]. 0 or EXIT_USAGE. */
int client_url_take(struct client_options *o, const char *value);

#endif
