/* See store_source.h. */
#include "store_tool/store_source.h"

#include <inttypes.h>
#include <unistd.h>

#include "program/command_line.h"

void store_source_close(struct store_source *s)
{
	store_close(s->store);
	if (s->lock >= 0)
		close(s->lock);
}

int store_source_read(struct store_source *s, verify_row_fn *row, void *arg)
{
	char text[STORE_ERROR_TEXT] = "";

	if (store_files_check(s->path, row, arg, &s->report, text) == 0)
		return 0;
	if (s->report.damages > 1)
		return report_error(EXIT_FAILED, "%s; more damage was found, %" PRIu64 " in all",
		                    text, s->report.damages);
	return report_error(EXIT_FAILED, "%s", text);
}

int store_source_beside(struct store_source *s)
{
	char text[STORE_ERROR_TEXT];

	if (store_files_read(s->path, &s->format, text, &s->store) != 0)
		return report_error(EXIT_FAILED, "%s", text);
	return 0;
}

bool store_source_open(struct store_source *s, const char *path)
{
	*s = (struct store_source){.path = path};
	return store_files_hold(path, &s->lock, &s->pid);
}
