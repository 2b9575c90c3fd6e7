/* What a listener with protocol: https needs.  Inside conf/ only.  Thread: the caller's. */
#ifndef CONF_CONF_CHECK_HTTPS_H
#define CONF_CONF_CHECK_HTTPS_H

#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* `node`: the listener's, in the file `name`. Does nothing for another protocol. */
void conf_check_https(const struct conf_listener *l, const char *name, const struct yaml_node *node,
                      struct errors *errors);

/* For the schema: what is wrong with a path of a URL, or with an item of `origins`; NULL:
 * nothing. */
const char *conf_path_wrong(const char *text);
const char *conf_folder_wrong(const char *text); /* and it ends with a slash */
const char *conf_origin_wrong(const char *text);

#endif
