/* An array of strings that grows by one. */
#include "conf/value_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/conf.h"

void value_list_add(void *field, const char *text)
{
	struct conf_strings list;

	memcpy(&list, field, sizeof(list));
	list.items = xrealloc_array(list.items, list.count + 1, sizeof(*list.items));
	list.items[list.count++] = xstrdup(text);
	memcpy(field, &list, sizeof(list));
}

void value_list_clear(void *field)
{
	struct conf_strings list;

	memcpy(&list, field, sizeof(list));
	for (size_t i = 0; i < list.count; i++)
		free(list.items[i]);
	free(list.items);
	memset(field, 0, sizeof(list));
}

void value_list_copy(void *to, const void *from)
{
	struct conf_strings list;

	memcpy(&list, from, sizeof(list));
	memset(to, 0, sizeof(list));
	for (size_t i = 0; i < list.count; i++)
		value_list_add(to, list.items[i]);
}
