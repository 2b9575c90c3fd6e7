/* Sessions that wait for memory: they try again a little later, because memory is freed wherever a
 * client reads or acknowledges, on any worker.  Thread: the session's worker. */
#ifndef SESSION_MEMORY_WAIT_H
#define SESSION_MEMORY_WAIT_H

#include "session/session.h"
#include "worker/worker.h"

#define MEMORY_WAIT_MS 100

/* Its client is there: session_deliver_waiting and its replays are tried again. Once is enough. */
void memory_wait(struct session *s);
/* It ends. */
void memory_wait_forget(struct session *s);
void memory_wait_init(struct worker *w);
/* Before the table of sessions goes, which has the timer. */
void memory_wait_fini(struct worker *w);

#endif
