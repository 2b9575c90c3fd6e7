/* Whether a file may be opened, and how it is said that it may not. */
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

int store_check_explain_damage(int rc, const char *path, const struct verify_report *report,
                               char text[STORE_ERROR_TEXT])
{
	(void)snprintf(text, STORE_ERROR_TEXT, "%s is damaged: %.200s", path, report->text);
	return rc;
}

int store_check_verdict(const char *path, const struct store_last_commit *last_commit,
                        const struct store_formats *formats, const struct verify_report *report,
                        char text[STORE_ERROR_TEXT])
{
	if (report->format > formats->newest)
		return store_format_refuse(report->format, formats->newest, text);
	if (report->transaction >= last_commit->transaction)
		return 0;
	(void)snprintf(text, STORE_ERROR_TEXT,
	               "%s is older than what was acknowledged: it ends with transaction %" PRIu64
	               ", there were %" PRIu64,
	               path, report->transaction, last_commit->transaction);
	return -EBADMSG;
}

static int verify_open_file(const char *path, int fd, const struct store_last_commit *last_commit,
                            const struct store_formats *formats, char text[STORE_ERROR_TEXT])
{
	struct verify_report report;
	int rc = store_verify_file(fd, formats, NULL, NULL, &report);

	return rc == 0 ? store_check_verdict(path, last_commit, formats, &report, text)
	               : store_check_explain_damage(rc, path, &report, text);
}

/* *there false: nothing is, and nothing ever was. */
int store_check_file(const char *path, const struct store_last_commit *last_commit,
                     const struct store_formats *formats, bool *there, char text[STORE_ERROR_TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st = {0};
	int rc;

	*there = fd >= 0;
	if (fd < 0 && errno != ENOENT)
		return store_check_explain(text, errno, path, "cannot be opened");
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return store_check_explain(text, EINVAL, path, "is no file");
	}
	if (fd >= 0 && st.st_size > 0) {
		rc = verify_open_file(path, fd, last_commit, formats, text);
		close(fd);
		return rc;
	}
	if (fd >= 0)
		close(fd);
	*there = false;
	if (!last_commit->written)
		return 0;
	(void)snprintf(text, STORE_ERROR_TEXT, "%s is %s, and there was one", path,
	               fd < 0 ? "missing" : "empty");
	return -EBADMSG;
}

void store_check_add_remedy(const char *directory, char text[STORE_ERROR_TEXT])
{
	size_t len = strlen(text);

	(void)snprintf(text + len, STORE_ERROR_TEXT - len,
	               "; see `broker-store %s check`, restore a backup with `broker-store %s "
	               "restore FROM`, or move the directory away to begin anew",
	               directory, directory);
}
