/* See store_progress.h. */
#include "store/store_progress.h"

#include <stddef.h>

static const struct store_progress *watching;

void store_progress_watch(const struct store_progress *watcher)
{
	watching = watcher;
}

void store_progress_begin(const char *what, uint64_t total, int fd)
{
	if (watching != NULL)
		watching->begin(what, total, fd);
}

void store_progress_advance(uint64_t more)
{
	if (watching != NULL)
		watching->advance(more);
}

void store_progress_end(void)
{
	if (watching != NULL)
		watching->end();
}
