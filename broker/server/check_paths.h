/* Paths of the configuration that are one, and must not be: what is written to one name would end
 * up in the file of another, or a socket would take its place.  Thread: main's. */
#ifndef SERVER_CHECK_PATHS_H
#define SERVER_CHECK_PATHS_H

#include "conf/conf.h"
#include "conf/errors.h"

void check_paths(const struct conf *conf, struct errors *errors);

#endif
