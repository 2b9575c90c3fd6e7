/* Damage: whatever is done to the bytes of a store, it is either refused, in words, or it gives
 * exactly the rows that were in it.  Never a lie, never a crash. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "places.h"
#include "store/lmdb_page.h"
#include "store/store_backend.h"
#include "store/store_verify.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Another way to count and to compare: all rows, in order, into one number. */
struct digest {
	uint64_t hash, rows;
	enum store_table table;
};

static void add_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	struct digest *d = arg;

	d->rows++;
	d->hash = XXH3_64bits_withSeed(key.data, key.len, d->hash + (uint64_t)table);
	d->hash = XXH3_64bits_withSeed(value.data, value.len, d->hash + key.len);
}

static bool add_visited(void *arg, struct slice key, struct slice value)
{
	struct digest *d = arg;

	add_row(d, d->table, key, value);
	return true;
}

static int digest_of_disk(struct store *store, struct digest *d)
{
	*d = (struct digest){0};
	store_begin(store);
	for (unsigned i = 0; i < TABLES; i++) {
		d->table = i;
		store_scan(store, i, SLICE_EMPTY, add_visited, d);
	}
	return store_commit(store);
}

/* ---- a small store of every kind of page ---- */

struct store_fixture {
	char *directory, *path;
	uint8_t *bytes; /* of its file */
	size_t len;
	struct digest rows;
};

static void put_rows(struct store *d, enum store_table table, unsigned count, size_t len)
{
	uint8_t value[12000];

	for (unsigned i = 0; i < count; i++) {
		uint8_t key[2] = {(uint8_t)(i * 7), (uint8_t)i};

		memset(value, (int)(i + len), sizeof(value));
		store_put(d, table, slice_of(key, 2), slice_of(value, len));
	}
}

static void fill(struct store *d)
{
	store_begin(d);
	put_rows(d, TABLE_SESSION, 3, 20);
	put_rows(d, TABLE_QUEUE, 60, 130);
	put_rows(d, TABLE_BODY, 2, 5000);
	put_rows(d, TABLE_RETAINED, 3, 9000);
	assert_int_equal(store_commit(d), 0);
	for (unsigned i = 0; i < 2; i++) { /* pages become free */
		store_begin(d);
		put_rows(d, TABLE_RETAINED, 2 - i, 100);
		assert_int_equal(store_commit(d), 0);
	}
}

static void read_store(struct store_fixture *s)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	off_t len = lseek(fd, 0, SEEK_END);

	assert_true(fd >= 0 && len > 0);
	s->len = (size_t)len;
	s->bytes = xalloc(s->len);
	assert_int_equal(pread(fd, s->bytes, s->len, 0), len);
	close(fd);
}

static void make_store(struct store_fixture *s)
{
	struct place p = {.directory = place_directory(), .first_map = 1u << 20};

	*s = (struct store_fixture){.directory = p.directory,
	                            .path = place_path(p.directory, "data.mdb")};
	fill(place_open(&p));
	assert_int_equal(digest_of_disk(p.store, &s->rows), 0);
	store_close(p.store);
	read_store(s);
}

static void remove_store(struct store_fixture *s)
{
	place_remove(&s->directory);
	free(s->path);
	free(s->bytes);
}

static int read_bytes_of(void *arg, uint64_t offset, void *out, size_t len)
{
	const uint8_t *bytes = arg;

	memcpy(out, bytes + offset, len);
	return 0;
}

