/* broker.yaml from a file to a struct conf.  Thread: main. */
#ifndef CONF_CONF_LOAD_H
#define CONF_CONF_LOAD_H

#include "base/bytes.h"
#include "conf/conf.h"
#include "conf/errors.h"

/* Parse and check the file by itself: syntax, keys, types, ranges, combinations (TCP needs
 * certificates, certificate_user needs client_certificates, ...) and who can change it
 * (program/trust.h). Files that it names are checked by those who read them. NULL when there are
 * errors. */
struct conf *conf_load(const char *path, struct errors *errors);
/* The same from memory, for tests. */
struct conf *conf_parse(const char *name, struct slice bytes, struct errors *errors);
void conf_free(struct conf *conf);

#endif
