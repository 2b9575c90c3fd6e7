/* The first line has the format, the last one the number of rows: `load` takes no dump that was cut
 * off, or in which a row could not be read. */
#include "store_tool/store_dump.h"

#include <stdio.h>
#include <string.h>

#include "program/command_line.h"
#include "store/row_json.h"
#include "store/store_progress.h"
#include "store_tool/store_source.h"

struct dump_output {
	struct buf line;
	uint64_t rows;
};

static void print_line(struct dump_output *d)
{
	(void)fwrite(d->line.data, 1, d->line.len, stdout);
	buf_clear(&d->line);
}

static void dump_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	struct dump_output *d = arg;

	row_json_put(&d->line, table, key, value);
	print_line(d);
	d->rows++;
}

struct visit {
	struct dump_output *dump;
	enum store_table table;
};

static bool dump_visited(void *arg, struct slice key, struct slice value)
{
	const struct visit *v = arg;

	dump_row(v->dump, v->table, key, value);
	store_progress_advance(1);
	return !ferror(stdout);
}

static void dump_head(struct dump_output *d, uint32_t format)
{
	store_load_put_head(&d->line, format);
	print_line(d);
}

static uint64_t count_rows(struct store *store)
{
	struct store_status status;
	uint64_t rows = 0;

	store_status(store, &status);
	for (unsigned i = 0; i < TABLES; i++)
		rows += status.rows[i];
	return rows;
}

static int dump_beside(struct store_source *s, struct dump_output *d)
{
	int rc = store_source_beside(s);

	if (rc != 0)
		return rc;
	dump_head(d, s->format);
	store_progress_begin("reading", count_rows(s->store), -1);
	store_begin(s->store);
	for (unsigned i = 0; i < TABLES; i++) {
		struct visit v = {.dump = d, .table = i};

		store_scan(s->store, i, SLICE_EMPTY, dump_visited, &v);
	}
	rc = store_commit(s->store);
	store_progress_end();
	return rc == 0 ? 0 : report_error(EXIT_FAILED, "%s: %s", s->path, strerror(-rc));
}

static int dump_at_rest(struct store_source *s, struct dump_output *d)
{
	char text[STORE_ERROR_TEXT];
	uint32_t format = 0;

	/* What is wrong is said below; a damaged store may have no format. */
	if (store_files_format(s->path, &format, text) == 0 && format != 0)
		dump_head(d, format);
	return store_source_read(s, dump_row, d);
}

int store_dump(const char *path, const char *argument)
{
	struct dump_output d = {0};
	struct store_source s;
	int rc = 0;

	(void)argument;
	if (store_source_open(&s, path))
		rc = dump_at_rest(&s, &d);
	if (s.pid != 0 || s.report.lmdb_version != 0)
		rc = dump_beside(&s, &d);
	if (rc == 0) {
		store_load_put_end(&d.line, d.rows);
		print_line(&d);
	}
	store_source_close(&s);
	buf_fini(&d.line);
	return rc;
}
