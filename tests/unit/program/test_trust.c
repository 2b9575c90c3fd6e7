/* Whom a file is believed from: each fault of a file, a directory on its way and a symbolic link,
 * in a directory of our own.  What only root can make is skipped by others, by name. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "program/trust.h"
#include "program/trust_writers.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define STRANGER    54321 /* nobody here has this number */
#define OTHER       54322
#define KEEP        ((uid_t)-1)

static char scratch[64];

/* DIRECTORY/middle/inner/file, all ours and fine. */
static int setup(void **state)
{
	int fd;

	(void)state;
	umask(022);
	strcpy(scratch, "/tmp/vakt-trust-XXXXXX");
	if (mkdtemp(scratch) == NULL || chdir(scratch) != 0 || mkdir("middle", 0755) != 0 ||
	    mkdir("middle/inner", 0755) != 0)
		return -1;
	fd = open("middle/inner/file", O_WRONLY | O_CREAT, 0600);
	return fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return chdir("/") != 0 || system(command) != 0; /* NOLINT(cert-env33-c) */
}

/* Not by cmocka, whose "not ok # SKIP" is a failure to others. */
static bool is_skipped(const char *name)
{
	if (geteuid() != 0)
		print_message("skipped, only root can make it: %s\n", name);
	return geteuid() != 0;
}

/* What is done to one thing on the way. */
struct change {
	const char *path;
	int mode; /* -1: as it is */
	uid_t uid;
	gid_t gid;
};

static void apply(const struct change *c)
{
	if (c->path == NULL)
		return;
	if (c->uid != KEEP || c->gid != KEEP)
		assert_int_equal(lchown(c->path, c->uid, c->gid), 0);
	if (c->mode >= 0)
		assert_int_equal(chmod(c->path, (mode_t)c->mode), 0);
}

static int check(const char *path, bool is_secret, bool refuse_sticky, char says[512])
{
	struct trust_request request = {.path = path,
	                                .flags = refuse_sticky ? O_PATH | O_DIRECTORY : O_RDONLY,
	                                .is_secret = is_secret,
	                                .refuse_sticky = refuse_sticky};
	struct buf why = {0};
	int rc;

	trust_writers_forget();
	rc = trust_check(&request, &why);
	assert_int_equal(why.len > 0, rc == -EACCES);
	(void)snprintf(says, 512, "%.*s", (int)why.len, why.len == 0 ? "" : (const char *)why.data);
	buf_fini(&why);
	return rc;
}

enum {
	ROOT = 1 << 0, /* only root can make it */
	SECRET = 1 << 1,
	STICKY = 1 << 2, /* refuse_sticky */
};

#define FILE_IN  "middle/inner/file"
#define ANY_MODE -1

