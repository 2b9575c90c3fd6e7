/* What is said of a file that is not believed: what is wrong with which file or directory, its mode
 * and owner, and the command or the option that cures it. */
#include "program/trust_text.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"

/* NOLINTBEGIN(concurrency-mt-unsafe): nobody but main asks the system for users and groups */

static void put_user(struct buf *out, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL)
		buf_printf(out, "%s", user->pw_name);
	else
		buf_printf(out, "%u", (unsigned)uid);
}

static void put_group(struct buf *out, gid_t gid)
{
	const struct group *group = getgrgid(gid);

	if (group != NULL)
		buf_printf(out, "%s", group->gr_name);
	else
		buf_printf(out, "%u", (unsigned)gid);
}

/* NOLINTEND(concurrency-mt-unsafe) */

static void put_word(struct buf *out, const char *path)
{
	if (path[0] != '-' &&
	    path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                      "abcdefghijklmnopqrstuvwxyz0123456789_./-+@:,")] == '\0') {
		buf_printf(out, "%s", path);
		return;
	}
	buf_printf(out, "%s'", path[0] == '-' ? "./" : "");
	for (const char *p = path; *p != '\0'; p++) {
		if (*p == '\'')
			buf_put_slice(out, SLICE("'\\''"));
		else
			buf_put(out, p, 1);
	}
	buf_put_slice(out, SLICE("'"));
}

static void put_subject(const struct trust_finding *f, struct buf *out)
{
	if (f->is_itself)
		buf_printf(out, "it");
	else
		buf_printf(out, "the %s %s",
		           S_ISDIR(f->st.st_mode)   ? "directory"
		           : S_ISLNK(f->st.st_mode) ? "symbolic link"
		                                    : "file",
		           f->path);
}

static void put_mode(const struct trust_finding *f, struct buf *out)
{
	buf_printf(out, " (mode %04o, owner ", (unsigned)(f->st.st_mode & 07777));
	put_user(out, f->st.st_uid);
	buf_printf(out, ")");
}

static void put_trusted(struct buf *out)
{
	if (geteuid() == 0) {
		buf_printf(out, "root alone is");
		return;
	}
	buf_printf(out, "only root and ");
	put_user(out, geteuid());
	buf_printf(out, " are");
}

/* Others work in these, too, or live by their modes: no remedy changes them. */
static bool is_of_the_system(const struct trust_finding *f)
{
	static const char *const paths[] = {
	    "/",     "/tmp",     "/var/tmp", "/dev/shm", "/dev",       "/run",          "/var",
	    "/etc",  "/home",    "/usr",     "/opt",     "/srv",       "/mnt",          "/media",
	    "/root", "/var/lib", "/var/run", "/var/log", "/usr/local", "/usr/local/etc"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strcmp(f->path, paths[i]) == 0)
			return true;
	}
	return S_ISDIR(f->st.st_mode) && (f->st.st_mode & S_ISVTX) != 0;
}

/* A directory on the way that belongs to somebody is that one's; it is not taken away. */
static bool is_of_somebody(const struct trust_finding *f)
{
	return !f->is_itself && S_ISDIR(f->st.st_mode);
}

static void put_elsewhere(struct buf *out)
{
	buf_printf(out, "; put it into a directory of the broker's own, for example /etc/vakt or "
	                "/var/lib/vakt");
}

static void describe_owner(const struct trust_finding *f, struct buf *out)
{
	put_subject(f, out);
	buf_printf(out, " belongs to ");
	put_user(out, f->st.st_uid);
	buf_printf(out, " (mode %04o), and ", (unsigned)(f->st.st_mode & 07777));
	put_trusted(out);
	buf_printf(out, " trusted%s",
	           f->fault == TRUST_FAULT_LINK ? " where others may make links" : "");
	if (is_of_somebody(f) || is_of_the_system(f)) {
		put_elsewhere(out);
	} else {
		buf_printf(out, "; run: chown%s ", f->fault == TRUST_FAULT_LINK ? " -h" : "");
		put_user(out, geteuid());
		buf_printf(out, " ");
		put_word(out, f->path);
	}
	buf_printf(out, ", or give --trust-owner ");
	put_user(out, f->st.st_uid);
}

