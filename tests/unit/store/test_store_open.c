/* Opening a store: one process at a time, never an empty one in the place of one that was, never an
 * older one, never one of a later format; and its growth. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "places.h"
#include "store/store_backend.h"
#include "store/store_lmdb.h"

static void write_row(struct store *d, const char *value)
{
	int rc;

	do {
		store_begin(d);
		store_put(d, TABLE_SESSION, SLICE("key"), slice_of_str(value));
		rc = store_commit(d);
	} while (rc == -EAGAIN);
	assert_int_equal(rc, 0);
}

static void assert_row(struct store *d, const char *value)
{
	struct slice got;

	store_begin(d);
	assert_true(store_get(d, TABLE_SESSION, SLICE("key"), &got));
	assert_true(slice_equal(got, slice_of_str(value)));
	store_abort(d);
}

/* Opening is refused with that, and with words of it. */
static void assert_refused(const char *directory, int rc, const char *says)
{
	const struct store_options options = {.directory = directory};
	char text[STORE_ERROR_TEXT] = "";
	struct store *d = NULL;

	assert_int_equal(store_open(&options, text, &d), rc);
	assert_null(d);
	if (strstr(text, says) == NULL)
		fail_msg("'%s' is not in '%s'", says, text);
}

static void copy_file(const char *from, const char *to)
{
	char *command = xasprintf("cp '%s' '%s'", from, to);

	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): our own words */
	free(command);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* A store with one row, and the paths of it. */
struct store_fixture {
	struct place place;
	char *data, *note;
};

static void setup(struct store_fixture *s)
{
	*s = (struct store_fixture){.place.directory = place_directory()};
	s->data = place_path(s->place.directory, "data.mdb");
	s->note = place_path(s->place.directory, "note");
	write_row(place_open(&s->place), "first");
}

static void teardown(struct store_fixture *s)
{
	store_close(s->place.store);
	place_remove(&s->place.directory);
	free(s->data);
	free(s->note);
}

static void shut(struct store_fixture *s)
{
	store_close(s->place.store);
	s->place.store = NULL;
}

static void missing_directory_is_made(void **state)
{
	char *above = place_directory(), *data;
	struct place p = {.directory = place_path(above, "new")};

	(void)state;
	write_row(place_open(&p), "x");
	data = place_path(p.directory, "data.mdb");
	assert_int_equal(mode_of(p.directory), 0700);
	assert_int_equal(mode_of(data), 0600);
	assert_row(place_reopen(&p), "x");
	store_close(p.store);
	free(data);
	place_remove(&p.directory);
	place_remove(&above);
}

static void second_process_is_refused(void **state)
{
	char pid[64];
	struct store_fixture s;

	(void)state;
	setup(&s);
	(void)snprintf(pid, sizeof(pid), "in use by process %ld", (long)getpid());
	assert_refused(s.place.directory, -EBUSY, pid);
	assert_row(place_reopen(&s.place), "first");
	teardown(&s);
}

static void directory_writable_by_others_is_refused(void **state)
{
	struct store_fixture s;

	(void)state;
	setup(&s);
	shut(&s);
	assert_int_equal(chmod(s.place.directory, 0707), 0);
	assert_refused(s.place.directory, -EACCES, "chmod o-w");
	assert_int_equal(chmod(s.place.directory, 0700), 0);
	assert_int_equal(chmod(s.note, 0602), 0);
	assert_refused(s.place.directory, -EACCES, "note: others may write it (mode 0602");
	assert_int_equal(chmod(s.note, 0600), 0);
	assert_refused(s.data, -ENOTDIR, "name a directory");
	teardown(&s);
}

static void lost_file_is_never_replaced_by_an_empty_one(void **state)
{
	struct store_fixture s;

	(void)state;
	setup(&s);
	shut(&s);
	assert_int_equal(truncate(s.data, 0), 0);
	assert_refused(s.place.directory, -EBADMSG, "is empty, although there was a store");
	assert_refused(s.place.directory, -EBADMSG, "restore a backup with `broker-store");
	assert_int_equal(unlink(s.data), 0);
	assert_refused(s.place.directory, -EBADMSG, "is missing, although there was a store");
	assert_int_equal(truncate(s.note, 3), 0); /* a note that cannot be read is one */
	assert_refused(s.place.directory, -EBADMSG, "is missing, although there was a store");
	assert_int_equal(unlink(s.note), 0); /* all is gone: a new directory */
	assert_int_equal(truncate(s.note, 0), -1);
	assert_non_null(place_open(&s.place));
	teardown(&s);
}

