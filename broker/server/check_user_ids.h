/* What the store has for ids that are not in the identity source any more, though their names are:
 * for --check.  Thread: main. */
#ifndef SERVER_CHECK_USER_IDS_H
#define SERVER_CHECK_USER_IDS_H

#include "worker/config_snapshot.h"

/* A warning with counts, and what can be done. */
void check_user_ids(const struct config_snapshot *snapshot, struct errors *errors);

#endif
