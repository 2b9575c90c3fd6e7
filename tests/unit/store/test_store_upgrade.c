/* A store of an older format: verified by the tables of that format, and upgraded as a whole or not
 * at all, whatever happens meanwhile. The newer format is the test's own (next_format.h). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "next_format.h"
#include "places.h"
#include "store/store_files.h"
#include "store/store_lmdb.h"
#include "store/store_verify.h"
#include "store_trouble.h"

#define SESSIONS 400
#define QUEUED   300

/* ---- a store of today's format ---- */

struct store_fixture {
	char *directory, *data, *note;
	struct buf data_bytes, note_bytes; /* as it was made */
	uint64_t rows_hash, transaction;
};

static void read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t len = lseek(fd, 0, SEEK_END);

	assert_true(fd >= 0 && len > 0);
	buf_clear(out);
	buf_reserve(out, (size_t)len);
	assert_int_equal(pread(fd, out->data, (size_t)len, 0), len);
	out->len = (size_t)len;
	close(fd);
}

static void write_file(const char *path, const struct buf *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->data, bytes->len), (ssize_t)bytes->len);
	close(fd);
}

static void put_rows(struct store *d, enum store_table table, unsigned count, size_t len)
{
	uint8_t value[6000];

	for (unsigned i = 0; i < count; i++) {
		uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};

		memset(value, (int)i, sizeof(value));
		store_put(d, table, slice_of(key, 2), slice_of(value, len));
	}
}

/* All rows but the two that every commit and upgrade writes. */
static void add_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	uint64_t *hash = arg;

	if (table == TABLE_META || table == TABLE_NEXT)
		return;
	*hash = XXH3_64bits_withSeed(key.data, key.len, *hash + (uint64_t)table);
	*hash = XXH3_64bits_withSeed(value.data, value.len, *hash + key.len);
}

static int verify(const struct store_fixture *s, const struct store_formats *formats,
                  uint64_t *rows_hash, struct verify_report *report)
{
	int fd = open(s->data, O_RDONLY | O_CLOEXEC);
	int rc;

	*rows_hash = 0;
	assert_true(fd >= 0);
	rc = store_verify_file(fd, formats, add_row, rows_hash, report);
	close(fd);
	return rc;
}

static void make(struct store_fixture *s)
{
	struct place p = {.directory = place_directory(), .first_map = 1u << 22};
	struct verify_report report;
	struct store *d = place_open(&p);

	*s = (struct store_fixture){.directory = p.directory,
	                            .data = place_path(p.directory, "data.mdb"),
	                            .note = place_path(p.directory, "note")};
	store_begin(d);
	put_rows(d, TABLE_SESSION, SESSIONS, 20);
	put_rows(d, TABLE_QUEUE, QUEUED, 130);
	put_rows(d, TABLE_BODY, 2, 5000);
	put_rows(d, TABLE_REPLAY, 1, 10);
	assert_int_equal(store_commit(d), 0);
	store_close(d);
	read_file(s->data, &s->data_bytes);
	read_file(s->note, &s->note_bytes);
	assert_int_equal(verify(s, NULL, &s->rows_hash, &report), 0);
	s->transaction = report.transaction;
}

static void drop(struct store_fixture *s)
{
	place_remove(&s->directory);
	free(s->data);
	free(s->note);
	buf_fini(&s->data_bytes);
	buf_fini(&s->note_bytes);
}

/* As it was made. */
static void put_back(const struct store_fixture *s)
{
	write_file(s->data, &s->data_bytes);
	write_file(s->note, &s->note_bytes);
}

static int open_as(const struct store_fixture *s, const struct store_formats *formats,
                   uint64_t max_bytes, char said[STORE_ERROR_TEXT], struct store **d)
{
	const struct store_options options = {.directory = s->directory,
	                                      .max_bytes = max_bytes,
	                                      .first_map = PLACE_MAP,
	                                      .formats = formats};

	said[0] = '\0';
	return store_open(&options, said, d);
}

static struct store *open_ok(const struct store_fixture *s, const struct store_formats *formats)
{
	char said[STORE_ERROR_TEXT];
	struct store *d;

	if (open_as(s, formats, 0, said, &d) != 0)
		fail_msg("%s", said);
	return d;
}

