/* The differences of two snapshots. */
#include "server/config_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/conf_diff.h"

struct diff_sink {
	config_diff_fn *fn;
	void *arg;
};

static void report(void *arg, const char *what, const char *whose, const char *text)
{
	const struct diff_sink *sink = arg;

	sink->fn(sink->arg, what, whose, text);
}

static void report_setting(void *arg, const struct conf_change *change)
{
	char *detail = xasprintf("%s -> %s%s", change->before, change->after,
	                         change->at_restart ? " (when the broker is restarted)" : "");
	char *name = change->bind == NULL
	                 ? xstrdup(change->name)
	                 : xasprintf("%s of listener %s", change->name, change->bind);

	report(arg, "setting", name, detail);
	free(name);
	free(detail);
}

static void diff_certificates(struct diff_sink *sink, const struct config_snapshot *before,
                              const struct config_snapshot *after, unsigned slot)
{
	const struct conf_listener *l = config_snapshot_listener(after, slot);
	struct tls_context *old = before->tls[before->slots[slot]],
			   *now = after->tls[after->slots[slot]];
	struct buf text = {0};

	if (old == NULL || now == NULL)
		return;
	if (!tls_context_same_clients(old, now))
		report(sink, "client_ca or client_crl", l->bind, "the files have other content");
	if (tls_context_same_certificates(old, now))
		return;
	tls_context_describe_certificates(now, &text);
	buf_put_u8(&text, '\0');
	report(sink, "certificates", l->bind, (const char *)text.data);
	buf_fini(&text);
}

void config_diff_each(const struct config_snapshot *before, const struct config_snapshot *after,
                      config_diff_fn *fn, void *arg)
{
	struct diff_sink own = {.fn = fn, .arg = arg};
	struct acl_diff_sink sink = {.fn = report, .arg = &own};
	unsigned slots =
	    before->slot_count > after->slot_count ? before->slot_count : after->slot_count;

	if (before->conf != after->conf)
		conf_diff(before->conf, after->conf, report_setting, &own);
	identity_source_diff(before->identities, after->identities, report, &own);
	if (before->acl != after->acl)
		acl_diff(before->acl, after->acl, &sink);
	for (unsigned slot = 0; slot < slots; slot++) {
		const struct conf_listener *old = config_snapshot_listener(before, slot);
		const struct conf_listener *now = config_snapshot_listener(after, slot);

		if (old == NULL && now != NULL)
			report(&own, "listener added", now->bind, "");
		else if (old != NULL && now == NULL)
			report(&own, "listener removed", old->bind, "");
		else if (now != NULL)
			diff_certificates(&own, before, after, slot);
	}
}

/* `arg`: the count. */
static void log_change(void *arg, const char *what, const char *whose, const char *text)
{
	++*(size_t *)arg;
	LOG(RELOAD_CHANGE, .what = what, .name = whose, .detail = text);
}

size_t config_diff_log(const struct config_snapshot *before, const struct config_snapshot *after)
{
	size_t count = 0;

	config_diff_each(before, after, log_change, &count);
	return count;
}
