/* Watched files: what counts as a change, when it has settled, and what is not loaded by itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/file_watch.h"

struct fixture {
	char directory[64];
	char path[96];
	struct conf conf;
	struct config_snapshot snapshot;
	struct file_watch watch;
};

static void write_file(const struct fixture *f, const char *text)
{
	int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){0};
	strcpy(f->directory, "/tmp/vakt-watch-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/acl.yaml", f->directory);
	write_file(f, "roles: {}\n");
	f->conf.acl_file = f->path;
	f->snapshot.conf = &f->conf;
	f->snapshot.identities = identity_source_new(NULL, NULL, NULL);
	file_watch_take(&f->watch, &f->snapshot);
}

static void teardown(struct fixture *f)
{
	file_watch_fini(&f->watch);
	identity_source_unref(&f->snapshot.identities);
	unlink(f->path);
	rmdir(f->directory);
}

/* Looks until the change has settled, as main does once a second. */
static bool is_noticed(struct fixture *f)
{
	assert_false(file_watch_changed_and_settled(&f->watch));
	return file_watch_changed_and_settled(&f->watch);
}

static void changed_file_that_has_settled_is_reported(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_false(is_noticed(&f));
	write_file(&f, "roles: {all: [allow all #]}\n");
	assert_true(file_watch_has_changed(&f.watch, f.path));
	assert_false(file_watch_changed_and_settled(&f.watch));
	write_file(&f, "roles: {}\n# it is still being written\n");
	assert_true(is_noticed(&f));
	file_watch_take(&f.watch, &f.snapshot);
	assert_false(is_noticed(&f));
	teardown(&f);
}

static void refused_change_is_not_reported_again(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	write_file(&f, "roles: [\n");
	assert_true(is_noticed(&f));
	file_watch_forget(&f.watch);
	assert_false(is_noticed(&f));
	teardown(&f);
}

static void change_while_the_files_are_loaded_is_reported(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	file_watch_look(&f.watch);
	write_file(&f, "roles: {all: [allow all #]}\n");
	file_watch_take(&f.watch, &f.snapshot);
	assert_true(is_noticed(&f));
	teardown(&f);
}

static void changed_mode_is_reported(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(chmod(f.path, 0640), 0);
	assert_true(is_noticed(&f));
	teardown(&f);
}

static void half_written_file_is_not_reported(void **state)
{
	static const struct {
		const char *text; /* NULL: the file is removed */
		const char *cause;
	} rows[] = {
	    {"roles: {all", "half-written"},
	    {"", "is empty"},
	    {NULL, "has gone"},
	    {"roles: {all: []}\n", NULL},
	    {"\x30\x82 a certificate that is not text", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct errors errors = {0};
		struct fixture f;

		setup(&f);
		if (rows[i].text == NULL)
			unlink(f.path);
		else
			write_file(&f, rows[i].text);
		file_watch_look(&f.watch);
		assert_int_equal(file_watch_is_sound(&f.watch, &errors), rows[i].cause == NULL);
		assert_int_equal(errors.count, rows[i].cause != NULL);
		if (rows[i].cause != NULL)
			assert_non_null(strstr(errors.items[0].text, rows[i].cause));
		errors_fini(&errors);
		teardown(&f);
	}
}

/* Nothing is said of its content, and the same may work later. */
static void file_that_cannot_be_opened_now_may_be_read_later(void **state)
{
	struct rlimit limit, none;
	struct errors errors = {0};
	struct fixture f;
	bool sound;

	(void)state;
	setup(&f);
	write_file(&f, "roles: {all: []}\n");
	file_watch_look(&f.watch);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	sound = file_watch_is_sound(&f.watch, &errors);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_false(sound);
	assert_true(errors.may_pass);
	assert_non_null(strstr(errors.items[0].text, "cannot be opened now"));
	errors_fini(&errors);
	assert_true(file_watch_is_sound(&f.watch, &errors));
	assert_false(errors.may_pass);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changed_file_that_has_settled_is_reported),
	    cmocka_unit_test(refused_change_is_not_reported_again),
	    cmocka_unit_test(change_while_the_files_are_loaded_is_reported),
	    cmocka_unit_test(changed_mode_is_reported),
	    cmocka_unit_test(half_written_file_is_not_reported),
	    cmocka_unit_test(file_that_cannot_be_opened_now_may_be_read_later),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
