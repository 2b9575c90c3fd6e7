/* What showing and deleting retained messages share.  Thread: that of the executor that answers. */
#ifndef ADMIN_CONTROL_RETAINED_H
#define ADMIN_CONTROL_RETAINED_H

#include "admin/control/control_query.h"
#include "tree/msg.h"

/* A cursor over what "filter" matches. False: it is no filter, which q->error says. */
bool control_retained_begin(struct control_query *q);
/* "writer" and "client_id", of an answer's line. */
void control_retained_put_writer(struct buf *out, const struct msg *msg);

#endif
