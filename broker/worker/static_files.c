/* Names are compared as they are: what is not in the table does not exist. */
#include "worker/static_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/require.h"
#include "conf/conf_file.h"

static const struct {
	const char *end, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
};

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* NULL: not known. */
static const char *type_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (ends_with(name, types[i].end))
			return types[i].type;
	}
	return NULL;
}

static bool is_plain(const char *name)
{
	if (name[0] == '.')
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    !(*p >= '0' && *p <= '9') && strchr("-._", *p) == NULL)
			return false;
	}
	return true;
}

/* "app-0123456789.js": eight or more digits of a hash. */
static bool has_hash(const char *name)
{
	const char *dash = strrchr(name, '-');
	size_t digits = dash == NULL ? 0 : strspn(dash + 1, "0123456789abcdefABCDEF");

	return digits >= 8 && dash[1 + digits] == '.';
}

static void put_tag(struct slice bytes, char tag[STATIC_FILE_TAG_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[32];
	char *at = tag;

	crypto_sha256(bytes, digest);
	*at++ = '"';
	for (size_t i = 0; i < 8; i++) {
		*at++ = digits[digest[i] >> 4];
		*at++ = digits[digest[i] & 15];
	}
	*at++ = '"';
	*at = '\0';
}

/* False: an error was added. */
static bool read_file(const char *directory, const char *name, struct buf *out,
                      struct errors *errors)
{
	char *path = xasprintf("%s/%s", directory, name);
	struct conf_file file = {
	    .path = path, .what = "dashboard file", .max_bytes = STATIC_FILE_BYTES};
	bool ok = conf_read_file(&file, out, errors) == 0;

	free(path);
	return ok;
}

static bool has_entry(struct dirent *const *entries, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(entries[i]->d_name, name) == 0)
			return true;
	}
	return false;
}

static bool add_file(struct static_files *files, const char *directory, struct dirent **entries,
                     int count, const char *name, struct errors *errors)
{
	char *packed = xasprintf("%s.gz", name);
	struct static_file *f;
	bool ok;

	array_reserve(files->items, files->cap, files->count + 1);
	f = &files->items[files->count++];
	*f = (struct static_file){
	    .name = xstrdup(name), .content_type = type_of(name), .immutable = has_hash(name)};
	ok = read_file(directory, name, &f->bytes, errors);
	if (ok && has_entry(entries, count, packed))
		ok = read_file(directory, packed, &f->gzip, errors);
	put_tag(buf_slice(&f->bytes), f->tag);
	put_tag(buf_slice(&f->gzip), f->gzip_tag);
	free(packed);
	return ok;
}

static bool add_entries(struct static_files *files, const char *directory, struct dirent **entries,
                        int count, struct errors *errors)
{
	bool ok = true;

	for (int i = 0; i < count && ok; i++) {
		const char *name = entries[i]->d_name;

		if (!is_plain(name) || type_of(name) == NULL)
			continue;
		if (files->count == STATIC_FILES_MAX) {
			errors_add(errors, directory, 0, 0,
			           "more than %d files: a dashboard has a few; name its folder",
			           STATIC_FILES_MAX);
			return false;
		}
		ok = add_file(files, directory, entries, count, name, errors);
	}
	return ok;
}

static void cannot_read(const char *directory, struct errors *errors)
{
	errors_note_cause(errors, errno);
	if (errno == ENOENT)
		errors_add(errors, directory, 0, 0,
		           "there is no such folder, and the dashboard is served from there: "
		           "install its files, name their folder with dashboard: {directory: "
		           "PATH}, or take dashboard out of serve");
	else
		errors_add(errors, directory, 0, 0,
		           "the folder of the dashboard cannot be read: %s",
		           strerror(errno)); /* NOLINT(concurrency-mt-unsafe): main's */
}

struct static_files *static_files_load(const char *directory, struct errors *errors)
{
	struct static_files *files = xnew(files);
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, NULL, alphasort);
	bool ok = count >= 0;

	REQUIRE(directory[0] != '\0');
	if (!ok)
		cannot_read(directory, errors);
	ok = ok && add_entries(files, directory, entries, count, errors);
	if (ok && static_files_find(files, SLICE("index.html")) == NULL) {
		errors_add(errors, directory, 0, 0,
		           "there is no index.html: this is not the folder of the dashboard");
		ok = false;
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	if (ok)
		return files;
	static_files_free(files);
	return NULL;
}

void static_files_free(struct static_files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].name);
		buf_fini(&files->items[i].bytes);
		buf_fini(&files->items[i].gzip);
	}
	free(files->items);
	free(files);
}

const struct static_file *static_files_find(const struct static_files *files, struct slice name)
{
	for (size_t i = 0; i < files->count; i++) {
		if (slice_equal(slice_of_str(files->items[i].name), name))
			return &files->items[i];
	}
	return NULL;
}
