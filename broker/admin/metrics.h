/* The broker's metrics, for Prometheus and what reads its formats: the rows of admin/metrics.def,
 * of the same figures as $SYS.  Nothing is done for each client, and no lock is taken that a
 * publish takes.  Thread: any. */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include <stdbool.h>

#include "base/bytes.h"

struct config_snapshot;
struct shared;

/* The Content-Type of each format. */
#define METRICS_TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_TYPE_TEXT "text/plain; version=0.0.4; charset=utf-8"

/* All of them, appended. `snapshot`: the configuration in force. */
void metrics_write(struct shared *shared, const struct config_snapshot *snapshot,
                   bool is_open_metrics, struct buf *out);

#endif
