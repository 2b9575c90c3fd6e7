/* What differs from the last time is published, in slices (ordered_work.h); names and figures are
 * in worker/figures.def. */
#include "admin/sys_topics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/load_average.h"
#include "admin/stats.h"
#include "audit/audit_log.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/container.h"
#include "routing/publish.h"
#include "routing/publish_route.h"
#include "worker/ordered_work.h"
#include "worker/shared.h"

#define PREFIX    MSG_BROKER_TOPICS
#define VALUE_MAX 96
#define TOPIC_MAX 80

static const struct rate_topic {
	const char *topic; /* below load/ */
	size_t offset;     /* in struct stats */
} rate_topics[] = {
#define RATE(member, topic) {topic, offsetof(struct stats, member)},
#include "worker/figures.def"
};

static const char *const spans[LOAD_SPANS] = {"1min", "5min", "15min"};

enum {
	VALUE_VERSION,
	VALUE_TIMESTAMP,
	VALUE_UPTIME,
	VALUE_STORE_STATE,
	VALUE_STORE_ERROR,
	VALUE_AUDIT_HEAD,
	VALUE_FIGURES,
	VALUE_RATES = VALUE_FIGURES + STATS_FIGURES,
	VALUE_COUNT = VALUE_RATES + ARRAY_LEN(rate_topics) * LOAD_SPANS,
};

struct sys_value {
	char topic[sizeof(PREFIX) + TOPIC_MAX];
	char text[VALUE_MAX]; /* as published, or to be */
	bool is_due;
};

struct sys {
	struct task start;
	struct worker *worker;
	struct timer timer;
	struct origin *origin;
	uint64_t started_ms, updated_ms;
	struct load_average loads[ARRAY_LEN(rate_topics)];
	struct sys_value values[VALUE_COUNT];
	struct ordered_work publishing; /* while some are due */
	size_t next;                    /* of the values */
	struct msg *msg;                /* of that one, while it rests */
};

static struct msg *message_of(struct sys *sys, const struct sys_value *value)
{
	struct msg_parts parts = {.retain = true,
	                          .expires_ms = MSG_NEVER,
	                          .topic = slice_of_str(value->topic),
	                          .payload = slice_of_str(value->text)};

	return msg_new(sys->origin, &parts);
}

/* True: it is. */
static bool publish(struct sys *sys, struct sys_value *value, uint64_t until)
{
	struct publish_job job = {.verdict = {.allowed = true}};
	enum publish_outcome outcome;

	if (!value->is_due)
		return true;
	if (sys->msg == NULL)
		sys->msg = message_of(sys, value);
	job.msg = sys->msg;
	if (!publish_route_slices(sys->worker, &job, until, &outcome))
		return false;
	msg_unref(&sys->msg);
	value->is_due = false;
	return true;
}

static void drop_publishing(struct worker *w, struct ordered_work *work)
{
	struct sys *sys = container_of(work, struct sys, publishing);

	(void)w;
	if (sys->msg != NULL)
		msg_unref(&sys->msg);
}

/* The next figures come when all of these are out. */
static bool go_on_publishing(struct worker *w, struct ordered_work *work, uint64_t until)
{
	struct sys *sys = container_of(work, struct sys, publishing);

	for (; sys->next < VALUE_COUNT; sys->next++) {
		if (w->work >= until)
			return false;
		if (!publish(sys, &sys->values[sys->next], until))
			return false;
	}
	if (!w->stopping)
		executor_timer_arm(&w->executor, &sys->timer, SYS_TOPICS_INTERVAL_MS);
	return true;
}

static void begin_publishing(struct sys *sys)
{
	sys->next = 0;
	sys->publishing.go_on = go_on_publishing;
	sys->publishing.drop = drop_publishing;
	ordered_work_add(sys->worker, ORDERED_PUBLISHES, &sys->publishing);
}

