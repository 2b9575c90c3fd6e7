/* Every file is written under another name, flushed, and renamed.  The lock is on a file of its
 * own, which stays: those that are replaced cannot carry it. */
#include "pki/pki_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "pki/pki_file.h"
#include "program/command_line.h"
#include "program/trust.h"

#define ISSUED "issued"
#define LOCK   "lock"
/* What is written and has not its name yet. The certificate of a pair gets this name once both are
 * written whole; until then it has the other. */
#define NEW  ".new"
#define PART ".part"

/* ---- files ---- */

/* The directory itself and issued/ are where names change. */
static int flush_names(const struct pki_directory *d)
{
	int fd = openat(d->fd, ISSUED, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fsync(d->fd) == 0 ? 0 : -errno;

	if (fd < 0)
		return rc == 0 && errno != ENOENT ? -errno : rc;
	if (fsync(fd) != 0 && rc == 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int rename_new(const struct pki_directory *d, const char *from, const char *to)
{
	return renameat(d->fd, from, d->fd, to) == 0 ? 0 : -errno;
}

static int cannot_write(const struct pki_directory *d, const char *name, int rc)
{
	return rc == 0 ? 0
	               : report_error(EXIT_FAILED,
	                              "cannot write %s/%s: %s; what was there before is unchanged",
	                              d->path, name, strerror(-rc));
}

int pki_directory_write(const struct pki_directory *d, const char *name, struct slice bytes,
                        mode_t mode)
{
	char *new_name = xasprintf("%s" NEW, name);
	int rc;

	REQUIRE(d->lock_fd >= 0);
	rc = pki_file_create(d->fd, new_name, bytes, mode, &d->st);
	if (rc == 0)
		rc = rename_new(d, new_name, name);
	if (rc == 0)
		rc = flush_names(d);
	free(new_name);
	return cannot_write(d, name, rc);
}

/* Put a pair whose files are both written in place. */
static int place_pair(const struct pki_directory *d, const char *stem)
{
	char *key = xasprintf("%s.key", stem), *new_key = xasprintf("%s.key" NEW, stem);
	char *certificate = xasprintf("%s.crt", stem);
	char *new_certificate = xasprintf("%s.crt" NEW, stem);
	int rc = pki_directory_has(d, new_key) ? rename_new(d, new_key, key) : 0;

	if (rc == 0)
		rc = rename_new(d, new_certificate, certificate);
	if (rc == 0)
		rc = flush_names(d);
	free(key);
	free(new_key);
	free(certificate);
	free(new_certificate);
	return rc;
}

int pki_directory_write_pair(const struct pki_directory *d, const char *stem,
                             struct slice certificate, struct slice key)
{
	char *new_key = xasprintf("%s.key" NEW, stem);
	char *new_certificate = xasprintf("%s.crt" NEW, stem);
	char *part = xasprintf("%s.crt" PART, stem);
	int rc = 0;

	REQUIRE(d->lock_fd >= 0);
	if (key.len > 0)
		rc = pki_file_create(d->fd, new_key, key, PKI_MODE_SECRET, &d->st);
	if (rc == 0)
		rc = pki_file_create(d->fd, part, certificate, PKI_MODE_PUBLIC, &d->st);
	if (rc == 0)
		rc = flush_names(d);
	if (rc == 0)
		rc = rename_new(d, part, new_certificate);
	if (rc == 0) {
		rc = place_pair(d, stem);
	} else {
		(void)unlinkat(d->fd, part, 0);
		(void)unlinkat(d->fd, new_key, 0);
	}
	free(part);
	free(new_key);
	free(new_certificate);
	return cannot_write(d, stem, rc);
}

int pki_directory_set_aside(const struct pki_directory *d, const char *name)
{
	char *old_name = xasprintf("%s.old", name);
	int rc = renameat(d->fd, name, d->fd, old_name) == 0 ? flush_names(d) : -errno;

	if (rc == 0)
		(void)report_error(
		    0, "note: %s/%s is %s now: it is not the key of the new certificate", d->path,
		    name, old_name);
	free(old_name);
	return cannot_write(d, name, rc);
}

int pki_directory_remove(const struct pki_directory *d, const char *name)
{
	if (unlinkat(d->fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return report_error(EXIT_FAILED, "cannot remove %s/%s: %s", d->path, name, strerror(errno));
}

bool pki_directory_has(const struct pki_directory *d, const char *name)
{
	return faccessat(d->fd, name, F_OK, 0) == 0;
}

static int read_at(int dir_fd, const char *directory, const char *name, struct buf *out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n = 1;
	int rc = 0;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT
		                       : report_error(EXIT_USAGE, "cannot read %s/%s: %s",
		                                      directory, name, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size > PKI_FILE_MAX)
		rc = report_error(EXIT_USAGE, "%s/%s is not a file of at most %zu bytes", directory,
		                  name, PKI_FILE_MAX);
	while (rc == 0 && n > 0 && out->len <= PKI_FILE_MAX) {
		buf_reserve(out, 65536);
		n = read(fd, out->data + out->len, 65536);
		if (n < 0)
			rc = report_error(EXIT_FAILED, "cannot read %s/%s: %s", directory, name,
			                  strerror(errno));
		else
			out->len += (size_t)n;
	}
	close(fd);
	return rc;
}

int pki_directory_read(const struct pki_directory *d, const char *name, struct buf *out)
{
	return read_at(d->fd, d->path, name, out);
}

bool pki_directory_has_key(const struct pki_directory *d, const char *name)
{
	return faccessat(d->keys_fd >= 0 ? d->keys_fd : d->fd, name, F_OK, 0) == 0;
}

int pki_directory_read_key(const struct pki_directory *d, const char *name, struct buf *out)
{
	return d->keys_fd >= 0 ? read_at(d->keys_fd, d->keys, name, out)
	                       : read_at(d->fd, d->path, name, out);
}

/* ---- what is in issued/ ---- */

/* Names first, then visits: a visit may rename. */
static size_t names_with(const struct pki_directory *d, const char *suffix, char ***names)
{
	int fd = openat(d->fd, ISSUED, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0, suffix_len = strlen(suffix);
	const struct dirent *entry;

	*names = NULL;
	if (listing == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(listing)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len <= suffix_len || strcmp(entry->d_name + len - suffix_len, suffix) != 0)
			continue;
		*names = xrealloc_array(*names, count + 1, sizeof(**names));
		(*names)[count++] = xstrndup(entry->d_name, len - suffix_len);
	}
	closedir(listing);
	return count;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int pki_directory_each(const struct pki_directory *d, const char *suffix,
                       int (*visit)(void *arg, const char *stem), void *arg)
{
	char **names;
	size_t count = names_with(d, suffix, &names);
	int rc = 0;

	if (count > 1)
		qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (rc == 0)
			rc = visit(arg, names[i]);
		free(names[i]);
	}
	free(names);
	return rc;
}

/* ---- after a kill ---- */

static int finish_pair(void *arg, const char *stem)
{
	const struct pki_directory *d = arg;
	char *path = xasprintf(ISSUED "/%s", stem);
	int rc = place_pair(d, path);

	free(path);
	return cannot_write(d, stem, rc);
}

static int remove_half(const struct pki_directory *d, const char *stem, const char *suffix)
{
	char *path = xasprintf(ISSUED "/%s%s", stem, suffix);
	int rc = pki_directory_remove(d, path);

	free(path);
	return rc;
}

static int remove_new(void *arg, const char *stem)
{
	return remove_half(arg, stem, NEW);
}

static int remove_part(void *arg, const char *stem)
{
	return remove_half(arg, stem, PART);
}

/* A certificate that was written whole has its key written before: both get their names. What else
 * is left was not finished, and was not promised. */
static int recover(struct pki_directory *d)
{
	static const char *const own[] = {
	    "index" NEW,         "server-ca.key" NEW, "server-ca.crt" NEW, "server-ca.crl" NEW,
	    "client-ca.key" NEW, "client-ca.crt" NEW, "client-ca.crl" NEW};
	int rc = pki_directory_each(d, ".crt" NEW, finish_pair, d);

	if (rc == 0)
		rc = pki_directory_each(d, NEW, remove_new, d);
	if (rc == 0)
		rc = pki_directory_each(d, PART, remove_part, d);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(own); i++)
		rc = pki_directory_remove(d, own[i]);
	return rc;
}

/* ---- opening ---- */

static int open_trusted(const char *path, int *fd)
{
	struct trust_request request = {
	    .path = path, .flags = O_RDONLY | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	int rc = 0;

	*fd = trust_open(&request, &why);
	if (*fd < 0 && why.len > 0)
		rc = report_error(EXIT_USAGE, "%s: %.*s", path, (int)why.len,
		                  (const char *)why.data);
	else if (*fd == -ENOENT)
		rc = -ENOENT;
	else if (*fd < 0)
		rc = report_error(EXIT_USAGE, "%s: %s", path, strerror(-*fd));
	buf_fini(&why);
	return rc;
}

static int open_or_create(struct pki_directory *d, bool create)
{
	int rc = open_trusted(d->path, &d->fd);

	if (rc == -ENOENT && create) {
		if (mkdir(d->path, 0700) != 0)
			return report_error(EXIT_USAGE, "cannot make the directory %s: %s", d->path,
			                    strerror(errno));
		rc = open_trusted(d->path, &d->fd);
	}
	if (rc == -ENOENT)
		return report_error(EXIT_USAGE,
		                    "there is no PKI in %s (no such directory); 'broker-pki -d %s "
		                    "init' makes one",
		                    d->path, d->path);
	if (rc == 0 && fstat(d->fd, &d->st) != 0)
		return report_error(EXIT_FAILED, "%s: %s", d->path, strerror(errno));
	return rc;
}

static int make_issued(const struct pki_directory *d)
{
	if (mkdirat(d->fd, ISSUED, 0700) == 0) {
		int fd = openat(d->fd, ISSUED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int rc = fd < 0 ? -errno : pki_file_give(fd, &d->st);

		if (fd >= 0)
			close(fd);
		return cannot_write(d, ISSUED, rc);
	}
	return errno == EEXIST ? 0 : cannot_write(d, ISSUED, -errno);
}

static int take_lock(struct pki_directory *d)
{
	d->lock_fd = openat(d->fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->lock_fd < 0)
		return cannot_write(d, LOCK, -errno);
	if (flock(d->lock_fd, LOCK_EX) != 0)
		return report_error(EXIT_FAILED, "cannot lock %s/" LOCK ": %s", d->path,
		                    strerror(errno));
	return cannot_write(d, LOCK, pki_file_give(d->lock_fd, &d->st));
}

int pki_directory_open(struct pki_directory *d, const char *path, const char *keys,
                       enum pki_access access)
{
	int rc;

	*d = (struct pki_directory){
	    .path = path, .keys = keys, .fd = -1, .lock_fd = -1, .keys_fd = -1};
	rc = open_or_create(d, access == PKI_CREATE);
	if (rc == 0 && keys != NULL) {
		rc = open_trusted(keys, &d->keys_fd);
		if (rc == -ENOENT)
			rc = report_error(
			    EXIT_USAGE,
			    "--keys: there is no directory %s; is the disk with the CA's "
			    "keys mounted?",
			    keys);
	}
	if (rc != 0 || access == PKI_READ)
		return rc;
	rc = take_lock(d);
	if (rc == 0)
		rc = make_issued(d);
	return rc == 0 ? recover(d) : rc;
}

void pki_directory_close(struct pki_directory *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	if (d->keys_fd >= 0)
		close(d->keys_fd);
	d->fd = d->lock_fd = d->keys_fd = -1;
}
