/* Leads the threads of a run through its steps and measures.  Thread: main. */
#ifndef BENCH_LEAD_H
#define BENCH_LEAD_H

#include <sys/types.h>

#include "link_settings.h"
#include "results.h"

struct lead_options {
	const struct workload *workload;
	const struct link_settings *settings;
	pid_t broker;  /* 0: not known */
	bool progress; /* a line each second, on standard error */
};

/* Do all of it; what went wrong is r->failure (owned by r). */
void lead(const struct lead_options *o, struct results *r);

#endif
