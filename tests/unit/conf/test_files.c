/* Files: who else may read or write them, what is no file, and the configuration from the disk. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_file.h"
#include "conf/conf_load.h"
#include "support.h"

static char directory[64];

static int enter_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/vakt-conf-XXXXXX");
	return mkdtemp(directory) == NULL || chdir(directory) != 0;
}

static int leave_directory(void **state)
{
	static const char *const names[] = {"file", "it's", "-rf", "link", "pipe", "loop"};

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++)
		unlink(names[i]);
	return chdir("/") != 0 || rmdir(directory) != 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(name, mode), 0);
}

/* Who owns what a test makes. */
static const char *owner(void)
{
	const struct passwd *me = getpwuid(geteuid());
	static char number[16];

	(void)snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	return me == NULL ? number : me->pw_name;
}

static void expect_read(const char *name, bool is_secret, int rc, const char *want)
{
	struct conf_file file = {
	    .path = name, .what = "private key", .max_bytes = 100, .is_secret = is_secret};
	struct errors e = {0};
	struct buf out = {0};
	char *text;

	assert_int_equal(conf_read_file(&file, &out, &e), rc);
	assert_int_equal(out.len, rc == 0 ? 1 : 0);
	text = errors_text(&e);
	assert_text(name, text, want);
	free(text);
	buf_fini(&out);
	errors_fini(&e);
}

/* %s is the owner. */
static void file_with_wrong_mode_is_refused_with_remedy(void **state)
{
	static const struct {
		const char *name;
		bool is_secret;
		mode_t mode;
		const char *says; /* NULL: it is read */
		const char *run;
	} rows[] = {
	    {"file", true, 0600, NULL, NULL},
	    {"file", true, 0640, NULL, NULL},
	    {"file", true, 0601, NULL, NULL},
	    {"file", true, 0644, "read", "chmod o-rwx file"},
	    {"file", true, 0602, "write", "chmod o-rwx file"},
	    {"file", true, 0666, "read", "chmod o-rwx file"},
	    {"it's", true, 0604, "read", "chmod o-rwx 'it'\\''s'"},
	    {"-rf", true, 0604, "read", "chmod o-rwx ./'-rf'"},
	    {"file", false, 0644, NULL, NULL},
	    {"file", false, 0646, "write", "chmod o-w file"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char want[256] = "";

		write_file(rows[i].name, "x", rows[i].mode);
		if (rows[i].says != NULL)
			(void)snprintf(want, sizeof(want),
			               "%s: error: private key: others may %s it (mode %04o, owner "
			               "%s); run: %s\n",
			               rows[i].name, rows[i].says, (unsigned)rows[i].mode, owner(),
			               rows[i].run);
		expect_read(rows[i].name, rows[i].is_secret, rows[i].says == NULL ? 0 : -EACCES,
		            want);
	}
}

static void missing_file_is_reported_with_its_name(void **state)
{
	(void)state;
	expect_read("none", true, -ENOENT,
	            "none: error: private key: cannot be read: there is no such file: check the "
	            "name; relative names in a file start at the directory of that file\n");
}

/* The errors of conf_load; "" where it loaded. */
static char *load(const char *path)
{
	struct errors e = {0};
	struct conf *conf = conf_load(path, &e);
	char *text = errors_text(&e);

	assert_int_equal(conf == NULL, e.error_count > 0);
	conf_free(conf);
	errors_fini(&e);
	return text;
}

static void expect_load(const char *path, const char *want)
{
	char *text = load(path);

	assert_text(path, text, want);
	free(text);
}

static void configuration_file_is_loaded(void **state)
{
	char *refused;

	(void)state;
	write_file("file", "listeners: [{bind: unix:x}]\n", 0644);
	expect_load("file", "");
	assert_int_equal(symlink("file", "link"), 0); /* common, and followed */
	expect_load("link", "");
	assert_int_equal(chmod("file", 0666), 0);
	refused = load("link");
	assert_non_null(strstr(refused, "link: error: configuration: others may write the file "));
	assert_non_null(strstr(refused, "/file (mode 0666, owner "));
	assert_non_null(strstr(refused, "; run: chmod o-w "));
	free(refused);
}

static void directory_or_device_is_refused_as_a_file(void **state)
{
	char *said;

	(void)state;
	said = load("none");
	assert_non_null(strstr(said,
	                       "none: error: configuration: there is no such file in the working "
	                       "directory, /"));
	free(said);
	expect_load("/nonexistent/none",
	            "/nonexistent/none: error: configuration: there is no such file: name it with "
	            "its directory, for example /etc/vakt/broker.yaml\n");
	expect_load(
	    ".",
	    ".: error: configuration: cannot be read: this is a directory, a file is wanted\n");
	assert_int_equal(mkfifo("pipe", 0600), 0);
	expect_load("pipe", "pipe: error: configuration: this is not a regular file\n");
	expect_load("/dev/zero", "/dev/zero: error: configuration: this is not a regular file\n");
	assert_int_equal(symlink("loop", "loop"), 0);
	expect_load(
	    "loop",
	    "loop: error: configuration: cannot be read: its symbolic links lead in a circle\n");
	write_file("file", "", 0600);
	expect_load("file",
	            "file: error: the file is empty: it needs listeners: and tls: at least\n");
}

static void file_over_the_maximum_is_refused(void **state)
{
	struct conf_file file = {.path = "file", .what = "x", .max_bytes = 5000000};
	struct errors e = {0};
	struct buf out = {0};

	(void)state;
	write_file("file", "", 0600);
	assert_int_equal(truncate("file", 5000000), 0);
	expect_load("file", "file: error: configuration: larger than the limit of 4194304 bytes\n");
	assert_int_equal(conf_read_file(&file, &out, &e), 0);
	assert_int_equal(out.len, 5000000);
	file.max_bytes = 4999999;
	assert_int_equal(conf_read_file(&file, &out, &e), -EFBIG);
	assert_int_equal(e.error_count, 1);
	buf_fini(&out);
	errors_fini(&e);
}

static void relative_paths_begin_at_the_directory_of_the_file(void **state)
{
	static const struct {
		const char *file, *path, *want;
	} rows[] = {
	    {"broker.yaml", "x", "x"},
	    {"etc/broker.yaml", "x", "etc/x"},
	    {"/etc/broker.yaml", "../x", "/etc/../x"},
	    {"/broker.yaml", "x", "/x"},
	    {"etc/broker.yaml", "/x", "/x"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *path = conf_resolve_path(rows[i].file, rows[i].path);

		assert_string_equal(path, rows[i].want);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(file_with_wrong_mode_is_refused_with_remedy,
	                                    enter_directory, leave_directory),
	    cmocka_unit_test_setup_teardown(missing_file_is_reported_with_its_name, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test_setup_teardown(configuration_file_is_loaded, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test_setup_teardown(directory_or_device_is_refused_as_a_file,
	                                    enter_directory, leave_directory),
	    cmocka_unit_test_setup_teardown(file_over_the_maximum_is_refused, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test(relative_paths_begin_at_the_directory_of_the_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
