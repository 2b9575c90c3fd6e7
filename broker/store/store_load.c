/* Reads a dump.  What stands in it is written as it is: the rows of its own format, with the time
 * of its last commit.  The broker upgrades an older format at its next start, as it does with a
 * backup. */
#include "store/store_load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "store/row_json_read.h"
#include "store/store_backend.h"
#include "store/store_lmdb.h"
#include "store/store_progress.h"

#define DUMP_VERSION 1
/* Longer than any row: a payload has at most 256 MB, in base64. */
#define LINE_MAX    ((size_t)400 << 20)
#define COMMIT_EACH ((uint64_t)16 << 20) /* bytes of rows */
/* Addresses, of which a file uses what it needs. */
#define MAP_BYTES (sizeof(void *) == 4 ? (uint64_t)1 << 30 : (uint64_t)1 << 38)

struct loading {
	const struct store_load *load;
	struct store *store;
	char *text;
	struct buf line, key, value;
	uint64_t line_number, rows, pending_bytes;
	unsigned tables;        /* of the dump's format */
	struct store_time time; /* of its last commit */
};

void store_load_put_head(struct buf *out, uint32_t format)
{
	json_open(out);
	json_number(out, "vakt_dump", DUMP_VERSION);
	json_number(out, "format", format);
	json_close(out);
}

void store_load_put_end(struct buf *out, uint64_t rows)
{
	json_open(out);
	json_bool(out, "end", true);
	json_number(out, "rows", rows);
	json_close(out);
}

/* ---- lines ---- */

static int refuse(const struct loading *l, const char *what)
{
	(void)snprintf(l->text, STORE_ERROR_TEXT, "%s, line %" PRIu64 ": %s", l->load->name,
	               l->line_number, what);
	return -EBADMSG;
}

/* 1: the next line, without its newline; 0: there is none. */
static int read_line(struct loading *l)
{
	int c;

	buf_clear(&l->line);
	l->line_number++;
	while ((c = getc_unlocked(l->load->from)) != EOF && c != '\n') {
		if (l->line.len == LINE_MAX)
			return refuse(l, "is longer than any row");
		buf_put_u8(&l->line, (uint8_t)c);
	}
	if (ferror(l->load->from))
		return refuse(l, strerror(errno));
	store_progress_advance(l->line.len + 1);
	/* A line that ends with the file was cut off. */
	return c == EOF ? 0 : 1;
}

static int parse_line(struct loading *l, struct json_object *out)
{
	int rc = read_line(l);

	if (rc <= 0)
		return rc;
	return json_parse(buf_slice(&l->line), out) ? 1 : refuse(l, "is not a line of a dump");
}

static uint64_t number_of(const struct json_object *o, const char *name)
{
	const struct json_member *m = json_find(o, name);

	return m == NULL || m->kind != JSON_NUMBER ? 0 : m->number;
}

/* ---- the first line ---- */

static int take_head(struct loading *l, const struct json_object *head, uint32_t *format)
{
	uint64_t version = number_of(head, "vakt_dump"), asked = number_of(head, "format");

	if (version == 0 || asked == 0 || asked > UINT32_MAX)
		return refuse(l, "does not begin a dump of broker-store");
	if (version != DUMP_VERSION)
		return refuse(l, "is of a dump that another version of broker-store made, which "
		                 "this one does not know");
	*format = (uint32_t)asked;
	/* mutant: load_newer_format */
	return *format > STORE_FORMAT ? store_format_refuse(*format, STORE_FORMAT, l->text) : 0;
}

static int read_head(struct loading *l, uint32_t *format)
{
	struct json_object head;
	int rc = parse_line(l, &head);

	if (rc == 0)
		return refuse(l, "there is no dump");
	if (rc < 0)
		return rc;
	rc = take_head(l, &head, format);
	json_fini(&head);
	return rc;
}

/* ---- rows ---- */