static void assert_bytes(const char *path, const struct buf *want)
{
	struct buf now = {0};

	read_file(path, &now);
	assert_true(slice_equal(buf_slice(&now), buf_slice(want)));
	buf_fini(&now);
}

static void assert_says(const char *said, const char *words)
{
	if (strstr(said, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, said);
}

/* `words` end where the number of a format stands. */
static void assert_says_format(const char *said, const char *words, uint32_t format)
{
	char *want = xasprintf("%s %u", words, (unsigned)format);
	const char *found = strstr(said, want);

	if (found == NULL || (found[strlen(want)] >= '0' && found[strlen(want)] <= '9'))
		fail_msg("'%s' is not in '%s'", want, said);
	free(want);
}

/* ---- what is there afterwards ---- */

/* Fine, of today's format, and in the state of its last commit. */
static bool is_old(const struct store_fixture *s)
{
	struct verify_report report;
	uint64_t hash;

	if (verify(s, NULL, &hash, &report) != 0 || report.transaction != s->transaction)
		return false;
	assert_int_equal(report.format, STORE_FORMAT);
	assert_int_equal(hash, s->rows_hash);
	return true;
}

/* Fine, of the next format, with all that was there and all of what is new. */
static void assert_upgraded(const struct store_fixture *s)
{
	struct verify_report report;
	uint64_t hash;

	if (verify(s, next_formats(), &hash, &report) != 0)
		fail_msg("%s", report.text);
	assert_int_equal(report.format, STORE_FORMAT + 1);
	assert_int_equal(report.transaction, s->transaction + 1);
	assert_int_equal(report.rows[TABLE_NEXT], SESSIONS);
	assert_int_equal(report.rows[TABLE_QUEUE], QUEUED);
	assert_int_equal(hash, s->rows_hash);
}

static void assert_opens_upgraded(const struct store_fixture *s)
{
	struct store *d = open_ok(s, next_formats());
	struct slice value;

	store_begin(d);
	assert_true(store_get(d, TABLE_NEXT, SLICE("\x00\x07"), &value));
	assert_true(slice_equal(value, SLICE("of a session")));
	store_abort(d);
	store_close(d);
	assert_upgraded(s);
}

/* ---- verification ---- */

static void older_store_is_verified_by_its_own_tables(void **state)
{
	struct verify_report report;
	struct store_fixture s;
	uint64_t hash;

	(void)state;
	make(&s);
	if (verify(&s, next_formats(), &hash, &report) != 0)
		fail_msg("%s", report.text);
	assert_int_equal(report.format, STORE_FORMAT);
	assert_int_equal(report.rows[TABLE_SESSION], SESSIONS);
	assert_int_equal(report.rows[TABLE_NEXT], 0);
	assert_int_equal(hash, s.rows_hash);
	drop(&s);
}

/* As they would be if a table had come into a format that stores have already. */
static void table_of_another_format_is_damage(void **state)
{
	struct store_format list[STORE_FORMAT + 1];
	struct store_formats changed = {
	    .list = list, .newest = STORE_FORMAT, .table_names = next_formats()->table_names};
	struct verify_report report;
	struct store_fixture s;
	uint64_t hash;

	(void)state;
	memcpy(list, next_formats()->list, sizeof(list));
	make(&s);
	list[STORE_FORMAT - 1].tables = TABLES + 1;
	assert_int_equal(verify(&s, &changed, &hash, &report), -EBADMSG);
	assert_string_equal(report.text, "table 'next' is missing");
	assert_opens_upgraded(&s);
	changed.newest = STORE_FORMAT + 1;
	list[STORE_FORMAT].tables = TABLES; /* it has one that its format has not */
	assert_int_equal(verify(&s, &changed, &hash, &report), -EBADMSG);
	assert_says(report.text, "a table that does not belong in a store of this format");
	drop(&s);
}

static struct store *open_file(const struct store_fixture *s, bool read_only)
{
	const struct lmdb_options options = {.path = s->data,
	                                     .first_map = 1u << 22,
	                                     .max_bytes = 1u << 24,
	                                     .read_only = read_only,
	                                     .formats = next_formats()};
	char said[STORE_ERROR_TEXT];
	struct store *d;

	if (store_lmdb_open(&options, said, &d) != 0)
		fail_msg("%s", said);
	return d;
}

static bool count_row(void *arg, struct slice key, struct slice value)
{
	unsigned *count = arg;

	(void)key;
	(void)value;
	++*count;
	return true;
}

/* As a newer broker-store does, beside an older broker that runs. */
static void older_store_can_be_read(void **state)
{
	unsigned sessions = 0, next = 0;
	struct slice value;
	struct store_fixture s;
	struct store *d;

	(void)state;
	make(&s);
	d = open_file(&s, true);
	store_begin(d);
	store_scan(d, TABLE_SESSION, SLICE_EMPTY, count_row, &sessions);
	store_scan(d, TABLE_NEXT, SLICE_EMPTY, count_row, &next);
	assert_false(store_get(d, TABLE_NEXT, SLICE("x"), &value));
	assert_int_equal(store_error(d), 0);
	assert_int_equal(sessions, SESSIONS);
	assert_int_equal(next, 0);
	store_close(d);
	assert_bytes(s.data, &s.data_bytes);
	drop(&s);
}

/* And as it does with a backup, whose transactions it counts anew. */
static void open_without_settle_changes_no_format(void **state)
{
	struct verify_report report;
	struct store_fixture s;
	struct store *d;
	uint64_t hash;

	(void)state;
	make(&s);
	d = open_file(&s, false);
	assert_int_equal(store_format_renumber(d), 0);
	store_close(d);
	if (verify(&s, next_formats(), &hash, &report) != 0)
		fail_msg("%s", report.text);
	assert_int_equal(report.format, STORE_FORMAT);
	assert_int_equal(report.transaction, s.transaction + 1);
	assert_int_equal(hash, s.rows_hash);
	store_close(open_ok(&s, NULL));
	drop(&s);
}

/* ---- all or nothing ---- */

static void upgrade_preserves_rows(void **state)
{
	struct store_fixture s;
	struct store *d;

	(void)state;
	make(&s);
	d = open_ok(&s, next_formats());
	assert_int_equal(store_upgraded_from(d), STORE_FORMAT);
	store_close(d);
	assert_upgraded(&s);
	d = open_ok(&s, next_formats());
	assert_int_equal(store_upgraded_from(d), 0);
	store_close(d);
	assert_opens_upgraded(&s);
	drop(&s);
}

/* And it is left as it is. */
static void newer_store_is_refused_with_remedy(void **state)
{
	char said[STORE_ERROR_TEXT];
	struct buf upgraded = {0};
	uint32_t format;
	struct store_fixture s;
	struct store *d;

	(void)state;
	make(&s);
	assert_opens_upgraded(&s);
	read_file(s.data, &upgraded);
	assert_int_equal(open_as(&s, NULL, 0, said, &d), -EPROTONOSUPPORT);
	assert_null(d);
	assert_says_format(said, "the store is of format", STORE_FORMAT + 1);
	assert_says_format(said, "this version of the broker knows formats up to", STORE_FORMAT);
	assert_says(said, "install the version that wrote it, or a later one, or restore a backup");
	assert_bytes(s.data, &upgraded);
	/* as beside a broker that runs */
	assert_int_equal(store_files_read(s.directory, &format, said, &d), -EPROTONOSUPPORT);
	assert_null(d);
	assert_says_format(said, "the store is of format", STORE_FORMAT + 1);
	assert_bytes(s.data, &upgraded);
	buf_fini(&upgraded);
	drop(&s);
}

/* Whatever the reason and however far it was: byte for byte. */
static void failed_upgrade_leaves_the_file_unchanged(void **state)
{
	static const struct {
		int error;
		const char *says;
	} rows[] = {
	    {-EDOM,
	     "start again; the version that wrote it can still read it; nothing was changed"},
	    {-EBADMSG, "could not be upgraded to"},
	    {-ENOSPC, "free some space on its file system, or raise persistence.max_size"},
	    {-ENOTSUP, "this version of the broker does not have that step"},
	};
	char said[STORE_ERROR_TEXT];
	struct store_fixture s;
	struct store *d;

	(void)state;
	make(&s);
	for (unsigned i = 0; i < 4 * (sizeof(rows) / sizeof(rows[0])); i++) {
		next_format_stop(i / 4 * (SESSIONS - 1) / 3, rows[i % 4].error);
		assert_int_equal(open_as(&s, next_formats(), 0, said, &d), rows[i % 4].error);
		assert_says_format(said, "the store is of format", STORE_FORMAT);
		assert_says_format(said, "could not be upgraded to", STORE_FORMAT + 1);
		assert_says(said, rows[i % 4].says);
		assert_bytes(s.data, &s.data_bytes);
		assert_bytes(s.note, &s.note_bytes);
	}
	next_format_stop(UINT_MAX, 0);
	store_close(open_ok(&s, NULL)); /* the version that wrote it */
	assert_true(is_old(&s));
	assert_opens_upgraded(&s);
	drop(&s);
}

/* ---- trouble of the disk, and kills ---- */

enum ended {
	ENDED_FINE,
	ENDED_REFUSED,
	ENDED_KILLED,
	ENDED_WITHOUT, /* fine, for the trouble would have come later */
};

/* A start in a process of its own, which may not survive it. */
static enum ended start(const struct store_fixture *s, enum trouble trouble, unsigned call)
{
	char said[STORE_ERROR_TEXT];
	struct store *d;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		store_trouble_arm(trouble, call);
		if (open_as(s, next_formats(), 0, said, &d) != 0)
			_exit(ENDED_REFUSED);
		_exit(store_trouble_came() ? ENDED_FINE : ENDED_WITHOUT);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	return ENDED_KILLED;
}

/* How many points left the old store. */
static unsigned trouble_at_each_call(const struct store_fixture *s, enum trouble trouble)
{
	enum ended ended = ENDED_FINE;
	unsigned old = 0;

	for (unsigned call = 0; ended != ENDED_WITHOUT; call++) {
		put_back(s);
		assert_true(is_old(s));
		ended = start(s, trouble, call);
		if (is_old(s))
			old++;
		else
			assert_upgraded(s);
		assert_false(is_old(s) && (ended == ENDED_FINE || ended == ENDED_WITHOUT));
		assert_opens_upgraded(s); /* the next start tries again, or finds it done */
		assert_true(call < 1000);
	}
	return old;
}

/* At each call that writes or flushes, from the first of the start to the last: the old store or
 * the new one, and the next start makes the new one. */
static void upgrade_survives_an_error_at_any_call(void **state)
{
	struct store_fixture s;

	(void)state;
	make(&s);
	/* at least: the pages, their flush, the meta page */
	for (enum trouble t = TROUBLE_NONE + 1; t < TROUBLES; t++)
		assert_true(trouble_at_each_call(&s, t) >= (t == TROUBLE_KILL_AFTER ? 2 : 3));
	drop(&s);
}

/* Between two rows: nothing of it was written yet. */
static void upgrade_survives_a_kill_at_any_call(void **state)
{
	struct store_fixture s;

	(void)state;
	make(&s);
	for (unsigned rows = 0; rows < SESSIONS; rows += 57) {
		next_format_stop(rows, 0);
		assert_int_equal(start(&s, TROUBLE_NONE, 0), ENDED_KILLED);
		assert_bytes(s.data, &s.data_bytes);
		assert_bytes(s.note, &s.note_bytes);
	}
	next_format_stop(UINT_MAX, 0);
	assert_opens_upgraded(&s);
	drop(&s);
}

/* ---- room ---- */

static unsigned fill(struct store *d, bool leave_reserve)
{
	static const uint8_t value[3000];
	struct store_status status;
	enum store_bound bound;

	for (unsigned i = 0;; i++) {
		uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};
		int rc = 0;

		store_status(d, &status);
		if (leave_reserve && store_space(d, &status, &bound) == 0)
			return i;
		do {
			store_begin(d);
			store_put(d, TABLE_RETAINED, slice_of(key, 2),
			          slice_of(value, sizeof(value)));
			rc = store_commit(d);
		} while (rc == -EAGAIN);
		if (rc == -ENOSPC)
			return i;
		assert_int_equal(rc, 0);
	}
}

