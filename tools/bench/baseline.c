/* The same threads, TLS and schedule as in the run that follows; a few seconds say enough. */
#include "baseline.h"

#include "base/require.h"
#include "lead.h"
#include "null_sink.h"
#include "program/command_line.h"

#define DURATION_MAX_MS UINT64_C(3000)
#define WARM_UP_MAX_MS  UINT64_C(500)
#define COUNT_MAX       UINT64_C(100000)

static uint64_t at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

/* Nothing arrives from a null sink: a closed loop goes on with its acknowledgements. */
void baseline_workload(const struct workload *w, struct workload *out)
{
	*out = *w;
	out->subscribers = out->slow_subscribers = out->idle = out->replays = 0;
	out->away = false;
	out->ramp = 0;
	out->warm_up = at_most(w->warm_up, WARM_UP_MAX_MS);
	out->duration = at_most(w->duration, DURATION_MAX_MS);
	out->messages = at_most(w->messages, COUNT_MAX);
	out->connects = at_most(w->connects, COUNT_MAX);
	out->warm_up_count = at_most(w->warm_up_count, COUNT_MAX);
	if (workload_is_closed(w) && w->publishers > 0) {
		out->next_after = NEXT_AFTER_ACK;
		out->qos = w->qos == 0 ? 1 : w->qos;
	}
}

int baseline_measure(const struct workload *w, const struct link_settings *broker,
                     struct self_check *out)
{
	struct null_sink sink = {0};
	struct link_settings own;
	struct workload alone;
	struct results r;
	int rc;

	REQUIRE(w->publishers > 0 || workload_has_storm(w));
	baseline_workload(w, &alone);
	rc = null_sink_start(&sink, broker, (unsigned)w->threads, &own);
	if (rc != 0)
		return rc;
	results_init(&r, &alone);
	lead(&(struct lead_options){.workload = &alone, .settings = &own}, &r);
	null_sink_stop(&sink);
	results_finish(&r);
	*out = r.check;
	if (r.failure != NULL)
		rc = report_error(EXIT_FAILED, "the run against the null sink failed: %s",
		                  r.failure);
	else if (r.interrupted)
		rc = EXIT_FAILED;
	results_fini(&r);
	return rc;
}