static void describe_others(const struct trust_finding *f, struct buf *out)
{
	bool is_read = f->fault == TRUST_FAULT_OTHERS_READ;

	buf_printf(out, "others may %s ", is_read ? "read" : "write");
	put_subject(f, out);
	put_mode(f, out);
	/* mutant: harmful_remedy */
	if (is_of_the_system(f)) {
		buf_printf(out, "; %s is for everybody: name a directory of the broker's own",
		           f->path);
		return;
	}
	buf_printf(out, "; run: chmod %s ", f->is_secret ? "o-rwx" : "o-w");
	put_word(out, f->path);
}

static void describe_group(const struct trust_finding *f, struct buf *out)
{
	buf_printf(out, "the group ");
	put_group(out, f->st.st_gid);
	buf_printf(out, " may write ");
	put_subject(f, out);
	put_mode(f, out);
	if (is_of_the_system(f)) {
		put_elsewhere(out);
	} else {
		buf_printf(out, "; run: chmod g-w ");
		put_word(out, f->path);
	}
	buf_printf(out, ", or give --trust-group ");
	put_group(out, f->st.st_gid);
}

static void describe_list(const struct trust_finding *f, struct buf *out)
{
	void (*put)(struct buf *, unsigned) = f->writer.is_group ? put_group : put_user;

	buf_printf(out, "its access control list lets the %s ",
	           f->writer.is_group ? "group" : "user");
	put(out, f->writer.id);
	buf_printf(out, " write ");
	put_subject(f, out);
	put_mode(f, out);
	if (is_of_the_system(f)) {
		put_elsewhere(out);
	} else {
		buf_printf(out, "; run: setfacl -x %s:", f->writer.is_group ? "g" : "u");
		put(out, f->writer.id);
		buf_printf(out, " ");
		put_word(out, f->path);
	}
	buf_printf(out, ", or give --trust-%s ", f->writer.is_group ? "group" : "owner");
	put(out, f->writer.id);
}

static bool is_in_group(gid_t gid)
{
	gid_t list[64];
	int count = getgroups(ARRAY_LEN(list), list);

	if (getegid() == gid)
		return true;
	for (int i = 0; i < count; i++) {
		if (list[i] == gid)
			return true;
	}
	return false;
}

/* By owner, group and mode alone: then something else denies it. */
static bool mode_permits(const struct trust_finding *f)
{
	mode_t wanted = (mode_t)f->wanted;

	if (geteuid() == 0)
		return true;
	if (f->st.st_uid == geteuid())
		return (f->st.st_mode >> 6 & wanted) == wanted;
	if (is_in_group(f->st.st_gid))
		return (f->st.st_mode >> 3 & wanted) == wanted;
	return (f->st.st_mode & wanted) == wanted;
}

static void describe_denied(const struct trust_finding *f, struct buf *out)
{
	bool writes = (f->wanted & W_OK) != 0;

	buf_printf(out, "this program runs as the user ");
	put_user(out, geteuid());
	buf_printf(out, ", who may not %s ",
	           writes                    ? "write"
	           : (f->wanted & R_OK) != 0 ? "read"
	                                     : "enter");
	put_subject(f, out);
	put_mode(f, out);
	if (mode_permits(f)) {
		buf_printf(out,
		           ", although the mode permits it: look for an access control list, a "
		           "read-only mount, AppArmor or SELinux, and settings like ProtectHome= "
		           "or ReadOnlyPaths= of its systemd service");
		return;
	}
	buf_printf(out, "; %srun: setfacl -m u:", writes ? "name a place of its own, or " : "");
	put_user(out, geteuid());
	buf_printf(out, ":%s ",
	           writes && S_ISDIR(f->st.st_mode)                    ? "rwx"
	           : writes                                            ? "rw"
	           : (f->wanted & R_OK) != 0 && S_ISDIR(f->st.st_mode) ? "rx"
	           : (f->wanted & R_OK) != 0                           ? "r"
	                                                               : "x");
	put_word(out, f->path);
}

void trust_text_describe(const struct trust_finding *f, struct buf *out)
{
	switch (f->fault) {
	case TRUST_FAULT_OWNER:
	case TRUST_FAULT_LINK:
		describe_owner(f, out);
		return;
	case TRUST_FAULT_OTHERS_WRITE:
	case TRUST_FAULT_OTHERS_READ:
		describe_others(f, out);
		return;
	case TRUST_FAULT_GROUP:
		describe_group(f, out);
		return;
	case TRUST_FAULT_LIST:
		describe_list(f, out);
		return;
	case TRUST_FAULT_DENIED:
		describe_denied(f, out);
		return;
	}
}
