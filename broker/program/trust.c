/* The way to a file, walked name by name: each directory is opened beneath the one before and
 * checked by what the descriptor says; symbolic links are read and followed here.  So nothing that
 * is put in the place of another thing meanwhile is taken for what was checked. */
#include "program/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "program/trust_text.h"
#include "program/trust_writers.h"

#define LINKS_MAX 40 /* as the kernel */
#define NOBODY    ((uid_t)-1)

/* --- who is trusted --- */

static uid_t *owners;
static size_t owner_count;
static gid_t *groups;
static size_t group_count;
static bool as_tool;

static bool parse_id(const char *text, unsigned *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	*out = (unsigned)n;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && n < UINT32_MAX;
}

/* NOLINTBEGIN(concurrency-mt-unsafe): nobody but main asks the system for users and groups */

bool trust_owner(const char *text)
{
	const struct passwd *user = NULL;
	unsigned uid;

	if (!parse_id(text, &uid)) {
		user = getpwnam(text);
		if (user == NULL)
			return false;
		uid = user->pw_uid;
	}
	array_extend(owners, owner_count);
	owners[owner_count++] = uid;
	return true;
}

bool trust_group(const char *text)
{
	const struct group *group = NULL;
	unsigned gid;

	if (!parse_id(text, &gid)) {
		group = getgrnam(text);
		if (group == NULL)
			return false;
		gid = group->gr_gid;
	}
	array_extend(groups, group_count);
	groups[group_count++] = gid;
	return true;
}

/* NOLINTEND(concurrency-mt-unsafe) */

void trust_as_tool(void)
{
	as_tool = true;
}

bool trust_is_owner(uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < owner_count; i++) {
		if (owners[i] == uid)
			return true;
	}
	return false;
}

