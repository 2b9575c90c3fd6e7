/* The differences of two snapshots, a line of the log for each. */
#include "server/config_diff.h"

#include <string.h>

static void report(void *arg, const char *what, const char *whose, const char *text)
{
	(void)arg;
	LOG(RELOAD_CHANGE, .what = what, .name = whose, .detail = text);
}

static void diff_certificates(const struct config_snapshot *before,
                              const struct config_snapshot *after, unsigned slot)
{
	const struct conf_listener *l = config_snapshot_listener(after, slot);
	struct tls_context *old = before->tls[before->slots[slot]],
			   *now = after->tls[after->slots[slot]];
	struct buf text = {0};

	if (old == NULL || now == NULL || tls_context_same_certificates(old, now))
		return;
	tls_context_describe_certificates(now, &text);
	buf_put_u8(&text, '\0');
	report(NULL, "certificates", l->bind, (const char *)text.data);
	buf_fini(&text);
}

void config_diff_log(const struct config_snapshot *before, const struct config_snapshot *after)
{
	struct acl_diff_sink sink = {.fn = report};
	unsigned slots =
	    before->slot_count > after->slot_count ? before->slot_count : after->slot_count;

	identity_source_diff(before->identities, after->identities, report, NULL);
	if (before->acl != after->acl)
		acl_diff(before->acl, after->acl, &sink);
	for (unsigned slot = 0; slot < slots; slot++) {
		const struct conf_listener *old = config_snapshot_listener(before, slot);
		const struct conf_listener *now = config_snapshot_listener(after, slot);

		if (old == NULL && now != NULL)
			report(NULL, "listener added", now->bind, "");
		else if (old != NULL && now == NULL)
			report(NULL, "listener removed", old->bind, "");
		else if (now != NULL)
			diff_certificates(before, after, slot);
	}
}
