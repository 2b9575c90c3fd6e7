/* Who may write a file besides its owner, as the system reports it: the members of its group, and
 * the entries of its access control list (acl(5), in the form in which the kernel hands it out). A
 * group is asked for once until trust_writers_forget(): where a directory service answers, it may
 * take long. */
#include "program/trust_writers.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "base/bytes.h"
#include "base/require.h"

#define CACHE_SIZE   16
#define USERS_MAX    100000 /* looked at; where there are more, no group is anybody's own */
#define LIST_VERSION 2
#define LIST_BYTES   8192
#define TAG_USER     0x02
#define TAG_GROUP    0x08
#define MAY_WRITE    2

/* --- members of groups --- */

struct cached {
	gid_t gid;
	struct trust_members members;
};

static struct cached cache[CACHE_SIZE];
static size_t cache_count;

void trust_writers_forget(void)
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

const struct trust_members *trust_writers_of_group(gid_t gid)
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

/* --- access control lists --- */

static unsigned get_le(const uint8_t *at, size_t bytes)
{
	unsigned n = 0;

	while (bytes-- > 0)
		n = n << 8 | at[bytes];
	return n;
}

/* The mask, which limits what these entries give, is what stands in the mode as the group's rights:
 * the caller has seen that it has the right to write. */
bool trust_writers_next_listed(int fd, size_t *index, struct trust_writer *out)
{
	uint8_t list[LIST_BYTES];
	char name[32];
	ssize_t n;
	size_t len;

	REQUIRE(fd >= 0);
	/* The descriptor may be one of O_PATH, which fgetxattr() does not take. */
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = getxattr(name, "system.posix_acl_access", list, sizeof(list));
	len = n < 0 ? 0 : (size_t)n;
	if (len < 4 || get_le(list, 4) != LIST_VERSION)
		return false;
	for (size_t at = 4 + *index * 8; at + 8 <= len; at += 8) {
		unsigned tag = get_le(list + at, 2);

		++*index;
		if ((tag != TAG_USER && tag != TAG_GROUP) ||
		    (get_le(list + at + 2, 2) & MAY_WRITE) == 0)
			continue;
		*out = (struct trust_writer){.is_group = tag == TAG_GROUP,
		                             .id = get_le(list + at + 4, 4)};
		return true;
	}
	return false;
}
