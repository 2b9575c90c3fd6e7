/* A configuration that has errors.  Pure. */
#ifndef CTL_CTL_CONFIG_H
#define CTL_CTL_CONFIG_H

#include "base/bytes.h"

/* The value of `control: { socket: }`, or of `socket:` below `control:`, as far as it can be found
 * in a text that may be no YAML at all. NULL: it is not there. The caller frees. */
char *ctl_config_socket(struct slice text);

#endif