static void fill_store(struct store_fixture *s, uint64_t max_bytes, bool leave_reserve)
{
	char said[STORE_ERROR_TEXT];
	struct verify_report report;
	struct store *d;

	make(s);
	assert_int_equal(open_as(s, NULL, max_bytes, said, &d), 0);
	assert_true(fill(d, leave_reserve) > 100);
	store_close(d);
	assert_int_equal(verify(s, NULL, &s->rows_hash, &report), 0);
	s->transaction = report.transaction;
	read_file(s->data, &s->data_bytes);
}

/* What is set aside so that rows can be taken away is there for an upgrade too. */
static void full_store_is_upgraded(void **state)
{
	const uint64_t max_bytes = 2u << 20;
	char said[STORE_ERROR_TEXT];
	struct store_fixture s;
	struct store *d;

	(void)state;
	fill_store(&s, max_bytes, true);
	if (open_as(&s, next_formats(), max_bytes, said, &d) != 0)
		fail_msg("%s", said);
	store_close(d);
	assert_upgraded(&s);
	drop(&s);
}

static void upgrade_without_space_is_refused(void **state)
{
	const uint64_t max_bytes = 2u << 20;
	char said[STORE_ERROR_TEXT];
	struct store_fixture s;
	struct store *d;

	(void)state;
	fill_store(&s, max_bytes, false);
	assert_int_equal(open_as(&s, next_formats(), max_bytes, said, &d), -ENOSPC);
	assert_says_format(said, "of format", STORE_FORMAT);
	assert_says_format(said, "and could not be upgraded to", STORE_FORMAT + 1);
	assert_says(said, "(No space left on device)");
	assert_says(said, "raise persistence.max_size");
	assert_bytes(s.data, &s.data_bytes);
	assert_true(is_old(&s));
	assert_int_equal(open_as(&s, next_formats(), 2 * max_bytes, said, &d), 0);
	store_close(d);
	assert_upgraded(&s);
	drop(&s);
}

