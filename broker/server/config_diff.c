/* The differences of two snapshots, a line of the log for each. */
#include "server/config_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/conf_diff.h"

/* `arg`: the count. */
static void report(void *arg, const char *what, const char *whose, const char *text)
{
	++*(size_t *)arg;
	LOG(RELOAD_CHANGE, .what = what, .name = whose, .detail = text);
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

static void diff_certificates(size_t *count, const struct config_snapshot *before,
                              const struct config_snapshot *after, unsigned slot)
{
	const struct conf_listener *l = config_snapshot_listener(after, slot);
	struct tls_context *old = before->tls[before->slots[slot]],
			   *now = after->tls[after->slots[slot]];
	struct buf text = {0};

	if (old == NULL || now == NULL)
		return;
	if (!tls_context_same_clients(old, now))
		report(count, "client_ca or client_crl", l->bind, "the files have other content");
	if (tls_context_same_certificates(old, now))
		return;
	tls_context_describe_certificates(now, &text);
	buf_put_u8(&text, '\0');
	report(count, "certificates", l->bind, (const char *)text.data);
	buf_fini(&text);
}

size_t config_diff_log(const struct config_snapshot *before, const struct config_snapshot *after)
{
	size_t count = 0;
	struct acl_diff_sink sink = {.fn = report, .arg = &count};
	unsigned slots =
	    before->slot_count > after->slot_count ? before->slot_count : after->slot_count;

	if (before->conf != after->conf)
		conf_diff(before->conf, after->conf, report_setting, &count);
	identity_source_diff(before->identities, after->identities, report, &count);
	if (before->acl != after->acl)
		acl_diff(before->acl, after->acl, &sink);
	for (unsigned slot = 0; slot < slots; slot++) {
		const struct conf_listener *old = config_snapshot_listener(before, slot);
		const struct conf_listener *now = config_snapshot_listener(after, slot);

		if (old == NULL && now != NULL)
			report(&count, "listener added", now->bind, "");
		else if (old != NULL && now == NULL)
			report(&count, "listener removed", old->bind, "");
		else if (now != NULL)
			diff_certificates(&count, before, after, slot);
	}
	return count;
}
