/* Files: who else may read or write them, what is no file, and the configuration from the disk. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/files.h"
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

typedef int check_fn(const char *path, const char *what, struct errors *errors);

static void modes(void **state)
{
	static const struct {
		check_fn *check;
		const char *name;
		mode_t mode;
		int rc;
		const char *want;
	} rows[] = {
	    {conf_check_private, "file", 0600, 0, ""},
	    {conf_check_private, "file", 0640, 0, ""},
	    {conf_check_private, "file", 0660, 0, ""},
	    {conf_check_private, "file", 0601, 0, ""},
	    {conf_check_private, "file", 0644, -EACCES,
	     "file: error: private key: others may read it (mode 0644); run: chmod o-rwx file\n"},
	    {conf_check_private, "file", 0602, -EACCES,
	     "file: error: private key: others may write it (mode 0602); run: chmod o-rwx file\n"},
	    {conf_check_private, "file", 0666, -EACCES,
	     "file: error: private key: others may read it (mode 0666); run: chmod o-rwx file\n"},
	    {conf_check_private, "it's", 0604, -EACCES,
	     "it's: error: private key: others may read it (mode 0604); run: chmod o-rwx "
	     "'it'\\''s'\n"},
	    {conf_check_private, "-rf", 0604, -EACCES,
	     "-rf: error: private key: others may read it (mode 0604); run: chmod o-rwx "
	     "./'-rf'\n"},
	    {conf_check_unwritable, "file", 0644, 0, ""},
	    {conf_check_unwritable, "file", 0664, 0, ""},
	    {conf_check_unwritable, "file", 0646, -EACCES,
	     "file: error: private key: others may write it (mode 0646); run: chmod o-w file\n"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct errors e = {0};
		char *text;

		write_file(rows[i].name, "x", rows[i].mode);
		assert_int_equal(rows[i].check(rows[i].name, "private key", &e), rows[i].rc);
		text = errors_text(&e);
		assert_text(rows[i].name, text, rows[i].want);
		free(text);
		errors_fini(&e);
	}
}

static void missing_files_are_told(void **state)
{
	static check_fn *const checks[] = {conf_check_private, conf_check_unwritable};

	(void)state;
	for (size_t i = 0; i < ROWS(checks); i++) {
		struct errors e = {0};
		char *text;

		assert_int_equal(checks[i]("none", "password file", &e), -ENOENT);
		text = errors_text(&e);
		assert_true(slice_starts_with(
		    slice_of_str(text),
		    SLICE("none: error: password file: cannot be read: there is no such file")));
		free(text);
		errors_fini(&e);
	}
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

static void the_configuration_is_loaded(void **state)
{
	(void)state;
	write_file("file", "listeners: [{bind: unix:x}]\n", 0644);
	expect_load("file", "");
	assert_int_equal(symlink("file", "link"), 0); /* common, and followed */
	expect_load("link", "");
	assert_int_equal(chmod("file", 0666), 0);
	expect_load("link",
	            "link: error: configuration: others may write it (mode 0666); run: chmod o-w "
	            "link\n");
}

static void mode_and_content_are_judged_together(void **state)
{
	(void)state;
	write_file("file", "listeners: []\n", 0646);
	expect_load("file",
	            "file: error: configuration: others may write it (mode 0646); run: chmod o-w "
	            "file\n"
	            "file:1:12: error: listeners must be a list of 1 to 64 mappings (each begins "
	            "with '- '), not an empty list; for example: listeners: [{bind: "
	            "\"[::]:8883\"}]\n");
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	expect_load("none", "none: error: cannot be read: there is no such file: check the name, "
	                    "relative names start at the directory of the file that names them\n");
	expect_load(".", ".: error: cannot be read: this is a directory, a file is wanted\n");
	assert_int_equal(mkfifo("pipe", 0600), 0);
	expect_load("pipe", "pipe: error: this is not a regular file\n");
	expect_load("/dev/zero", "/dev/zero: error: this is not a regular file\n");
	assert_int_equal(symlink("loop", "loop"), 0);
	expect_load("loop", "loop: error: cannot be read: its symbolic links lead in a circle\n");
	write_file("file", "", 0600);
	expect_load("file",
	            "file: error: the file is empty: it needs listeners: and tls: at least\n");
}

static void large_files_are_refused(void **state)
{
	struct errors e = {0};
	struct buf out = {0};

	(void)state;
	write_file("file", "", 0600);
	assert_int_equal(truncate("file", 5000000), 0);
	expect_load("file", "file: error: larger than the limit of 4194304 bytes\n");
	assert_int_equal(conf_read_file("file", 5000000, &out, &e), 0);
	assert_int_equal(out.len, 5000000);
	assert_int_equal(conf_read_file("file", 4999999, &out, &e), -EFBIG);
	assert_int_equal(e.error_count, 1);
	buf_fini(&out);
	errors_fini(&e);
}

static void paths_start_at_the_file(void **state)
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
	    cmocka_unit_test_setup_teardown(modes, enter_directory, leave_directory),
	    cmocka_unit_test_setup_teardown(missing_files_are_told, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test_setup_teardown(the_configuration_is_loaded, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test_setup_teardown(mode_and_content_are_judged_together, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test_setup_teardown(large_files_are_refused, enter_directory,
	                                    leave_directory),
	    cmocka_unit_test(paths_start_at_the_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
