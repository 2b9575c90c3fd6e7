/* What `broker --check` finds out about the sessions in the store.  Thread: main's; blocks. */
#ifndef SERVER_CHECK_SESSIONS_H
#define SERVER_CHECK_SESSIONS_H

#include "conf/conf.h"
#include "conf/errors.h"

/* Warn of each session whose client id would be refused by bind_client_id. An error where the store
 * cannot be read; nothing is read where no listener binds client ids. */
void check_sessions(const struct conf *conf, struct errors *errors);

#endif
