/* Differences of two policies, a line each. */
#include "server/config_diff.h"

#include <string.h>

static void report(void *arg, const char *what, const char *whose, const char *text)
{
	(void)arg;
	LOG(RELOAD_CHANGE, .what = what, .name = whose, .detail = text);
}

static bool roles_equal(const struct user *a, const struct user *b)
{
	if (a->role_count != b->role_count)
		return false;
	for (size_t i = 0; i < a->role_count; i++) {
		if (strcmp(a->roles[i], b->roles[i]) != 0)
			return false;
	}
	return true;
}

/* What is different about one user, NULL: nothing. Never the hash itself. */
static const char *user_change(const struct user *a, const struct user *b)
{
	if (a->entry_id != b->entry_id)
		return "somebody else of this name";
	if (a->locked != b->locked)
		return b->locked ? "locked" : "unlocked";
	if (user_credential(a) != user_credential(b))
		return "password";
	return roles_equal(a, b) ? NULL : "roles";
}

static void diff_users(const struct users *before, const struct users *after)
{
	for (size_t i = 0; i < users_count(before); i++) {
		const struct user *old = users_at(before, i);
		const struct user *now = users_find(after, slice_of_str(old->name));
		const char *change = now == NULL ? NULL : user_change(old, now);

		if (now == NULL)
			report(NULL, "user removed", old->name, "");
		else if (change != NULL)
			report(NULL, "user changed", old->name, change);
	}
	for (size_t i = 0; i < users_count(after); i++) {
		const struct user *now = users_at(after, i);

		if (users_find(before, slice_of_str(now->name)) == NULL)
			report(NULL, "user added", now->name, "");
	}
}

bool change_users_equal(const struct users *a, const struct users *b)
{
	if (users_count(a) != users_count(b))
		return false;
	for (size_t i = 0; i < users_count(a); i++) {
		const struct user *old = users_at(a, i);
		const struct user *now = users_find(b, slice_of_str(old->name));

		if (now == NULL || user_change(old, now) != NULL)
			return false;
	}
	return true;
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

static void diff_listeners(const struct config_snapshot *before,
                           const struct config_snapshot *after)
{
	unsigned slots =
	    before->slot_count > after->slot_count ? before->slot_count : after->slot_count;

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

void change_log(const struct config_snapshot *before, const struct config_snapshot *after)
{
	struct acl_diff_sink sink = {.fn = report};

	diff_users(before->users, after->users);
	if (before->acl != after->acl)
		acl_diff(before->acl, after->acl, &sink);
	diff_listeners(before, after);
}