static bool is_group(gid_t gid)
{
	if (gid == 0)
		return true;
	for (size_t i = 0; i < group_count; i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

/* --- checking one file, directory or link --- */

struct walk {
	const struct trust_request *request;
	struct buf *why;
	int dir; /* -1: nowhere yet */
	struct stat dir_st;
	struct buf at; /* its path; empty: the root */
	char *rest;    /* to be walked */
	char *denied;  /* the last name, which may not be opened; NULL: something else was wrong */
	unsigned links;
	uid_t shared; /* for trust_as_tool(): who owns file and directory, we suppose */
	struct trust_finding supposed; /* the first that was believed for it */
};

/* What is checked. */
struct subject {
	int fd;
	const char *name; /* beneath w->dir; NULL: it is w->dir */
	bool is_itself;
	struct stat st;
};

static char *path_of(const struct walk *w, const struct subject *s)
{
	if (s->is_itself && w->links == 0)
		return xstrdup(w->request->path);
	return xasprintf("%.*s%s%s", (int)w->at.len, w->at.len == 0 ? "" : (const char *)w->at.data,
	                 s->name != NULL || w->at.len == 0 ? "/" : "",
	                 s->name == NULL ? "" : s->name);
}

static struct trust_finding make_finding(const struct walk *w, const struct subject *s,
                                         enum trust_fault fault)
{
	return (struct trust_finding){.fault = fault,
	                              .path = path_of(w, s),
	                              .is_itself = s->is_itself && w->links == 0,
	                              .is_secret = s->is_itself && w->request->is_secret,
	                              .st = s->st};
}

static int refuse_subject(const struct walk *w, const struct subject *s, enum trust_fault fault)
{
	struct trust_finding f = make_finding(w, s, fault);

	trust_text_describe(&f, w->why);
	free(f.path);
	return -EACCES;
}

static bool accepts_owner(struct walk *w, const struct subject *s, uid_t uid,
                          enum trust_fault fault)
{
	if (trust_is_owner(uid) || uid == w->shared)
		return true;
	if (!as_tool || geteuid() != 0 || w->shared != NOBODY)
		return false;
	w->shared = uid;
	w->supposed = make_finding(w, s, fault);
	return true;
}

static bool accepts_group(struct walk *w, const struct subject *s, gid_t gid)
{
	const struct trust_members *members;

	if (is_group(gid))
		return true;
	members = trust_writers_of_group(gid);
	for (size_t i = 0; i < members->count; i++) {
		/* mutant: trust_group_members */
		if (!accepts_owner(w, s, members->uids[i], TRUST_FAULT_GROUP))
			return false;
	}
	/* mutant: trust_group_write */
	return members->is_known;
}

static int check_list(struct walk *w, const struct subject *s)
{
	struct trust_writer writer;

	for (size_t index = 0; trust_writers_next_listed(s->fd, &index, &writer);) {
		if (writer.is_group ? !accepts_group(w, s, writer.id)
		                    : !accepts_owner(w, s, writer.id, TRUST_FAULT_OWNER)) {
			struct trust_finding f = make_finding(w, s, TRUST_FAULT_LIST);

			f.writer = writer;
			trust_text_describe(&f, w->why);
			free(f.path);
			return -EACCES;
		}
	}
	return 0;
}

static int check_subject(struct walk *w, const struct subject *s, bool sticky_is_fine)
{
	bool is_shared = sticky_is_fine && S_ISDIR(s->st.st_mode) && (s->st.st_mode & S_ISVTX) != 0;
	mode_t mode = s->st.st_mode;

	/* mutant: trust_owner */
	if (!accepts_owner(w, s, s->st.st_uid, TRUST_FAULT_OWNER))
		return refuse_subject(w, s, TRUST_FAULT_OWNER);
	if (s->is_itself && w->request->is_secret && (mode & S_IROTH) != 0)
		return refuse_subject(w, s, TRUST_FAULT_OTHERS_READ);
	if (is_shared)
		return 0;
	/* mutant: trust_others_write */
	if ((mode & S_IWOTH) != 0)
		return refuse_subject(w, s, TRUST_FAULT_OTHERS_WRITE);
	if ((mode & S_IWGRP) == 0)
		return 0;
	if (!accepts_group(w, s, s->st.st_gid))
		return refuse_subject(w, s, TRUST_FAULT_GROUP);
	/* mutant: trust_access_control_lists */
	return check_list(w, s);
}

/* The link was made by whoever may write there. */
static int check_link(struct walk *w, const struct subject *s)
{
	bool is_shared =
	    (w->dir_st.st_mode & S_ISVTX) != 0 && (w->dir_st.st_mode & (S_IWOTH | S_IWGRP)) != 0;

	/* mutant: trust_links_in_sticky_directories */
	if (!is_shared || accepts_owner(w, s, s->st.st_uid, TRUST_FAULT_LINK))
		return 0;
	return refuse_subject(w, s, TRUST_FAULT_LINK);
}

/* A tool of root: what was trusted for its owner is right if file and directory belong to the same
 * user. */
static int check_shared(const struct walk *w, const struct stat *file)
{
	/* mutant: trust_shared_owner */
	if (w->shared == NOBODY ||
	    (w->dir_st.st_uid == w->shared && (file == NULL || file->st_uid == w->shared)))
		return 0;
	trust_text_describe(&w->supposed, w->why);
	return -EACCES;
}

/* --- walking --- */

static void name_directory(struct walk *w, const char *name)
{
	if (name[0] == '/') {
		buf_clear(&w->at);
		return;
	}
	if (strcmp(name, "..") == 0) {
		while (w->at.len > 0 && w->at.data[--w->at.len] != '/')
			;
		return;
	}
	if (strcmp(name, ".") != 0)
		buf_put_u8(&w->at, '/');
	buf_put_slice(&w->at, slice_of_str(name));
}

/* Takes over fd. `name`: beneath where we are, or "/", or "." where no path leads. */
static int enter_directory(struct walk *w, int fd, const char *name)
{
	struct subject s = {.fd = fd};

	if (fd < 0)
		return -errno;
	if (w->dir >= 0)
		close(w->dir);
	w->dir = fd;
	name_directory(w, name);
	if (fstat(fd, &s.st) != 0)
		return -errno;
	w->dir_st = s.st;
	/* mutant: trust_directories */
	return check_subject(w, &s, true);
}

static int enter_root(struct walk *w)
{
	return enter_directory(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "/");
}

static int read_link(int fd, char out[PATH_MAX])
{
	ssize_t n = readlinkat(fd, "", out, PATH_MAX - 1);

	if (n <= 0)
		return n == 0 ? -ENOENT : -errno;
	out[n] = '\0';
	return 0;
}

static int follow_link(struct walk *w, const char *name)
{
	struct subject s = {.fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC),
	                    .name = name};
	char target[PATH_MAX], *rest;
	int rc = 0;

	if (s.fd < 0 || fstat(s.fd, &s.st) != 0)
		rc = -errno;
	else if (!S_ISLNK(s.st.st_mode))
		rc = -ENOTDIR;
	else if (++w->links > LINKS_MAX)
		rc = -ELOOP;
	if (rc == 0)
		rc = check_link(w, &s);
	if (rc == 0)
		rc = read_link(s.fd, target);
	if (s.fd >= 0)
		close(s.fd);
	if (rc != 0)
		return rc;
	rest = xasprintf("%s/%s", target, w->rest == NULL ? "" : w->rest);
	free(w->rest);
	w->rest = rest;
	return target[0] == '/' ? enter_root(w) : 0;
}

/* The next name, "." where there is none; the caller frees. */
static char *next_name(struct walk *w, bool *is_last)
{
	char *start, *name, *rest;
	size_t len;

	do {
		start = w->rest + strspn(w->rest, "/");
		len = strcspn(start, "/");
		name = xstrndup(start, len);
		rest = xstrdup(start + len + strspn(start + len, "/"));
		free(w->rest);
		w->rest = rest;
		if (strcmp(name, ".") != 0 || *rest == '\0')
			break;
		free(name);
	} while (true);
	*is_last = *rest == '\0' && strcmp(name, "..") != 0;
	if (len == 0) {
		free(name);
		name = xstrdup(".");
	}
	return name;
}

static int enter_next(struct walk *w, const char *name)
{
	int fd = openat(w->dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOTDIR)
		return follow_link(w, name);
	return enter_directory(w, fd, name);
}

/* All of w->rest but its last name, which the caller frees; NULL with *rc. */
static char *walk_to_last(struct walk *w, int *rc)
{
	for (;;) {
		bool is_last;
		char *name = next_name(w, &is_last);

		if (is_last)
			return name;
		*rc = enter_next(w, name);
		free(name);
		if (*rc != 0)
			return NULL;
	}
}

/* A path that is not absolute begins at the working directory, which is walked to as well. Where no
 * path leads there that we may walk, it is checked alone. */
static int enter_working_directory(struct walk *w)
{
	char *path = getcwd(NULL, 0), *rest = w->rest, *last;
	int rc = enter_root(w);

	if (rc == 0 && path != NULL && path[0] == '/') {
		w->rest = xasprintf("%s/.", path);
		last = walk_to_last(w, &rc);
		free(last);
		free(w->rest);
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	free(path);
	w->rest = rest;
	if (rc == 0 || w->why->len > 0)
		return rc;
	buf_clear(&w->at);
	return enter_directory(w, open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), ".");
}

static bool is_link(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* The descriptor, -ELOOP: it is a link. */
static int open_last(const struct walk *w, const char *name)
{
	int fd = openat(w->dir, name,
	                w->request->flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = errno, probe;

	if (fd >= 0 && (w->request->flags & O_PATH) != 0 && is_link(fd)) {
		close(fd);
		return -ELOOP;
	}
	if (fd >= 0 || error != ENOTDIR)
		return fd >= 0 ? fd : -error;
	probe = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (probe >= 0 && is_link(probe))
		error = ELOOP;
	if (probe >= 0)
		close(probe);
	return -error;
}

/* `fd`: opened, or -errno. */
static int check_last(struct walk *w, const char *name, int fd)
{
	struct subject s = {
	    .fd = fd, .name = strcmp(name, ".") == 0 ? NULL : name, .is_itself = true};
	int rc = fd < 0 ? 0 : fstat(fd, &s.st) == 0 ? 0 : -errno;

	if (fd >= 0 && rc == 0 && !S_ISREG(s.st.st_mode) && !S_ISDIR(s.st.st_mode))
		return -EINVAL;
	if (fd >= 0 && rc == 0 && S_ISDIR(s.st.st_mode) && w->request->is_secret)
		return -EISDIR; /* who may read it is not what is wrong */
	if (fd >= 0 && rc == 0)
		rc = check_subject(w, &s, !w->request->refuse_sticky);
	if (fd >= 0 && rc == 0 && S_ISDIR(s.st.st_mode))
		w->dir_st.st_uid = s.st.st_uid; /* its files are what counts */
	if (rc == 0 && (fd >= 0 || fd == -ENOENT))
		rc = check_shared(w, fd < 0 ? NULL : &s.st);
	return rc;
}

static int walk_all(struct walk *w)
{
	int rc = w->request->path[0] == '/' ? enter_root(w) : enter_working_directory(w);

	while (rc == 0) {
		char *name = walk_to_last(w, &rc);
		int fd = name == NULL ? rc : open_last(w, name);

		if (name != NULL && fd == -ELOOP && !w->request->refuse_link) {
			rc = follow_link(w, name);
			free(name);
			continue;
		}
		if (name != NULL)
			rc = check_last(w, name, fd);
		if (name != NULL && fd == -EACCES)
			w->denied = xstrdup(name);
		free(name);
		if (rc == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return rc;
}

/* Where we stand, or the last name beneath it. */
static void describe_denial(const struct walk *w)
{
	bool enters = w->dir >= 0 && faccessat(w->dir, ".", X_OK, AT_EACCESS) == 0;
	struct subject s = {.fd = w->dir, .st = w->dir_st};
	struct trust_finding f;

	if (w->dir < 0 || (enters && w->denied == NULL))
		return;
	if (enters) {
		s.name = w->denied;
		s.is_itself = true;
		if (fstatat(w->dir, w->denied, &s.st, AT_SYMLINK_NOFOLLOW) != 0)
			return;
	}
	f = make_finding(w, &s, TRUST_FAULT_DENIED);
	f.wanted = enters ? R_OK : X_OK;
	trust_text_describe(&f, w->why);
	free(f.path);
}

int trust_open(const struct trust_request *request, struct buf *why)
{
	struct walk w = {.request = request,
	                 .why = why,
	                 .dir = -1,
	                 .rest = xstrdup(request->path),
	                 .shared = NOBODY};
	int fd;

	REQUIRE((request->flags & O_CREAT) == 0); /* what is made now was not checked */
	buf_clear(why);
	fd = request->path[0] == '\0' ? -ENOENT : walk_all(&w);
	if (request->directory != NULL) {
		*request->directory = -1;
		if (fd >= 0 || (fd == -ENOENT && *w.rest == '\0'))
			*request->directory =
			    openat(w.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd == -EACCES && why->len == 0)
		describe_denial(&w);
	if (w.dir >= 0)
		close(w.dir);
	free(w.denied);
	free(w.supposed.path);
	free(w.rest);
	buf_fini(&w.at);
	return fd;
}

int trust_check(const struct trust_request *request, struct buf *why)
{
	int fd = trust_open(request, why);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

void trust_describe_denial(const char *path, int wanted, struct buf *out)
{
	char *copy = xstrdup(path);
	struct trust_request request = {.path = path, .flags = O_PATH};
	struct trust_finding f = {.fault = TRUST_FAULT_DENIED, .path = copy, .wanted = wanted};
	struct buf why = {0};

	REQUIRE((wanted & ~(R_OK | W_OK | X_OK)) == 0);
	if (faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) != 0 && errno == ENOENT)
		f.path = dirname(copy); /* where it would be made */
	if (trust_check(&request, &why) == -EACCES)
		buf_put_slice(out, buf_slice(&why));
	else if (faccessat(AT_FDCWD, f.path, wanted, AT_EACCESS) != 0 && errno == EACCES &&
	         stat(f.path, &f.st) == 0)
		trust_text_describe(&f, out);
	buf_fini(&why);
	free(copy);
}
