/* A store's file: whatever the bytes are, the verifier returns; and what it finds fine, LMDB opens,
 * gives the same rows, and can be written to.  An input is a file as it is, or, where it does not
 * begin like one, patches of a small store: page and offset (two bytes each), length (one), bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/require.h"
#include "store/lmdb_page.h"
#include "store/store_backend.h"
#include "store/store_lmdb.h"
#include "store/store_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rows {
	uint64_t hash, count;
	enum store_table table;
};

static char *directory, *path, *lock_path;
static struct buf base; /* the small store */

static void on_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	struct rows *r = arg;

	r->count++;
	r->hash = XXH3_64bits_withSeed(key.data, key.len, r->hash + (uint64_t)table);
	r->hash = XXH3_64bits_withSeed(value.data, value.len, r->hash + key.len);
}

static bool on_visited(void *arg, struct slice key, struct slice value)
{
	struct rows *r = arg;

	on_row(r, r->table, key, value);
	return true;
}

static int read_at(void *arg, uint64_t offset, void *out, size_t len)
{
	const struct slice *s = arg;

	REQUIRE(offset <= s->len && len <= s->len - offset);
	memcpy(out, s->data + offset, len);
	return 0;
}

static int verify(struct slice bytes, struct rows *rows, struct verify_report *report)
{
	struct lmdb_source source = {.size_bytes = bytes.len, .read = read_at, .arg = &bytes};
	int rc = store_verify(&source, NULL, on_row, rows, report);

	REQUIRE((rc == 0 && report->damages == 0 && report->text[0] == '\0') ||
	        (rc == -EBADMSG && report->damages > 0 && report->text[0] != '\0') ||
	        (rc == -ENOTSUP && report->lmdb_version != 0 && report->text[0] != '\0'));
	return rc;
}

/* ---- the file ---- */

static void remove_all(void)
{
	(void)unlink(path);
	(void)unlink(lock_path);
	(void)rmdir(directory);
	free(path);
	free(lock_path);
	free(directory);
	buf_fini(&base);
}

static void write_file(struct slice bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
	close(fd);
}

static void read_file(struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t len = lseek(fd, 0, SEEK_END);

	REQUIRE(fd >= 0 && len >= 0);
	buf_reserve(out, (size_t)len);
	REQUIRE(pread(fd, out->data, (size_t)len, 0) == len);
	out->len = (size_t)len;
	close(fd);
}

static struct store *open_file(void)
{
	struct lmdb_options options = {.path = path, .first_map = 1u << 20, .max_bytes = 1u << 24};
	char text[STORE_ERROR_TEXT];
	struct store *d;
	int rc = store_lmdb_open(&options, text, &d);

	REQUIRE(rc == 0);
	return d;
}

/* A key is a table's second byte, so that each has a place of its own. */
static int put_rows(struct store *d, unsigned count, size_t len)
{
	uint8_t value[6000];

	store_begin(d);
	for (unsigned i = 0; i < count; i++) {
		uint8_t key[2] = {(uint8_t)(i * 5), (uint8_t)i};

		memset(value, (int)i, sizeof(value));
		store_put(d, 1 + i % (TABLES - 1), slice_of(key, 2),
		          slice_of(value, i % 20 == 3 ? sizeof(value) : len));
	}
	return store_commit(d);
}

static void make_base(void)
{
	char text[STORE_ERROR_TEXT];
	struct store *d;
	int rc;

	directory =
	    xasprintf("%s/vakt-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	REQUIRE(mkdtemp(directory) != NULL);
	path = xasprintf("%s/data.mdb", directory);
	lock_path = xasprintf("%s-lock", path);
	REQUIRE(atexit(remove_all) == 0);
	d = open_file();
	rc = store_format_settle(d, &store_formats, text);
	REQUIRE(rc == 0);
	REQUIRE(put_rows(d, 200, 200) == 0 && put_rows(d, 60, 40) == 0);
	store_close(d);
	read_file(&base);
}

/* ---- what was found fine ---- */

static void read_rows(struct store *d, struct rows *rows)
{
	store_begin(d);
	for (unsigned i = 0; i < TABLES; i++) {
		rows->table = i;
		store_scan(d, i, SLICE_EMPTY, on_visited, rows);
	}
	REQUIRE(store_commit(d) == 0);
}

static void use(struct slice bytes, const struct rows *want)
{
	struct verify_report report;
	struct rows rows = {0}, after = {0};
	struct buf written = {0};
	struct store *d;
	int rc;

	write_file(bytes);
	d = open_file();
	read_rows(d, &rows);
	REQUIRE(rows.count == want->count && rows.hash == want->hash);
	do
		rc = put_rows(d, 90, 300);
	while (rc == -EAGAIN);
	REQUIRE(rc == 0 || rc == -ENOSPC);
	store_close(d);
	read_file(&written);
	REQUIRE(verify(buf_slice(&written), &after, &report) == 0);
	buf_fini(&written);
}

static void check(struct slice bytes)
{
	struct verify_report report;
	struct rows rows = {0};

	if (verify(bytes, &rows, &report) == 0 && report.format == STORE_FORMAT)
		use(bytes, &rows);
}

static bool is_file(struct slice s)
{
	static const uint8_t magic[] = {0xde, 0xc0, 0xef, 0xbe};

	return s.len >= LMDB_PAGE_META_BYTES && memcmp(s.data + LMDB_PAGE_HEADER, magic, 4) == 0;
}

static void patch(struct buf *file, struct reader *r)
{
	size_t page = read_u16(r), offset = read_u16(r), len = read_u8(r);
	struct slice bytes = read_bytes(r, len);
	size_t at = (page % (file->len / 4096)) * 4096 + offset % 4096;

	for (size_t i = 0; i < bytes.len && at + i < file->len; i++)
		file->data[at + i] = bytes.data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of(data, size);
	struct reader r = reader_of(input);
	struct buf file = {0};

	if (base.len == 0)
		make_base();
	if (is_file(input)) {
		check(input);
		return 0;
	}
	buf_put_slice(&file, buf_slice(&base));
	while (reader_left(&r) > 0 && !r.bad)
		patch(&file, &r);
	check(buf_slice(&file));
	buf_fini(&file);
	return 0;
}
