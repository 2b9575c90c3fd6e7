/* Profiles: where to, who and what to trust, by name, in ~/.config/vakt/clients.yaml.  Thread:
 * main. */
#ifndef OPTIONS_CLIENT_PROFILE_H
#define OPTIONS_CLIENT_PROFILE_H

#include "options/client_options.h"

/* Fill what the command line left out from the profile that it names, or from `default` where it
 * says nothing of where to. 0 or the exit status after an error. */
int client_profile_apply(struct client_options *o);

#endif
