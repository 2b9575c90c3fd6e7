/* From the tree of nodes to the struct.  Inside conf/ only.  Thread: the caller's. */
#ifndef CONF_CONF_READ_H
#define CONF_CONF_READ_H

#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* Fill a zeroed conf: defaults first, then what the file says. Every mistake is an error. */
void conf_read(struct conf *conf, const char *name, const struct yaml_node *root,
               struct errors *errors);

#endif
