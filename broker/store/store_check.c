/* See store_check.h. */
#include "store/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

int store_check_explain(char text[STORE_ERROR_TEXT], int error, const char *path, const char *what)
{
	(void)snprintf(text, STORE_ERROR_TEXT, "%s %s: %s", path, what, strerror(error));
	return -error;
}

void store_check_remove_lock(const char *path)
{
	char *lock = xasprintf("%s-lock", path);

	(void)unlink(lock);
	free(lock);
}

static int check_verified(const struct store_check *check, const struct verify_report *report,
                          char text[STORE_ERROR_TEXT])
{
	if (report->format > check->formats->newest)
		return store_format_refuse(report->format, check->formats->newest, text);
	if (report->transaction >= check->last_commit.transaction)
		return 0;
	(void)snprintf(text, STORE_ERROR_TEXT,
	               "%s is older than what was acknowledged: it ends with transaction %" PRIu64
	               ", there were %" PRIu64,
	               check->path, report->transaction, check->last_commit.transaction);
	return -EBADMSG;
}

int store_check_explain_report(int rc, const char *path, const struct verify_report *report,
                               char text[STORE_ERROR_TEXT])
{
	(void)snprintf(text, STORE_ERROR_TEXT, "%s %s: %.300s", path,
	               report->lmdb_version != 0 ? "was not verified" : "is damaged", report->text);
	return rc;
}

int store_check_content(int fd, const struct store_check *check, struct verify_report *report,
                        char text[STORE_ERROR_TEXT])
{
	int rc = store_verify_file(fd, check->formats, check->row, check->arg, report);

	return rc == 0 ? check_verified(check, report, text)
	               : store_check_explain_report(rc, check->path, report, text);
}

int store_check_file(const struct store_check *check, bool *there, char text[STORE_ERROR_TEXT])
{
	int fd = open(check->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	struct verify_report report;
	struct stat st = {0};

	*there = false;
	if (fd < 0 && errno != ENOENT)
		return store_check_explain(text, errno, check->path, "cannot be opened");
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		rc = store_check_explain(text, EINVAL, check->path, "is not a regular file");
	} else if (st.st_size > 0) {
		*there = true;
		rc = store_check_content(fd, check, &report, text);
		if (report.lmdb_version != 0) {
			LOG(STORE_UNVERIFIED, .path = check->path, .found = report.lmdb_version,
			    .known = LMDB_PAGE_VERSION);
			rc = 0; /* LMDB knows whether it can read it */
		}
	} else if (check->last_commit.written) {
		(void)snprintf(text, STORE_ERROR_TEXT, "%s is %s, although there was a store",
		               check->path, fd < 0 ? "missing" : "empty");
		rc = -EBADMSG;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

void store_check_add_remedy(const char *directory, char text[STORE_ERROR_TEXT])
{
	size_t len = strlen(text);

	(void)snprintf(text + len, STORE_ERROR_TEXT - len,
	               "; see `broker-store %s check`, restore a backup with `broker-store %s "
	               "restore FROM`, or move the directory away to start with an empty store",
	               directory, directory);
}
