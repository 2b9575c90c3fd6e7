/* What the generator can do alone: the sending part of a load, for some seconds, against a null
 * sink.  Thread: main, before there are others. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include "link_settings.h"
#include "self_check.h"
#include "workload.h"

/* The load without what needs a broker: nobody subscribes or idles. Pure. */
void baseline_workload(const struct workload *w, struct workload *out);
/* 0, or the exit status after an error was reported. */
int baseline_measure(const struct workload *w, const struct link_settings *broker,
                     struct self_check *out);

#endif
