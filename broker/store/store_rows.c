/* As broker-store does. */
#include "store/store_rows.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/store_files.h"

struct row_reader {
	enum store_table table;
	verify_row_fn *row;
	void *arg;
};

static bool on_row(void *arg, struct slice key, struct slice value)
{
	struct row_reader *reader = arg;

	reader->row(reader->arg, reader->table, key, value);
	return true;
}

static int read_beside(const char *directory, struct row_reader *reader,
                       char text[STORE_ERROR_TEXT])
{
	struct store *store = NULL;
	unsigned tables;
	uint32_t format;
	int rc = store_files_read(directory, &format, text, &store);

	if (rc != 0)
		return rc;
	tables = store_format_tables(&store_formats, format);
	store_begin(store);
	for (unsigned table = 0; table < tables; table++) {
		reader->table = (enum store_table)table;
		store_scan(store, reader->table, SLICE_EMPTY, on_row, reader);
	}
	rc = store_commit(store);
	if (rc != 0)
		(void)snprintf(text, STORE_ERROR_TEXT, "%s", strerror(-rc));
	store_close(store);
	return rc;
}

int store_rows_read(const char *directory, verify_row_fn *row, void *arg,
                    char text[STORE_ERROR_TEXT])
{
	struct row_reader reader = {.row = row, .arg = arg};
	struct verify_report report;
	long pid;
	int lock, rc;

	if (!store_files_hold(directory, &lock, &pid))
		return read_beside(directory, &reader, text);
	rc = store_files_check(directory, row, arg, &report, text);
	if (report.lmdb_version != 0)
		rc = read_beside(directory, &reader, text);
	if (lock >= 0)
		close(lock);
	return rc;
}
