/* Thread: any. */
#ifndef CONF_CONF_DUMP_H
#define CONF_CONF_DUMP_H

#include "conf/conf.h"

/* The effective configuration as YAML, defaults filled in. The caller frees. */
char *conf_dump(const struct conf *conf);

#endif
