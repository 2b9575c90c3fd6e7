/* What the files of the writer share: changes of rows, and groups that are done with. */
#include "journal/writer.h"

#include <errno.h>

#include "journal/journal_group.h"

int writer_put(struct writer *w, enum store_table table, struct slice key, struct slice value)
{
	w->wrote = true;
	return store_put(w->store, table, key, value);
}

int writer_remove(struct writer *w, enum store_table table, struct slice key)
{
	int rc = store_delete(w->store, table, key);

	if (rc == 0)
		w->wrote = true;
	return rc == -ENOENT ? 0 : rc;
}

void writer_complete(struct writer *w, struct journal_group *g)
{
	w->gone_groups++;
	w->written_bytes += g->bytes;
	if (g->done == NULL)
		journal_group_release(g);
	else
		journal_group_complete(g, 0);
}
