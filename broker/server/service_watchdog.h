/* The watchdog of the service manager, as sd_watchdog_enabled(3) describes it.  The main loop asks
 * all workers four times in an interval, and tells the manager that the broker lives when every one
 * has answered within half of it.  A worker that hangs is named in the log before the manager ends
 * the process.  Thread: the executor that it was made with. */
#ifndef SERVER_SERVICE_WATCHDOG_H
#define SERVER_SERVICE_WATCHDOG_H

#include "base/executor.h"

struct service_watchdog;

/* NULL: the manager watches nothing (WATCHDOG_USEC, WATCHDOG_PID). */
struct service_watchdog *service_watchdog_new(struct executor *executor);
/* NULL is fine, as it is below. Who has to answer; before service_watchdog_start. */
void service_watchdog_add(struct service_watchdog *watchdog, struct executor *worker);
void service_watchdog_start(struct service_watchdog *watchdog);
void service_watchdog_stop(struct service_watchdog *watchdog);
/* When nobody runs any more. */
void service_watchdog_free(struct service_watchdog *watchdog);

#endif
