/* Files of scenarios.  Thread: main. */
#ifndef BENCH_WORKLOAD_FILE_H
#define BENCH_WORKLOAD_FILE_H

#include "workload.h"

struct errors;

/* Read a scenario out of a file into *w. Without `scenario` the only one. False: errors were
 * added. */
bool workload_file_load(struct workload *w, const char *path, const char *scenario,
                        struct errors *errors);
bool workload_file_parse(struct workload *w, const char *name, struct slice text,
                         const char *scenario, struct errors *errors);

#endif