static int report_store(struct loading *l, const char *to, int rc)
{
	(void)snprintf(l->text, STORE_ERROR_TEXT, "%s cannot be written: %s", to, strerror(-rc));
	return rc;
}

/* This layer's own rows: the number of a commit belongs to a file, its time to the rows. */
static bool take_own_row(struct loading *l)
{
	struct slice key = buf_slice(&l->key);
	uint64_t number;

	if (slice_equal(key, STORE_ROW_FORMAT))
		return true;
	if (!slice_equal(key, STORE_ROW_COMMIT))
		return false;
	(void)store_backend_read_commit(buf_slice(&l->value), &number, &l->time);
	return true;
}

static int commit(struct loading *l)
{
	l->store->time = l->time;
	l->pending_bytes = 0;
	return store_commit(l->store);
}

static int put_row(struct loading *l, enum store_table table)
{
	int rc = 0;

	if (table != TABLE_META || !take_own_row(l))
		store_put(l->store, table, buf_slice(&l->key), buf_slice(&l->value));
	l->rows++;
	l->pending_bytes += l->key.len + l->value.len;
	if (l->pending_bytes < COMMIT_EACH)
		return 0;
	rc = commit(l);
	store_begin(l->store);
	return rc;
}

static int take_row(struct loading *l, const struct json_object *row)
{
	enum store_table table;

	buf_clear(&l->key);
	buf_clear(&l->value);
	if (!row_json_read(row, &table, &l->key, &l->value) || (unsigned)table >= l->tables)
		return refuse(l, "is not a row of a store, or one that could not be read when the "
		                 "dump was made");
	return put_row(l, table);
}

/* 1: a row, 0: the end, and it is the right one. */
static int take_line(struct loading *l, const struct json_object *o)
{
	if (json_find(o, "end") == NULL) {
		int rc = take_row(l, o);

		return rc == 0 ? 1 : rc;
	}
	/* mutant: load_missing_rows */
	return number_of(o, "rows") == l->rows ? 0
	                                       : refuse(l, "the dump had another number of rows");
}

static int read_rows(struct loading *l)
{
	struct json_object o;
	int rc;

	for (;;) {
		rc = parse_line(l, &o);
		/* mutant: load_cut_dump */
		if (rc == 0)
			return refuse(l, "the dump ends here, and is not complete");
		if (rc < 0)
			return rc;
		rc = take_line(l, &o);
		json_fini(&o);
		if (rc <= 0)
			return rc;
	}
}

static int fill(struct loading *l, const char *to, uint32_t format)
{
	struct store_formats formats = {
	    .list = store_formats.list, .newest = format, .table_names = store_formats.table_names};
	struct lmdb_options options = {.path = to,
	                               .first_map = MAP_BYTES,
	                               .max_bytes = MAP_BYTES,
	                               .is_alone = true,
	                               .formats = &formats};
	int rc = store_lmdb_open(&options, l->text, &l->store);

	l->tables = store_format_tables(&store_formats, format);
	if (rc == 0)
		rc = store_format_settle(l->store, &formats, l->text);
	if (rc != 0)
		return rc;
	store_begin(l->store);
	store_progress_begin("loading", l->load->size_bytes, -1);
	rc = read_rows(l);
	store_progress_end();
	if (rc == -EBADMSG)
		return rc;
	if (rc == 0)
		rc = commit(l);
	return rc == 0 ? 0 : report_store(l, to, rc);
}

int store_load_into(const struct store_load *load, const char *to, char text[STORE_ERROR_TEXT])
{
	struct loading l = {.load = load};
	uint32_t format = 0;
	int rc;

	l.text = text;
	rc = read_head(&l, &format);
	if (rc == 0)
		rc = fill(&l, to, format);
	store_close(l.store);
	buf_fini(&l.line);
	buf_fini(&l.key);
	buf_fini(&l.value);
	return rc;
}