static int verify(uint8_t *bytes, size_t len, struct digest *rows, struct verify_report *report)
{
	struct lmdb_source source = {.size_bytes = len, .read = read_bytes_of, .arg = bytes};
	int rc;

	*rows = (struct digest){0};
	rc = store_verify(&source, NULL, add_row, rows, report);
	assert_true(rc == 0 || rc == -EBADMSG);
	assert_int_equal(rc == 0, report->damages == 0);
	assert_int_equal(rc == 0, report->text[0] == '\0');
	return rc;
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* What verify found fine must be what it was, to LMDB as well. */
static void assert_opens_as_it_was(struct store_fixture *s, const uint8_t *bytes, size_t len)
{
	struct place p = {.directory = s->directory};
	struct digest rows;

	write_file(s->path, bytes, len);
	place_open(&p);
	assert_int_equal(digest_of_disk(p.store, &rows), 0);
	assert_int_equal(rows.rows, s->rows.rows);
	assert_int_equal(rows.hash, s->rows.hash);
	store_close(p.store);
}

static bool is_interesting(size_t at)
{
	return at % 4096 < (at < 8192 ? LMDB_PAGE_META_BYTES : LMDB_PAGE_HEADER + 8);
}

/* True: not noticed, and rightly so. */
static bool check(struct store_fixture *s, size_t len, bool open_too)
{
	struct verify_report report;
	struct digest rows;

	if (verify(s->bytes, len, &rows, &report) != 0)
		return false;
	assert_int_equal(rows.hash, s->rows.hash);
	if (open_too)
		assert_opens_as_it_was(s, s->bytes, len);
	return true;
}

static void intact_store_is_accepted(void **state)
{
	struct store_fixture s;
	struct verify_report r;
	struct digest rows;

	(void)state;
	make_store(&s);
	assert_int_equal(verify(s.bytes, s.len, &rows, &r), 0);
	assert_int_equal(rows.hash, s.rows.hash);
	assert_int_equal(rows.rows, s.rows.rows);
	assert_int_equal(r.rows[TABLE_QUEUE], 60);
	assert_int_equal(r.rows[TABLE_RETAINED], 3);
	assert_int_equal(r.rows[TABLE_META], 2);
	assert_int_equal(r.format, STORE_FORMAT);
	assert_int_equal(r.transaction, 4);
	assert_int_equal(r.page_bytes, 4096);
	assert_true(r.pages_free > 0 && r.pages * 4096 <= s.len && r.time.time_ms == 0);
	assert_int_equal(r.pages_lost, 0);
	remove_store(&s);
}

static void each_flipped_byte_is_found_or_harmless(void **state)
{
	unsigned unnoticed = 0;
	struct store_fixture s;

	(void)state;
	make_store(&s);
	for (size_t at = 0; at < s.len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t flip = (uint8_t)(1u << bit);

			if (!is_interesting(at) && bit != at % 8)
				continue;
			s.bytes[at] ^= flip;
			if (check(&s, s.len, unnoticed % 1009 == 0))
				unnoticed++;
			s.bytes[at] ^= flip;
		}
	}
	assert_true(unnoticed > 0 && unnoticed < s.len);
	remove_store(&s);
}

static void cut_file_is_found_or_harmless(void **state)
{
	unsigned unnoticed = 0;
	struct store_fixture s;

	(void)state;
	make_store(&s);
	for (size_t len = s.len; len-- > 0;) {
		if (len % 97 != 0 && len % 512 != 0 && len > 300)
			continue;
		if (check(&s, len, unnoticed % 17 == 0))
			unnoticed++;
	}
	assert_true(unnoticed < s.len / 512);
	remove_store(&s);
}

/* Sectors that were never written, or came from elsewhere in the file. */
static void zeroed_and_swapped_sectors_are_found_or_harmless(void **state)
{
	struct store_fixture s;
	uint8_t *right;

	(void)state;
	make_store(&s);
	right = xalloc(s.len);
	memcpy(right, s.bytes, s.len);
	for (size_t at = 0; at + 512 <= s.len; at += 512) {
		memset(s.bytes + at, 0, 512);
		(void)check(&s, s.len, at % 4096 == 0);
		for (size_t from = at % 4096; from + 512 <= s.len; from += 4096) {
			memcpy(s.bytes + at, right + from, 512);
			(void)check(&s, s.len, false);
		}
		memcpy(s.bytes + at, right + at, 512);
	}
	free(right);
	remove_store(&s);
}

/* ---- what it says ---- */

static struct lmdb_meta *meta_of(struct store_fixture *s, unsigned number)
{
	return (struct lmdb_meta *)(void *)(s->bytes + (size_t)number * 4096 + LMDB_PAGE_HEADER);
}

static void older_meta(struct store_fixture *s) /* one bit makes the older page the newer */
{
	unsigned newer = meta_of(s, 0)->transaction < meta_of(s, 1)->transaction;

	meta_of(s, 1 - newer)->transaction += 2;
}

static void other_page_size(struct store_fixture *s)
{
	meta_of(s, 1)->free_list.pad = 8192;
}

static void both_alike(struct store_fixture *s)
{
	meta_of(s, 0)->transaction = meta_of(s, 1)->transaction;
}

static void far_too_many(struct store_fixture *s)
{
	meta_of(s, 0)->last_page = meta_of(s, 1)->last_page = SIZE_MAX - 1;
}

static void deep(struct store_fixture *s)
{
	meta_of(s, 0)->main.depth = meta_of(s, 1)->main.depth = 40;
}

static void miscounted(struct store_fixture *s)
{
	meta_of(s, 0)->main.entries++;
	meta_of(s, 1)->main.entries++;
}

static void no_magic(struct store_fixture *s)
{
	meta_of(s, 0)->magic++;
}

static void empty_main(struct store_fixture *s)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lmdb_meta *m = meta_of(s, i);

		m->main = (struct lmdb_tree){.root = LMDB_PAGE_NONE};
	}
}