static void empty_file_alone_becomes_a_new_store(void **state)
{
	struct place p = {.directory = place_directory()};
	char *data = place_path(p.directory, "data.mdb");
	char *left_over = place_path(p.directory, "data.mdb.new");

	(void)state;
	close(open(data, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	copy_file("/dev/null", left_over);
	assert_int_equal(truncate(left_over, 5000), 0); /* of a start that was killed */
	write_row(place_open(&p), "x");
	assert_row(place_reopen(&p), "x");
	assert_int_equal(access(left_over, F_OK), -1);
	store_close(p.store);
	free(data);
	free(left_over);
	place_remove(&p.directory);
}

static void older_state_is_refused(void **state)
{
	char *old;
	struct store_fixture s;

	(void)state;
	setup(&s);
	old = place_path(s.place.directory, "old");
	shut(&s);
	copy_file(s.data, old);
	write_row(place_open(&s.place), "second");
	shut(&s);
	assert_int_equal(rename(old, s.data), 0);
	assert_refused(s.place.directory, -EBADMSG, "is older than what was acknowledged");
	free(old);
	teardown(&s);
}

static void old_last_commit_is_ignored(void **state)
{
	char *old;
	struct store_fixture s;

	(void)state;
	setup(&s);
	old = place_path(s.place.directory, "old");
	copy_file(s.note, old);
	write_row(s.place.store, "second");
	shut(&s);
	assert_int_equal(rename(old, s.note), 0); /* a power cut: it was never flushed */
	assert_row(place_open(&s.place), "second");
	shut(&s);
	assert_int_equal(truncate(s.note, 0), 0);
	assert_row(place_open(&s.place), "second");
	free(old);
	teardown(&s);
}

static void later_format_is_refused(void **state)
{
	static const uint8_t later[] = {0, 0, 0, STORE_FORMAT + 1};
	struct store_fixture s;
	char says[120];

	(void)state;
	(void)snprintf(says, sizeof(says),
	               "of format %u, and this version of the broker knows formats up to %u:",
	               STORE_FORMAT + 1, STORE_FORMAT);
	setup(&s);
	store_begin(s.place.store);
	store_put(s.place.store, TABLE_META, STORE_ROW_FORMAT, slice_of(later, sizeof(later)));
	assert_int_equal(store_commit(s.place.store), 0);
	shut(&s);
	assert_refused(s.place.directory, -EPROTONOSUPPORT, says);
	teardown(&s);
}

static void other_file_is_refused(void **state)
{
	struct store_fixture s;

	(void)state;
	setup(&s);
	shut(&s);
	assert_int_equal(truncate(s.data, 20000), 0);
	assert_int_equal(unlink(s.data), 0);
	copy_file("/proc/self/status", s.data);
	assert_refused(s.place.directory, -EBADMSG, "is damaged: meta page 0: it is not an LMDB");
	assert_int_equal(unlink(s.data), 0);
	assert_int_equal(symlink("/dev/zero", s.data), 0);
	assert_refused(s.place.directory, -ELOOP, "cannot be opened");
	teardown(&s);
}

/* ---- growth ---- */

#define AT_ONCE 10

static int put_some(struct store *d, unsigned from)
{
	static const uint8_t value[3000];

	store_begin(d);
	for (unsigned i = from; i < from + AT_ONCE; i++) {
		uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};

		store_put(d, TABLE_BODY, slice_of(key, 2), slice_of(value, sizeof(value)));
	}
	return store_commit(d);
}

static unsigned fill(struct store *d, unsigned most, unsigned *growths)
{
	for (unsigned i = 0; i < most; i += AT_ONCE) {
		int rc;

		while ((rc = put_some(d, i)) == -EAGAIN)
			++*growths;
		if (rc == -ENOSPC)
			return i;
		assert_int_equal(rc, 0);
	}
	return most;
}

static void map_grows_while_writing(void **state)
{
	struct place p = {.directory = place_directory()};
	unsigned growths = 0;
	struct store_status status;

	(void)state;
	assert_int_equal(fill(place_open(&p), 1000, &growths), 1000);
	assert_in_range(growths, 4, 10);
	store_status(p.store, &status);
	assert_int_equal(status.rows[TABLE_BODY], 1000);
	assert_true(status.map_bytes >= status.used_bytes && status.used_bytes >= 3000000);
	place_reopen(&p); /* starts with a map that is large enough */
	store_status(p.store, &status);
	assert_int_equal(status.rows[TABLE_BODY], 1000);
	store_close(p.store);
	place_remove(&p.directory);
}

static void full_store_goes_on_after_deletion(void **state)
{
	struct place p = {.directory = place_directory(), .max_bytes = 1u << 20};
	unsigned growths = 0, count;
	struct store_status status;

	(void)state;
	count = fill(place_open(&p), 1000, &growths);
	assert_in_range(count, 100, 350);
	assert_false(store_is_failed(p.store));
	store_status(p.store, &status);
	assert_int_equal(status.rows[TABLE_BODY], count);
	assert_int_equal(status.max_bytes, 1u << 20);
	assert_int_equal(status.map_bytes, 1u << 20);
	p.max_bytes = 2u << 20;
	assert_true(fill(place_reopen(&p), 1000, &growths) > count);
	store_close(p.store);
	place_remove(&p.directory);
}

static uint64_t free_space(struct store *d)
{
	struct store_status status;
	enum store_bound bound;
	uint64_t bytes;

	store_status(d, &status);
	bytes = store_space(d, &status, &bound);
	assert_int_equal(bound, STORE_BOUND_SIZE);
	return bytes;
}

/* Where there is no space for more, each row can still be taken away, one after the other; and the
 * blocks for that are the store's already. */
static void reserve_allows_deletion_in_a_full_store(void **state)
{
	struct place p = {.directory = place_directory(), .max_bytes = 4u << 20};
	char *data = place_path(p.directory, "data.mdb");
	unsigned count = 0;
	uint64_t before;
	struct stat st;

	(void)state;
	place_open(&p);
	before = free_space(p.store);
	assert_in_range(before, 3u << 20, (4u << 20) - (512u << 10));
	while (free_space(p.store) > 0) {
		int rc = put_some(p.store, count);

		assert_true(rc == 0 || rc == -EAGAIN);
		count += rc == 0 ? AT_ONCE : 0;
	}
	assert_in_range(count, 500, 1000);
	assert_int_equal(stat(data, &st), 0);
	assert_in_range(st.st_size, 3u << 20, 4u << 20);
	/* with some of the file system's own */
	assert_in_range((uint64_t)st.st_blocks * 512, (uint64_t)st.st_size,
	                (4u << 20) + (64u << 10));
	assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size + (128u << 10));
	for (unsigned i = count; i-- > 0;) {
		uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};

		store_begin(p.store);
		assert_true(store_delete(p.store, TABLE_BODY, slice_of(key, sizeof(key))));
		assert_int_equal(store_commit(p.store), 0);
	}
	assert_in_range(free_space(p.store), before - 65536, before);
	store_close(p.store);
	free(data);
	place_remove(&p.directory);
}

