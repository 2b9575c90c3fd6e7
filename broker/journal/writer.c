/* See writer.h. */
#include "journal/writer.h"

#include "journal/journal_group.h"

void writer_complete(struct writer *w, struct journal_group *g)
{
	REQUIRE_WRITER(w);
	w->gone_groups++;
	w->written_bytes += g->bytes;
	if (g->done == NULL)
		journal_group_release(g);
	else
		journal_group_complete(g, 0);
}
