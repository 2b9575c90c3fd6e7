/* A store on a file system that is full, or becomes so: each size of it, in a process and a mount
 * name space of its own.  What is mapped is allocated before, so that nobody meets SIGBUS.  Skipped
 * where name spaces are not allowed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "places.h"
#include "store/store_sigbus.h"

#define SKIPPED 77

struct disk {
	char *mount; /* a tmpfs */
	char *store; /* a directory in it */
};

static void give_up(const char *what)
{
	fprintf(stderr, "# %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Again with another size: it keeps its files. */
static void size_disk(const struct disk *d, unsigned pages)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%luk", (unsigned long)pages * 4);
	if (mount("tmpfs", d->mount, "tmpfs", MS_REMOUNT, options) != 0)
		give_up("remount");
}

static void make_disk(struct disk *d, const char *directory)
{
	bool own = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;

	d->mount = strdup(directory);
	d->store = place_path(directory, "store");
	if (!own || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", d->mount, "tmpfs", 0, "size=8m,mode=700") != 0)
		_exit(SKIPPED);
}

static bool has_file(const struct disk *d, const char *name)
{
	char *path = place_path(d->store, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static int open_store(const struct disk *d, struct store **out, char text[STORE_ERROR_TEXT])
{
	struct store_options options = {.directory = d->store, .max_bytes = 1 << 20};

	text[0] = '\0';
	return store_open(&options, text, out);
}

/* Said, and nothing is left behind. */
static void require_full(const struct disk *d, int rc, const char *text)
{
	if (rc != -ENOSPC || strstr(text, "free some space") == NULL) {
		fprintf(stderr, "# %d: %s\n", rc, text);
		_exit(2);
	}
	if (has_file(d, "data.mdb.new") || has_file(d, "data.mdb.new-lock")) {
		fprintf(stderr, "# files are left behind\n");
		_exit(3);
	}
}

static void put_rows(struct store *store, unsigned count)
{
	uint8_t value[2000] = {1};

	store_begin(store);
	for (unsigned i = 0; i < count; i++) {
		uint8_t key[1] = {(uint8_t)(i + 1)};

		store_put(store, TABLE_SESSION, slice_of(key, 1), slice_of(value, sizeof(value)));
	}
}

/* The first start on a disk with so many free pages, then with enough of them. */
static void start_on(const struct disk *d, unsigned pages)
{
	struct store *store = NULL;
	char text[STORE_ERROR_TEXT];
	int rc;

	size_disk(d, pages == 0 ? 1 : pages);
	if (pages == 0) { /* the directory itself takes nothing: fill the page */
		char *path = place_path(d->mount, "filler");
		int fd = open(path, O_RDWR | O_CREAT, 0600);

		if (write(fd, "x", 1) != 1)
			give_up("filler");
		close(fd);
		free(path);
	}
	rc = open_store(d, &store, text);
	if (rc != 0)
		require_full(d, rc, text);
	if (rc == 0) { /* a full store is no damage */
		put_rows(store, 100);
		rc = store_commit(store);
		if (rc != 0 && rc != -ENOSPC)
			_exit(4);
		store_close(store);
	}
	size_disk(d, 2048);
	if (open_store(d, &store, text) != 0)
		give_up(text);
	put_rows(store, 100);
	if (store_commit(store) != 0)
		_exit(5);
	store_close(store);
}

/* Exactly what is used. */
static void fill(const struct disk *d)
{
	struct statvfs fs;

	if (statvfs(d->mount, &fs) != 0)
		give_up("statvfs");
	size_disk(d, (unsigned)(fs.f_blocks - fs.f_bfree));
}

/* The lock file has its length, but no space any more: copied, or restored, with its zeros as
 * holes. */
static void start_with_sparse_lock(const struct disk *d, unsigned unused)
{
	char *path = place_path(d->store, "data.mdb-lock");
	struct store *store = NULL;
	char text[STORE_ERROR_TEXT];
	int rc;

	(void)unused;
	if (open_store(d, &store, text) != 0)
		give_up(text);
	store_close(store);
	if (truncate(path, 0) != 0 || truncate(path, 8192) != 0)
		give_up("truncate");
	fill(d);
	rc = open_store(d, &store, text);
	require_full(d, rc, text);
	size_disk(d, 2048);
	if (open_store(d, &store, text) != 0)
		give_up(text);
	store_close(store);
	free(path);
}

/* What nobody can prevent ends the process by the same signal, but it says why. */
static void touch_what_is_gone(const struct disk *d, unsigned unused)
{
	char *path = place_path(d->mount, "mapped");
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	const volatile uint8_t *at;

	(void)unused;
	if (ftruncate(fd, 4096) != 0)
		give_up("ftruncate");
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || ftruncate(fd, 0) != 0)
		give_up("mmap");
	store_sigbus_explain("broker");
	_exit(at[0]);
}

typedef void disk_fn(const struct disk *d, unsigned pages);

/* The status of a process that runs it; what it says on stderr in `said` (NULL: it may say it). */
static int run_apart(disk_fn *run, unsigned pages, char *said, size_t size)
{
	char *directory = place_directory();
	int ends[2], status;
	pid_t child;
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct disk d;

		(void)signal(SIGBUS, SIG_DFL); /* not cmocka's */
		if (said != NULL)
			dup2(ends[1], 2);
		make_disk(&d, directory);
		run(&d, pages);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	n = said == NULL ? 0 : read(ends[0], said, size - 1);
	if (said != NULL)
		said[n < 0 ? 0 : n] = '\0';
	close(ends[0]);
	place_remove(&directory);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	return status;
}

static void first_start_on_each_size_of_disk(void **state)
{
	(void)state;
	for (unsigned pages = 0; pages < 24; pages++) {
		int status = run_apart(start_on, pages, NULL, 0);

		if (status != 0)
			fail_msg("%u pages: status %d, signal %d", pages, WEXITSTATUS(status),
			         WTERMSIG(status));
	}
}

static void sparse_lock_file_on_a_full_disk(void **state)
{
	(void)state;
	assert_int_equal(run_apart(start_with_sparse_lock, 0, NULL, 0), 0);
}

static void bus_error_says_what_to_do(void **state)
{
	char said[1000];
	int status = run_apart(touch_what_is_gone, 0, said, sizeof(said));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	assert_non_null(strstr(said, "broker: a file of the store"));
	assert_non_null(strstr(said, "free some space"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_start_on_each_size_of_disk),
	    cmocka_unit_test(sparse_lock_file_on_a_full_disk),
	    cmocka_unit_test(bus_error_says_what_to_do),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