static void upgrade_is_announced(void **state)
{
	char text[STORE_ERROR_TEXT];

	(void)state;
	store_files_describe_upgrade(1, 2, text);
	assert_says(text, "the broker upgrades it to format 2 when it starts");
	assert_says(text, "make a backup first");
	store_files_describe_upgrade(2, 2, text);
	assert_string_equal(text, "");
	store_files_describe_upgrade(0, 2, text); /* there is none yet */
	assert_string_equal(text, "");
}

/* As `broker --check` does. */
static void format_is_read_without_reading_all(void **state)
{
	char text[STORE_ERROR_TEXT];
	uint32_t format = 9;
	struct store_fixture s;

	(void)state;
	make(&s);
	assert_int_equal(store_files_format(s.directory, &format, text), 0);
	assert_int_equal(format, STORE_FORMAT);
	assert_opens_upgraded(&s);
	assert_int_equal(store_files_format(s.directory, &format, text), -EPROTONOSUPPORT);
	assert_says_format(text, "the store is of format", STORE_FORMAT + 1);
	assert_says(text, ", and this version of the broker knows");
	assert_int_equal(truncate(s.data, 5000), 0);
	assert_int_equal(store_files_format(s.directory, &format, text), -EBADMSG);
	assert_says(text, "is damaged: table 'meta'");
	assert_int_equal(truncate(s.data, 0), 0);
	assert_int_equal(store_files_format(s.directory, &format, text), 0);
	assert_int_equal(format, 0);
	assert_int_equal(unlink(s.data), 0);
	assert_int_equal(store_files_format(s.directory, &format, text), 0);
	assert_int_equal(format, 0);
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(older_store_is_verified_by_its_own_tables),
	    cmocka_unit_test(table_of_another_format_is_damage),
	    cmocka_unit_test(older_store_can_be_read),
	    cmocka_unit_test(open_without_settle_changes_no_format),
	    cmocka_unit_test(upgrade_preserves_rows),
	    cmocka_unit_test(newer_store_is_refused_with_remedy),
	    cmocka_unit_test(failed_upgrade_leaves_the_file_unchanged),
	    cmocka_unit_test(upgrade_survives_an_error_at_any_call),
	    cmocka_unit_test(upgrade_survives_a_kill_at_any_call),
	    cmocka_unit_test(full_store_is_upgraded),
	    cmocka_unit_test(upgrade_without_space_is_refused),
	    cmocka_unit_test(upgrade_is_announced),
	    cmocka_unit_test(format_is_read_without_reading_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
