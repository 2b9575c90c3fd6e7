/* See journal_page.h. */
#include "journal/journal_page.h"

#include <stdlib.h>

#include "journal/journal_ops.h"

void journal_page_fini(struct journal_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		msg_unref(&page->items[i].msg);
	free(page->items);
	page->items = NULL;
	page->count = 0;
	buf_fini(&page->bytes);
}

void journal_page_answer_empty(struct journal_page *page, struct journal *j, int status)
{
	page->status = status;
	page->more = status != 0;
	page->read_to = status == 0 ? j->next_position - 1 : page->from - (page->from > 0);
	executor_send(page->executor, &page->task);
}
