/* Each client is known by its id and user; a connection that is new counts from its beginning. */
#include "ctl/ctl_top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"

#define WAIT_S       2
#define ROWS_DEFAULT 24
#define ROWS_BESIDES 3 /* titles, and where the cursor is */

static const char *const counted[] = {"messages_in", "messages_out", "bytes_in", "bytes_out"};

struct top_client {
	char *name; /* id, a separator, user */
	uint64_t connected_s, at_ms;
	uint64_t counts[ARRAY_LEN(counted)];
	uint64_t rates[ARRAY_LEN(counted)];
	struct buf line; /* the row, with rates in place of counts */
};

struct top_list {
	struct top_client *items;
	size_t count, cap;
};

struct ctl_top {
	struct top_list before, now;
};

static void list_fini(struct top_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		buf_fini(&list->items[i].line);
	}
	free(list->items);
	*list = (struct top_list){.count = 0};
}

struct ctl_top *ctl_top_new(void)
{
	struct ctl_top *top = xnew(top);

	return top;
}

void ctl_top_free(struct ctl_top *top)
{
	if (top == NULL)
		return;
	list_fini(&top->before);
	list_fini(&top->now);
	free(top);
}

/* --- what it did in a second --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct top_client *)a)->name, ((const struct top_client *)b)->name);
}

static const struct top_client *find_before(const struct ctl_top *top, const struct top_client *c)
{
	const struct top_list *list = &top->before;

	if (list->count == 0)
		return NULL;
	return bsearch(c, list->items, list->count, sizeof(*c), by_name);
}

static uint64_t number_of(const struct json_object *row, const char *name)
{
	const struct json_member *m = json_find(row, name);

	return m == NULL || m->kind != JSON_NUMBER ? 0 : m->number;
}

static void set_rates(struct top_client *c, const struct top_client *before)
{
	uint64_t ms = c->connected_s * 1000;
	bool goes_on = before != NULL && before->connected_s <= c->connected_s &&
	               before->counts[0] <= c->counts[0] && before->counts[1] <= c->counts[1];

	/* mutant: top_counts_from_before */
	if (goes_on)
		ms = c->at_ms - before->at_ms;
	for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
		uint64_t count = c->counts[i];

		if (goes_on)
			count -= before->counts[i] < count ? before->counts[i] : count;
		c->rates[i] = count * 1000 / (ms == 0 ? 1000 : ms);
	}
}

/* The index of what is counted under this name; ARRAY_LEN(counted): nothing is. */
static size_t counted_as(struct slice name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(counted) && !slice_equal(name, slice_of_str(counted[i])))
		i++;
	return i;
}

static void put_row(struct top_client *c, const struct json_object *row)
{
	json_open(&c->line);
	for (size_t i = 0; i < row->count; i++) {
		const struct json_member *m = &row->members[i];
		size_t at = counted_as(m->name);
		char *name = slice_dup(m->name);

		if (m->kind == JSON_TEXT)
			json_text(&c->line, name, m->text);
		else if (m->kind == JSON_NUMBER)
			json_number(&c->line, name,
			            at < ARRAY_LEN(counted) ? c->rates[at] : m->number);
		else if (m->kind == JSON_BOOL)
			json_bool(&c->line, name, m->number != 0);
		free(name);
	}
	json_close(&c->line);
}

void ctl_top_take(struct ctl_top *top, const struct json_object *row, uint64_t now_ms)
{
	struct slice id = json_text_of(row, "client_id"), user = json_text_of(row, "user");
	struct top_client c = {.at_ms = now_ms, .connected_s = number_of(row, "connected_s")};

	REQUIRE(row->count > 0);
	c.name = xasprintf("%.*s\x1f%.*s", (int)id.len, (const char *)id.data, (int)user.len,
	                   (const char *)user.data);
	for (size_t i = 0; i < ARRAY_LEN(counted); i++)
		c.counts[i] = number_of(row, counted[i]);
	set_rates(&c, find_before(top, &c));
	put_row(&c, row);
	array_reserve(top->now.items, top->now.cap, top->now.count + 1);
	top->now.items[top->now.count++] = c;
}

/* --- the table --- */

static int by_rate(const void *a, const void *b)
{
	const struct top_client *x = a, *y = b;
	uint64_t left = x->rates[0] + x->rates[1], right = y->rates[0] + y->rates[1];

	if (left != right)
		return left > right ? -1 : 1;
	return by_name(a, b);
}

void ctl_top_put(struct ctl_top *top, const struct column *columns, size_t column_count, size_t max,
                 struct buf *out)
{
	struct ctl_table table = {.columns = columns, .column_count = column_count};
	struct top_list *now = &top->now;

	REQUIRE(column_count > 0 && max > 0);
	if (now->count > 0)
		qsort(now->items, now->count, sizeof(*now->items), by_rate);
	for (size_t i = 0; i < now->count && i < max; i++) {
		struct json_object row;
		struct slice line = buf_slice(&now->items[i].line);

		if (!json_parse(slice_of(line.data, line.len - 1), &row))
			continue;
		ctl_table_add(&table, &row);
		json_fini(&row);
	}
	ctl_table_print(&table, out);
	ctl_table_fini(&table);
	if (now->count > 0)
		qsort(now->items, now->count, sizeof(*now->items), by_name);
	list_fini(&top->before);
	top->before = *now;
	*now = (struct top_list){.count = 0};
}

void ctl_top_show(struct ctl_top *top, const struct column *columns, size_t column_count)
{
	struct winsize size = {.ws_row = 0};
	struct buf out = {0};
	size_t rows = ROWS_DEFAULT;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > ROWS_BESIDES + 1)
		rows = size.ws_row;
	buf_printf(&out,
	           "\x1b[H\x1b[J" /* from the top, and clear what stood there */
	           "In a second, the busiest of %zu clients; Ctrl-C ends it.\n",
	           top->now.count);
	ctl_top_put(top, columns, column_count, rows - ROWS_BESIDES, &out);
	fwrite(out.data, 1, out.len, stdout);
	(void)fflush(stdout);
	buf_fini(&out);
	sleep(WAIT_S);
}