static const struct fault {
	const char *name;
	unsigned flags;
	const char *path;
	struct change changes[2];
	const char *link, *target;
	int rc;
	const char *says[3];
} fault_rows[] = {
    {"fine", 0, FILE_IN, {{0}}, NULL, NULL, 0, {0}},
    {"0666",
     0,
     FILE_IN,
     {{FILE_IN, 0666, KEEP, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"others may write it (mode 0666, owner ", "run: chmod o-w middle/inner/file"}},
    {"secret that others read",
     SECRET,
     FILE_IN,
     {{FILE_IN, 0644, KEEP, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"others may read it (mode 0644, owner ", "run: chmod o-rwx middle/inner/file"}},
    {"a secret for a group", SECRET, FILE_IN, {{FILE_IN, 0640, KEEP, KEEP}}, NULL, NULL, 0, {0}},
    {"a group that nobody is in alone",
     ROOT,
     FILE_IN,
     {{FILE_IN, 0664, KEEP, STRANGER}},
     NULL,
     NULL,
     -EACCES,
     {"the group 54321 may write it (mode 0664, owner root)",
      "run: chmod g-w middle/inner/file, or give --trust-group 54321"}},
    {"root's group", ROOT, FILE_IN, {{FILE_IN, 0664, KEEP, 0}}, NULL, NULL, 0, {0}},
    {"a stranger's file",
     ROOT,
     FILE_IN,
     {{FILE_IN, 0600, STRANGER, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"it belongs to 54321 (mode 0600)",
      "run: chown root middle/inner/file, or give --trust-owner 54321"}},
    {"a directory that others write",
     0,
     FILE_IN,
     {{"middle", 0777, KEEP, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"others may write the directory /tmp/vakt-trust-", "/middle (mode 0777",
      "run: chmod o-w /tmp/vakt-trust-"}},
    {"the last directory",
     0,
     FILE_IN,
     {{"middle/inner", 0757, KEEP, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"others may write the directory", "/middle/inner (mode 0757"}},
    {"a directory that a group writes",
     ROOT,
     FILE_IN,
     {{"middle", 0775, KEEP, STRANGER}},
     NULL,
     NULL,
     -EACCES,
     {"the group 54321 may write the directory", "/middle (mode 0775", "--trust-group 54321"}},
    {"a sticky directory", 0, FILE_IN, {{"middle/inner", 01777, KEEP, KEEP}}, NULL, NULL, 0, {0}},
    {"a stranger's file in a sticky directory",
     ROOT,
     FILE_IN,
     {{"middle/inner", 01777, KEEP, KEEP}, {FILE_IN, 0600, STRANGER, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"it belongs to 54321"}},
    {"a stranger's sticky directory",
     ROOT,
     FILE_IN,
     {{"middle/inner", 01777, STRANGER, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"/middle/inner belongs to 54321 (mode 1777)"}},
    {"a stranger's directory",
     ROOT,
     FILE_IN,
     {{"middle", 0755, STRANGER, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"/middle belongs to 54321 (mode 0755)", "put it into a directory of the broker's own",
      "or give --trust-owner 54321"}},
    {"a link", 0, "link", {{0}}, "link", FILE_IN, 0, {0}},
    {"a link to a file that others write",
     0,
     "link",
     {{FILE_IN, 0646, KEEP, KEEP}},
     "link",
     FILE_IN,
     -EACCES,
     {"others may write the file /tmp/vakt-trust-", "/middle/inner/file (mode 0646"}},
    {"a link in a directory that others write",
     0,
     "middle/link",
     {{"middle", 0777, KEEP, KEEP}},
     "middle/link",
     "../other",
     -EACCES,
     {"others may write the directory", "/middle (mode 0777"}},
    {"our link in a sticky directory",
     0,
     "middle/link",
     {{"middle", 01777, KEEP, KEEP}},
     "middle/link",
     "inner/file",
     0,
     {0}},
    {"a stranger's link in a sticky directory",
     ROOT,
     "middle/link",
     {{"middle", 01777, KEEP, KEEP}, {"middle/link", ANY_MODE, STRANGER, STRANGER}},
     "middle/link",
     "inner/file",
     -EACCES,
     {"the symbolic link /tmp/vakt-trust-", "/middle/link belongs to 54321",
      "run: chown -h root /tmp/"}},
    {"a stranger's link to a directory, in a sticky one",
     ROOT,
     "middle/link/file",
     {{"middle", 01777, KEEP, KEEP}, {"middle/link", ANY_MODE, STRANGER, STRANGER}},
     "middle/link",
     "inner",
     -EACCES,
     {"/middle/link belongs to 54321"}},
    {"a stranger's link where nobody else can make one",
     ROOT,
     "middle/link",
     {{"middle/link", ANY_MODE, STRANGER, STRANGER}},
     "middle/link",
     "inner/file",
     0,
     {0}},
    {"a link through a stranger's directory",
     ROOT,
     "link",
     {{"middle", 0755, STRANGER, KEEP}},
     "link",
     "middle/inner/file",
     -EACCES,
     {"/middle belongs to 54321"}},
    {"a loop", 0, "link", {{0}}, "link", "link", -ELOOP, {0}},
    {"dot dot", 0, "middle/inner/../inner/./file", {{0}}, NULL, NULL, 0, {0}},
    {"a missing file", 0, "middle/none", {{0}}, NULL, NULL, -ENOENT, {0}},
    {"a missing file where others write",
     0,
     "middle/none",
     {{"middle", 0777, KEEP, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"others may write the directory"}},
    {"a missing directory", 0, "none/file", {{0}}, NULL, NULL, -ENOENT, {0}},
    {"a file in the way", 0, FILE_IN "/x", {{0}}, NULL, NULL, -ENOTDIR, {0}},
    {"a directory for sockets", STICKY, "middle/inner", {{0}}, NULL, NULL, 0, {0}},
    {"a sticky one for sockets",
     STICKY,
     "middle/inner",
     {{"middle/inner", 01777, KEEP, KEEP}},
     NULL,
     NULL,
     -EACCES,
     {"others may write it (mode 1777", "is for everybody"}},
    {"the temporary directory for sockets",
     STICKY,
     "/tmp",
     {{0}},
     NULL,
     NULL,
     -EACCES,
     {"(mode 1777, owner root); /tmp is for everybody"}},
};

static void check_fault(const struct fault *row)
{
	char says[512];
	int rc;

	if ((row->flags & ROOT) != 0 && is_skipped(row->name))
		return;
	assert_int_equal(teardown(NULL), 0);
	assert_int_equal(setup(NULL), 0);
	if (row->link != NULL)
		assert_int_equal(symlink(row->target, row->link), 0);
	for (size_t c = 0; c < ROWS(row->changes); c++)
		apply(&row->changes[c]);
	rc = check(row->path, (row->flags & SECRET) != 0, (row->flags & STICKY) != 0, says);
	if (rc != row->rc)
		fail_msg("%s: %d, not %d: %s", row->name, rc, row->rc, says);
	for (size_t s = 0; s < ROWS(row->says); s++) {
		if (row->says[s] != NULL && strstr(says, row->says[s]) == NULL)
			fail_msg("%s: says not \"%s\" but \"%s\"", row->name, row->says[s], says);
	}
}

static void faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(fault_rows); i++)
		check_fault(&fault_rows[i]);
}

/* The same by its absolute name, and where the working directory is what is wrong. */
static void the_working_directory_is_walked_to(void **state)
{
	char says[512], absolute[128];

	(void)state;
	(void)snprintf(absolute, sizeof(absolute), "%s/" FILE_IN, scratch);
	assert_int_equal(check(absolute, false, false, says), 0);
	assert_int_equal(chmod(scratch, 0777), 0);
	assert_int_equal(chdir("middle/inner"), 0);
	assert_int_equal(check("file", false, false, says), -EACCES);
	assert_non_null(strstr(says, "others may write the directory /tmp/vakt-trust-"));
	assert_int_equal(chmod(scratch, 0700), 0);
	assert_int_equal(check("file", false, false, says), 0);
}

/* Of the first user whose own group nobody else is in, and who is not root. */
static const struct passwd *find_private(void)
{
	const struct passwd *user, *found = NULL;
	uid_t uid;
	gid_t gid;

	for (uid = 1; uid < 70000; uid++) {
		unsigned sharing = 0;

		user = getpwuid(uid);
		if (user == NULL || user->pw_gid == 0)
			continue;
		gid = user->pw_gid;
		setpwent();
		while ((user = getpwent()) != NULL)
			sharing += user->pw_gid == gid;
		endpwent();
		if (sharing == 1 && getgrgid(gid) != NULL && getgrgid(gid)->gr_mem[0] == NULL) {
			found = getpwuid(uid);
			break;
		}
	}
	return found;
}

/* In a process of its own: what is added to the trusted stays. */
static int in_child(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ % 200 + 1);                                                 \
	} while (0)

static void trust_the_stranger(void)
{
	char says[512];

	EXPECT(chown(FILE_IN, STRANGER, STRANGER) == 0 && chmod(FILE_IN, 0660) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(trust_owner("54321"));
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(strstr(says, "--trust-group 54321") != NULL);
	EXPECT(trust_group("54321"));
	EXPECT(check(FILE_IN, false, false, says) == 0);
	EXPECT(chown(FILE_IN, OTHER, STRANGER) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(chown(FILE_IN, STRANGER, STRANGER) == 0 && chmod(FILE_IN, 0662) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES); /* never others */
	EXPECT(!trust_owner("no-such-user") && !trust_group("no-such-group"));
	EXPECT(!trust_owner("-1") && !trust_owner("4294967295") && !trust_owner("1x") &&
	       !trust_owner(""));
	EXPECT(trust_owner("root") && trust_group("root"));
}

static void options_add_owners_and_groups(void **state)
{
	(void)state;
	if (is_skipped(__func__))
		return;
	assert_int_equal(in_child(trust_the_stranger), 0);
}

/* The group of a user alone passes where that user does, and not otherwise. */
static void use_a_private_group(void)
{
	const struct passwd *found = find_private();
	char says[512], number[16];
	uid_t uid = found->pw_uid;

	EXPECT(chown(FILE_IN, 0, found->pw_gid) == 0 && chmod(FILE_IN, 0660) == 0);
	EXPECT(chown("middle", 0, found->pw_gid) == 0 && chmod("middle", 0775) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES); /* not trusted himself */
	(void)snprintf(number, sizeof(number), "%u", (unsigned)uid);
	EXPECT(trust_owner(number));
	EXPECT(check(FILE_IN, false, false, says) == 0);
}

static void private_groups(void **state)
{
	(void)state;
	if (is_skipped(__func__) || find_private() == NULL)
		return;
	assert_int_equal(in_child(use_a_private_group), 0);
}

static void put_list(const char *path, uint16_t tag, unsigned id)
{
	bool is_group = tag == 0x08; /* in the order of the tags */
	const struct {
		uint16_t tag, rights;
		uint32_t id;
	} entries[] = {{0x01, 6, KEEP},
	               {is_group ? 0x04 : tag, is_group ? 4 : 6, is_group ? KEEP : id},
	               {is_group ? tag : 0x04, is_group ? 6 : 4, is_group ? id : KEEP},
	               {0x10, 6, KEEP},
	               {0x20, 0, KEEP}};
	struct {
		uint32_t version;
		uint8_t entries[sizeof(entries)];
	} list = {.version = 2};
	int rc;

	memcpy(list.entries, entries, sizeof(entries));
	rc = setxattr(path, "system.posix_acl_access", &list, sizeof(list), 0);
	EXPECT(rc == 0 || errno == ENOTSUP);
	if (rc != 0)
		_exit(0); /* this file system has none */
}

static void use_lists(void)
{
	char says[512];

	EXPECT(chown(FILE_IN, 0, 0) == 0);
	put_list(FILE_IN, 0x02, STRANGER);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(strstr(says, "setfacl -x u:54321 ") != NULL);
	EXPECT(trust_owner("54321"));
	EXPECT(check(FILE_IN, false, false, says) == 0);
	put_list(FILE_IN, 0x08, OTHER);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(strstr(says, "lets the group 54322 write it") != NULL);
}

static void access_control_lists(void **state)
{
	(void)state;
	if (is_skipped(__func__))
		return;
	assert_int_equal(in_child(use_lists), 0);
}

/* A tool of root: the owner that file and directory share. */
static void use_a_tool(void)
{
	char says[512];

	trust_as_tool();
	EXPECT(chown("middle", STRANGER, STRANGER) == 0);
	EXPECT(chown("middle/inner", STRANGER, STRANGER) == 0);
	EXPECT(chown(FILE_IN, STRANGER, STRANGER) == 0);
	EXPECT(check(FILE_IN, true, false, says) == 0);
	EXPECT(check("middle/inner/none", false, false, says) == -ENOENT); /* will be his */
	EXPECT(check("middle/inner", false, true, says) == 0);
	EXPECT(chown(FILE_IN, 0, 0) == 0); /* root's file in a directory of somebody else */
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(strstr(says, "/middle belongs to 54321") != NULL);
	EXPECT(chown(FILE_IN, OTHER, OTHER) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(chown(FILE_IN, STRANGER, STRANGER) == 0 && chown("middle/inner", 0, 0) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(chown("middle/inner", STRANGER, STRANGER) == 0 && chmod(FILE_IN, 0602) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
	EXPECT(chmod(FILE_IN, 0600) == 0 && chown("middle", OTHER, OTHER) == 0);
	EXPECT(check(FILE_IN, false, false, says) == -EACCES);
}

static void roots_tools_work_for_the_owner(void **state)
{
	(void)state;
	if (is_skipped(__func__))
		return;
	assert_int_equal(in_child(use_a_tool), 0);
}

static void what_is_opened_is_given(void **state)
{
	int directory;
	struct trust_request request = {.path = "link", .flags = O_RDONLY, .directory = &directory};
	struct buf why = {0};
	struct stat a, b;
	char byte;
	int fd;

	(void)state;
	assert_int_equal(symlink(FILE_IN, "link"), 0);
	fd = trust_open(&request, &why);
	assert_true(fd >= 0 && directory >= 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(fstat(directory, &a) | stat("middle/inner", &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	close(fd);
	close(directory);
	request.refuse_link = true;
	assert_int_equal(trust_open(&request, &why), -ELOOP);
	assert_int_equal(directory, -1);
	assert_int_equal(unlink("link"), 0);
	assert_int_equal(mkfifo("link", 0666), 0);
	assert_int_equal(trust_open(&request, &why), -EINVAL);
	request.path = "middle/none";
	assert_int_equal(trust_open(&request, &why), -ENOENT);
	assert_true(directory >= 0);
	close(directory);
	request.path = "none/none";
	assert_int_equal(trust_open(&request, &why), -ENOENT);
	assert_int_equal(directory, -1);
	request.path = "";
	assert_int_equal(trust_open(&request, &why), -ENOENT);
	assert_int_equal(directory, -1);
	buf_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(faults, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_working_directory_is_walked_to, setup, teardown),
	    cmocka_unit_test_setup_teardown(options_add_owners_and_groups, setup, teardown),
	    cmocka_unit_test_setup_teardown(private_groups, setup, teardown),
	    cmocka_unit_test_setup_teardown(access_control_lists, setup, teardown),
	    cmocka_unit_test_setup_teardown(roots_tools_work_for_the_owner, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_opened_is_given, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