static void not_free(struct store_fixture *s) /* the free list's root is the main tree's */
{
	for (unsigned i = 0; i < 2; i++)
		meta_of(s, i)->free_list.root = meta_of(s, i)->main.root;
}

static void value_changed(struct store_fixture *s)
{
	for (size_t at = 8192; at + 130 < s->len; at++) { /* a row of the queue */
		if (s->bytes[at] == 130 + 59 && s->bytes[at + 129] == 130 + 59)
			s->bytes[at + 64]++;
	}
}

static void cut(struct store_fixture *s)
{
	s->len = 8192 + 4096;
}

static void damage_is_described(void **state)
{
	static const struct {
		const char *name;
		void (*damage)(struct store_fixture *s);
		const char *says;
	} rows[] = {
	    {"one bit makes the older state the newer", older_meta, "the newest commit is "},
	    {"two page sizes", other_page_size, "do not match"},
	    {"twice the same transaction", both_alike, "do not match"},
	    {"more pages than there can be", far_too_many, "far more pages"},
	    {"too deep", deep, "table 'meta': its record names an impossible depth"},
	    {"wrong count", miscounted, "table 'meta': its record counts other"},
	    {"no LMDB file", no_magic, "meta page 0: it is not an LMDB file"},
	    {"empty", empty_main, "its format row is missing"},
	    {"one page in two trees", not_free, "table 'free pages', page"},
	    {"a changed value", value_changed, "the checksum of a row is wrong"},
	    {"cut", cut, "it is not in the file"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct verify_report report;
		struct digest digest;
		struct store_fixture s;

		make_store(&s);
		rows[i].damage(&s);
		if (verify(s.bytes, s.len, &digest, &report) == 0 ||
		    strstr(report.text, rows[i].says) == NULL)
			fail_msg("%s: '%s'", rows[i].name, report.text);
		remove_store(&s);
	}
}

/* Both meta pages say another version: nothing is known of the file.  One alone is damaged. */
static void other_lmdb_version_is_not_verified(void **state)
{
	struct verify_report report;
	struct digest rows = {0};
	struct store_fixture s;
	struct lmdb_source source;

	(void)state;
	make_store(&s);
	source = (struct lmdb_source){.size_bytes = s.len, .read = read_bytes_of, .arg = s.bytes};
	meta_of(&s, 0)->version = LMDB_PAGE_VERSION + 1;
	assert_int_equal(verify(s.bytes, s.len, &rows, &report), -EBADMSG);
	assert_string_equal(report.text, "meta page 0: it is of another version of LMDB");
	assert_int_equal(report.lmdb_version, 0);
	meta_of(&s, 1)->version = LMDB_PAGE_VERSION + 1;
	assert_int_equal(store_verify(&source, NULL, add_row, &rows, &report), -ENOTSUP);
	assert_int_equal(report.lmdb_version, LMDB_PAGE_VERSION + 1);
	assert_int_equal(report.damages, 0);
	assert_int_equal(rows.rows, 0);
	assert_non_null(strstr(report.text, "its file has version 2 of LMDB's format, and"));
	assert_non_null(strstr(report.text, "verifies version 1"));
	remove_store(&s);
}

static void intact_rows_of_a_damaged_store_are_shown(void **state)
{
	struct verify_report report;
	struct digest rows;
	struct store_fixture s;

	(void)state;
	make_store(&s);
	value_changed(&s);
	assert_int_equal(verify(s.bytes, s.len, &rows, &report), -EBADMSG);
	assert_int_equal(rows.rows, s.rows.rows - report.damages);
	assert_int_equal(report.rows[TABLE_QUEUE], 60 - report.damages);
	remove_store(&s);
}

static int fails(void *arg, uint64_t offset, void *out, size_t len)
{
	unsigned *left = arg;

	(void)offset;
	memset(out, 0, len);
	return (*left)-- == 0 ? -EIO : 0;
}

static void read_error_is_reported(void **state)
{
	unsigned left = 0;
	struct lmdb_source source = {.size_bytes = 65536, .read = fails, .arg = &left};
	struct verify_report report;

	(void)state;
	assert_int_equal(store_verify(&source, NULL, NULL, NULL, &report), -EIO);
	assert_non_null(strstr(report.text, "cannot be read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(intact_store_is_accepted),
	    cmocka_unit_test(each_flipped_byte_is_found_or_harmless),
	    cmocka_unit_test(cut_file_is_found_or_harmless),
	    cmocka_unit_test(zeroed_and_swapped_sectors_are_found_or_harmless),
	    cmocka_unit_test(damage_is_described),
	    cmocka_unit_test(intact_rows_of_a_damaged_store_are_shown),
	    cmocka_unit_test(read_error_is_reported),
	    cmocka_unit_test(other_lmdb_version_is_not_verified),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