static void report(struct sys *sys, size_t index, const char *name, const char *text)
{
	struct sys_value *value = &sys->values[index];

	if (strcmp(value->text, text) == 0)
		return;
	snprintf(value->topic, sizeof(value->topic), PREFIX "%s", name);
	snprintf(value->text, VALUE_MAX, "%s", text);
	value->is_due = true;
}

static void report_figures(struct sys *sys, const struct stats *stats)
{
	bool has_store = journal_is_durable(sys->worker->shared->journal);
	char text[VALUE_MAX];

	for (size_t i = 0; i < STATS_FIGURES; i++) {
		const struct figure *f = &stats_figures[i];

		if (f->topic[0] == '\0' || (f->of_store && !has_store))
			continue;
		snprintf(text, sizeof(text), "%" PRIu64, stats_value(stats, f->offset));
		report(sys, VALUE_FIGURES + i, f->topic, text);
	}
}

static void report_store(struct sys *sys, const struct stats *stats)
{
	const struct shared *shared = sys->worker->shared;
	const char *error = stats_store_error(stats);

	report(sys, VALUE_STORE_STATE, "store/state", stats_store_state(shared, stats));
	if (journal_is_durable(shared->journal))
		report(sys, VALUE_STORE_ERROR, "store/error", error == NULL ? "none" : error);
}

/* A MAC tells nothing about the key. */
static void report_audit(struct sys *sys)
{
	char text[AUDIT_HEAD_TEXT];
	struct audit_head head;

	if (!audit_log_head(&head))
		return;
	audit_head_text(&head, text);
	report(sys, VALUE_AUDIT_HEAD, "audit/head", text);
}

static void report_loads(struct sys *sys, const struct stats *stats)
{
	uint64_t now_ms = sys->worker->executor.now_ms;
	char name[TOPIC_MAX], text[VALUE_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rate_topics); i++) {
		load_average_update(&sys->loads[i], stats_value(stats, rate_topics[i].offset),
		                    now_ms - sys->updated_ms);
		for (size_t span = 0; span < LOAD_SPANS; span++) {
			snprintf(name, sizeof(name), "load/%s/%s", rate_topics[i].topic,
			         spans[span]);
			snprintf(text, sizeof(text), "%.2f", sys->loads[i].per_minute[span]);
			report(sys, VALUE_RATES + i * LOAD_SPANS + span, name, text);
		}
	}
	sys->updated_ms = now_ms;
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct sys *sys = container_of(timer, struct sys, timer);
	struct worker *w = executor_arg;
	char text[VALUE_MAX];
	struct stats stats;

	if (w->stopping)
		return;
	stats_take(w->shared, &stats);
	snprintf(text, sizeof(text), "%" PRIu64 " seconds",
	         (sys->worker->executor.now_ms - sys->started_ms) / 1000);
	report(sys, VALUE_UPTIME, "uptime", text);
	report_figures(sys, &stats);
	report_store(sys, &stats);
	report_audit(sys);
	report_loads(sys, &stats);
	begin_publishing(sys);
}

static void on_start(struct task *task, void *executor_arg)
{
	struct sys *sys = container_of(task, struct sys, start);
	struct worker *w = executor_arg;
	char text[CLOCK_TEXT_MAX];

	sys->started_ms = sys->updated_ms = w->executor.now_ms;
	report(sys, VALUE_VERSION, "version", "vakt version " VAKT_VERSION);
	report(sys, VALUE_TIMESTAMP, "timestamp", clock_text(clock_wall_ms(), text));
	on_timer(&sys->timer, w);
}

struct sys *sys_topics_start(struct shared *shared)
{
	struct sys *sys = xnew(sys);

	sys->worker = shared->workers[0];
	sys->origin = origin_new(false, 0, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY);
	sys->timer.fire = on_timer;
	sys->start.run = on_start;
	executor_send(&sys->worker->executor, &sys->start);
	return sys;
}

void sys_topics_free(struct sys *sys)
{
	if (sys == NULL)
		return;
	origin_unref(&sys->origin);
	free(sys);
}
