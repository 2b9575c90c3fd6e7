/* A store as a later version would have it: `next_format DIRECTORY upgrade` opens it with a format
 * that is newer than the broker's, `next_format DIRECTORY show` only reads it.  Both print its
 * format and what is in the tables that the broker knows, as one number. */
#include "next_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "store/store_backend.h"
#include "store/store_lock.h"
#include "store/store_open.h"
#include "store/store_verify.h"

static void add_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	uint64_t *hash = arg;

	if (table == TABLE_NEXT || (table == TABLE_META && (slice_equal(key, STORE_ROW_COMMIT) ||
	                                                    slice_equal(key, STORE_ROW_FORMAT))))
		return;
	*hash = XXH3_64bits_withSeed(key.data, key.len, *hash + (uint64_t)table);
	*hash = XXH3_64bits_withSeed(value.data, value.len, *hash + key.len);
}

static int upgrade(const char *directory)
{
	const struct store_options options = {.directory = directory, .formats = next_formats()};
	char text[STORE_ERROR_TEXT];
	struct store *d;

	if (store_open(&options, text, &d) != 0) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	store_close(d);
	return 0;
}

static int show(const char *directory)
{
	char *path = xasprintf("%s/%s", directory, STORE_DATA_FILE);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct verify_report report = {0};
	uint64_t hash = 0;
	int rc = fd < 0 ? -errno : store_verify_file(fd, next_formats(), add_row, &hash, &report);

	if (rc != 0)
		fprintf(stderr, "%s: %s\n", path, fd < 0 ? strerror(-rc) : report.text);
	else
		printf("format=%" PRIu32 " rows=%016" PRIx64 " sessions=%" PRIu64 " next=%" PRIu64
		       "\n",
		       report.format, hash, report.rows[TABLE_SESSION], report.rows[TABLE_NEXT]);
	if (fd >= 0)
		close(fd);
	free(path);
	return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[2], "show") == 0)
		return show(argv[1]);
	if (argc == 3 && strcmp(argv[2], "upgrade") == 0)
		return upgrade(argv[1]) == 0 ? show(argv[1]) : 1;
	fputs("usage: next_format DIRECTORY upgrade | show\n", stderr);
	return 2;
}