/* Its own process: it reads, and is killed before it is done. */
static void read_and_die(const char *data)
{
	const struct lmdb_options options = {.path = data, .read_only = true};
	char text[STORE_ERROR_TEXT];
	struct store *d;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (store_lmdb_open(&options, text, &d) == 0) {
			store_begin(d);
			if (store_error(d) == 0)
				(void)raise(SIGKILL);
		}
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void killed_reader_blocks_no_pages(void **state)
{
	struct place p = {.directory = place_directory(), .max_bytes = 1u << 20};
	char *data = place_path(p.directory, "data.mdb");
	unsigned growths = 0;

	(void)state;
	place_open(&p);
	read_and_die(data);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(fill(p.store, 50, &growths), 50);
	store_close(p.store);
	free(data);
	place_remove(&p.directory);
}

static void damage_while_open_is_reported(void **state)
{
	uint8_t bytes[65536];
	struct store_fixture s;
	struct slice value;
	ssize_t len;
	int fd;

	(void)state;
	setup(&s);
	fd = open(s.data, O_RDWR | O_CLOEXEC);
	len = pread(fd, bytes, sizeof(bytes), 0);
	for (ssize_t at = 0; at + 8 <= len; at++) {
		if (memcmp(bytes + at, "keyfirst", 8) == 0)
			assert_int_equal(pwrite(fd, "keyfirsT", 8, at), 8);
	}
	close(fd);
	store_begin(s.place.store);
	assert_false(store_get(s.place.store, TABLE_SESSION, SLICE("key"), &value));
	assert_int_equal(store_commit(s.place.store), -EBADMSG);
	shut(&s);
	assert_refused(s.place.directory, -EBADMSG, "is damaged: table 'session', page");
	teardown(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(missing_directory_is_made),
	    cmocka_unit_test(second_process_is_refused),
	    cmocka_unit_test(directory_writable_by_others_is_refused),
	    cmocka_unit_test(lost_file_is_never_replaced_by_an_empty_one),
	    cmocka_unit_test(empty_file_alone_becomes_a_new_store),
	    cmocka_unit_test(older_state_is_refused),
	    cmocka_unit_test(old_last_commit_is_ignored),
	    cmocka_unit_test(later_format_is_refused),
	    cmocka_unit_test(other_file_is_refused),
	    cmocka_unit_test(map_grows_while_writing),
	    cmocka_unit_test(full_store_goes_on_after_deletion),
	    cmocka_unit_test(reserve_allows_deletion_in_a_full_store),
	    cmocka_unit_test(killed_reader_blocks_no_pages),
	    cmocka_unit_test(damage_while_open_is_reported),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
