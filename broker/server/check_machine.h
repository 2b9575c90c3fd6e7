/* What the machine does not give that the configuration asks for: descriptors, a disk that keeps
 * what is written.  Warnings only.  Thread: main's. */
#ifndef SERVER_CHECK_MACHINE_H
#define SERVER_CHECK_MACHINE_H

#include "conf/conf.h"
#include "conf/errors.h"

void check_machine(const struct conf *conf, struct errors *errors);

#endif
