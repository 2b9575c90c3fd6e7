/* What main answers by itself: the broker as a whole; and a reload.  Thread: main's. */
#include <stdio.h>
#include <unistd.h>

#include "admin/control/control_query.h"
#include "admin/stats.h"
#include "base/clock.h"
#include "net/listener.h"

/* Of the whole process, as the kernel counts it. 0: not known. */
static uint64_t memory_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
		pages = 0;
	(void)fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* broker-ctl parses the answer: the figures, and what stands between them. */
_Static_assert(STATS_FIGURES + 16 <= JSON_MEMBERS_MAX, "an answer has too many members");

static void put_figures(struct buf *out, const struct stats *t, bool of_store)
{
	for (size_t i = 0; i < STATS_FIGURES; i++) {
		const struct figure *f = &stats_figures[i];

		if (f->status[0] != '\0' && f->of_store == of_store)
			json_number(out, f->status, stats_value(t, f->offset));
	}
}

bool control_status_report(struct control_query *q)
{
	struct control *c = q->control;
	const struct config_snapshot *snapshot = c->hooks.snapshot(c->hooks.arg);
	uint64_t up_ms = clock_monotonic_ms() - c->started_ms;
	struct stats stats;
	char since[CLOCK_TEXT_MAX];

	stats_take(c->shared, &stats);
	clock_text(clock_wall_ms() - (int64_t)up_ms, since);
	json_open(&q->out);
	json_str(&q->out, "version", VAKT_VERSION);
	json_number(&q->out, "process", (uint64_t)getpid());
	json_str(&q->out, "since", since);
	json_number(&q->out, "uptime_s", up_ms / 1000);
	json_number(&q->out, "workers", c->shared->worker_count);
	json_str(&q->out, "config", snapshot->conf->path);
	json_number(&q->out, "policy_generation", snapshot->generation);
	put_figures(&q->out, &stats, false);
	/* mutant: status_names_set_aside */
	if (stats.set_aside_users > 0)
		json_str(&q->out, "set_aside_remedy", SET_ASIDE_REMEDY);
	json_str(&q->out, "store", stats_store_state(c->shared, &stats));
	if (journal_is_durable(c->shared->journal)) {
		json_str(&q->out, "store_error", stats_store_error(&stats));
		put_figures(&q->out, &stats, true);
	}
	json_number(&q->out, "memory_bytes", memory_bytes());
	json_close(&q->out);
	for (size_t i = 0; i < snapshot->conf->listener_count; i++) {
		json_open(&q->out);
		json_str(&q->out, "listener", snapshot->conf->listeners[i].bind);
		json_str(&q->out, "tls", listener_tls_text(&snapshot->conf->listeners[i]));
		json_close(&q->out);
	}
	return false;
}

/* --- reload --- */

bool control_status_reload(struct control_query *q)
{
	const struct control_hooks *hooks = &q->control->hooks;

	if (hooks->reload == NULL)
		q->error = "a reload is not available";
	else if (!hooks->reload(hooks->arg))
		q->error = "there are errors, and nothing was changed; see the broker's log or run "
			   "'broker --check'";
	return false;
}

static void put_change(void *to, const char *what, const char *name, const char *detail)
{
	struct buf *out = to;

	json_open(out);
	json_str(out, "what", what);
	json_str(out, "name", name);
	json_str(out, "detail", detail);
	json_close(out);
}

static void put_problems(const struct errors *errors, struct buf *out)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct error_item *e = &errors->items[i];
		struct buf where = {0};

		buf_printf(&where, "%s", e->file == NULL ? "" : e->file);
		if (e->line > 0)
			buf_printf(&where, ":%u", e->line);
		buf_put_u8(&where, '\0');
		put_change(out, e->warning ? "warning" : "error", (const char *)where.data,
		           e->text);
		buf_fini(&where);
	}
}

bool control_status_preview(struct control_query *q)
{
	const struct control_hooks *hooks = &q->control->hooks;
	struct errors errors = {0};

	if (hooks->preview == NULL)
		q->error = "a reload is not available";
	else if (!hooks->preview(hooks->arg, put_change, &q->out, &errors))
		q->error = "there are errors: a reload would change nothing but users and "
			   "revocation lists";
	put_problems(&errors, &q->out);
	errors_fini(&errors);
	return false;
}
