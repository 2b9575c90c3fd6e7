/* See privileges.h. */
#include "program/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/require.h"

/* NULL: there is none. Of this thread until the next call. */
static const struct passwd *find_user(const char *text)
{
	/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread */
	const struct passwd *user = getpwnam(text);
	char *end;
	unsigned long uid;

	if (user != NULL || text[0] < '0' || text[0] > '9')
		return user;
	uid = strtoul(text, &end, 10);
	return *end == '\0' ? getpwuid((uid_t)uid) : NULL;
	/* NOLINTEND(concurrency-mt-unsafe) */
}

static bool say(char text[PRIVILEGES_TEXT_MAX], const char *format, const char *user)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, PRIVILEGES_TEXT_MAX, format, user);
#pragma GCC diagnostic pop
	return false;
}

bool privileges_can_drop(const char *user, char text[PRIVILEGES_TEXT_MAX])
{
	const struct passwd *found = find_user(user);

	if (found == NULL)
		return say(
		    text,
		    "there is no user '%s' on this machine: 'adduser --system --group' makes "
		    "one",
		    user);
	if (found->pw_uid == 0)
		return say(text, "%s is root, and nothing would be given up: name another user",
		           user);
	if (geteuid() != 0 && geteuid() != found->pw_uid)
		return say(text,
		           "only root can become %s: start the broker as root or as that user, or "
		           "leave 'user' out",
		           user);
	return true;
}

/* Also of the saved ids, and of what root may without being root. */
static bool can_go_back(const struct passwd *user)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
		return true;
	for (unsigned i = 0; i < 3; i++) {
		if (uid[i] != user->pw_uid || gid[i] != user->pw_gid)
			return true;
	}
	return setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0;
}

bool privileges_drop(const char *user, char text[PRIVILEGES_TEXT_MAX])
{
	const struct passwd *found;

	if (!privileges_can_drop(user, text))
		return false;
	if (geteuid() != 0)
		return true;
	found = find_user(user);
	REQUIRE(found != NULL); /* it was there a moment ago */
	/* mutant: saved_user_stays_root */
	if (initgroups(found->pw_name, found->pw_gid) != 0 ||
	    setresgid(found->pw_gid, found->pw_gid, found->pw_gid) != 0 ||
	    setresuid(found->pw_uid, found->pw_uid, found->pw_uid) != 0) {
		(void)snprintf(text, PRIVILEGES_TEXT_MAX, "cannot become %s: %s", user,
		               strerror(errno)); /* NOLINT(concurrency-mt-unsafe): one thread */
		return false;
	}
	if (can_go_back(found))
		return say(text, "the broker has become %s and could be root again", user);
	if (VAKT_SANITIZED) /* the kernel has cleared it, and a leak checker looks in from outside
	                     */
		(void)prctl(PR_SET_DUMPABLE, 1);
	return true;
}
