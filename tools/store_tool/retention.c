/* The name of a backup says when it was made: vakt-20261201T031500Z.mdb, in UTC.  Their order is
 * that of their names; other files are not touched. */
#include "store_tool/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "program/command_line.h"
#include "store/store_files.h"

#define NAME_FORMAT "vakt-%Y%m%dT%H%M%SZ.mdb"
#define NAME_SHAPE  "vakt-00000000T000000Z.mdb"
#define NAME_BYTES  sizeof(NAME_SHAPE)
#define DAY_S       86400

static void name_of(time_t when, char name[NAME_BYTES])
{
	struct tm tm;

	(void)gmtime_r(&when, &tm);
	if (strftime(name, NAME_BYTES, NAME_FORMAT, &tm) == 0)
		name[0] = '\0';
}

static bool is_backup(const char *name)
{
	if (strlen(name) != sizeof(NAME_SHAPE) - 1)
		return false;
	for (size_t i = 0; name[i] != '\0'; i++) {
		bool is_digit = name[i] >= '0' && name[i] <= '9';

		if (NAME_SHAPE[i] == '0' ? !is_digit : name[i] != NAME_SHAPE[i])
			return false;
	}
	return true;
}

static int select_backup(const struct dirent *entry)
{
	return is_backup(entry->d_name);
}

/* Of `count` names, oldest first: how many are too many.  The newest is never one of them. */
static size_t count_excess(struct dirent **found, size_t count, const struct retention *r)
{
	char oldest[NAME_BYTES];
	size_t excess = r->count > 0 && count > r->count ? count - r->count : 0;

	if (r->count == 0)
		excess = count - 1;
	if (r->days == 0)
		return excess;
	name_of(time(NULL) - (time_t)r->days * DAY_S, oldest);
	for (size_t i = 0; i < excess; i++) {
		/* mutant: retention_days */
		if (strcmp(found[i]->d_name, oldest) >= 0)
			return i;
	}
	return excess;
}

static int remove_excess(const char *directory, const struct retention *r)
{
	struct dirent **found;
	int count = scandir(directory, &found, select_backup, alphasort), rc = 0;
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t excess = count > 0 ? count_excess(found, (size_t)count, r) : 0;

	if (count < 0 || dir < 0)
		rc = report_error(EXIT_FAILED, "%s: old backups cannot be removed: %s", directory,
		                  strerror(errno));
	for (int i = 0; i < count; i++) {
		if ((size_t)i < excess && rc == 0 && unlinkat(dir, found[i]->d_name, 0) != 0)
			rc = report_error(EXIT_FAILED, "%s/%s cannot be removed: %s", directory,
			                  found[i]->d_name, strerror(errno));
		free(found[i]);
	}
	if (count >= 0)
		free(found);
	if (dir >= 0)
		close(dir);
	return rc;
}

int retention_backup(const char *path, const char *directory, const struct retention *r)
{
	char text[STORE_ERROR_TEXT], name[NAME_BYTES];
	struct stat st;
	char *to;
	int rc;

	if (stat(directory, &st) != 0 || !S_ISDIR(st.st_mode))
		return report_error(
		    EXIT_FAILED,
		    "%s is no directory: --keep and --keep-days are for a directory "
		    "of backups",
		    directory);
	name_of(time(NULL), name);
	to = xasprintf("%s/%s", directory, name);
	rc = store_files_backup(path, to, text);
	free(to);
	if (rc != 0)
		return report_error(EXIT_FAILED, "%s", text);
	printf("%s\n", text);
	return remove_excess(directory, r);
}
