/* Members of groups, as the system reports them.  A group is asked for once until
 * trust_groups_forget(): where a directory service answers, it may take long. */
#include "base/trust_groups.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/bytes.h"

#define CACHE_SIZE 16
#define USERS_MAX  100000 /* looked at; where there are more, no group is anybody's own */

struct cached {
	gid_t gid;
	struct trust_members members;
};

static struct cached cache[CACHE_SIZE];
static size_t cache_count;

void trust_groups_forget(void)
{
	cache_count = 0;
}

static bool add_member(struct trust_members *m, uid_t uid)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->uids[i] == uid)
			return true;
	}
	if (m->count == TRUST_MEMBERS_MAX)
		return false;
	m->uids[m->count++] = uid;
	return true;
}

/* NOLINTBEGIN(concurrency-mt-unsafe): nobody but main asks the system for users and groups */

/* A member without a known number may be anybody. */
static bool add_listed(struct trust_members *m, gid_t gid)
{
	const struct group *group = getgrgid(gid);
	char *names[TRUST_MEMBERS_MAX];
	size_t count = 0;
	bool ok = true;

	for (char **name = group == NULL ? NULL : group->gr_mem; name != NULL && *name != NULL;
	     name++) {
		if (count == TRUST_MEMBERS_MAX) {
			ok = false;
			break;
		}
		names[count++] = slice_dup(slice_of_str(*name));
	}
	for (size_t i = 0; i < count; i++) {
		const struct passwd *user = ok ? getpwnam(names[i]) : NULL;

		ok = user != NULL && add_member(m, user->pw_uid);
		free(names[i]);
	}
	return ok;
}

/* False: too many, or nobody has it as the own group. */
static bool add_own(struct trust_members *m, gid_t gid)
{
	const struct passwd *user;
	bool ok = true, any = false;

	setpwent();
	for (size_t seen = 0; ok && (user = getpwent()) != NULL; seen++) {
		ok = seen < USERS_MAX;
		if (user->pw_gid != gid)
			continue;
		any = true;
		ok = ok && add_member(m, user->pw_uid);
	}
	endpwent();
	return ok && any;
}

/* NOLINTEND(concurrency-mt-unsafe) */

const struct trust_members *trust_groups_members(gid_t gid)
{
	struct cached *c;

	for (size_t i = 0; i < cache_count; i++) {
		if (cache[i].gid == gid)
			return &cache[i].members;
	}
	if (cache_count == CACHE_SIZE)
		cache_count = 0;
	c = &cache[cache_count++];
	*c = (struct cached){.gid = gid};
	c->members.is_known = add_own(&c->members, gid) && add_listed(&c->members, gid);
	return &c->members;
}
