/* Combinations of keys.  Inside conf/ only.  Thread: the caller's. */
#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* What no single key can tell: duplicate binds, TCP without certificates, limits that contradict
 * each other. `root` gives the places. */
void conf_check(const struct conf *conf, const char *name, const struct yaml_node *root,
                struct errors *errors);

#endif
