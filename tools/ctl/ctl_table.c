/* Cells are kept as they will be shown, so that widths are known when all rows are here. */
#include "ctl/ctl_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "base/utf8.h"

static void put_seconds(struct buf *out, uint64_t s)
{
	if (s < 120)
		buf_printf(out, "%" PRIu64 "s", s);
	else if (s < (uint64_t)120 * 60)
		buf_printf(out, "%" PRIu64 "m", s / 60);
	else if (s < (uint64_t)48 * 3600)
		buf_printf(out, "%" PRIu64 "h", s / 3600);
	else
		buf_printf(out, "%" PRIu64 "d", s / 86400);
}

static struct buf *new_cell(struct ctl_table *t)
{
	array_reserve(t->cells, t->cell_cap, t->cell_count + 1);
	t->cells[t->cell_count] = (struct buf){0};
	return &t->cells[t->cell_count++];
}

static void fill_cell(struct buf *cell, const struct json_member *m, enum column_kind kind)
{
	if (m == NULL || m->kind == JSON_NULL)
		buf_put_u8(cell, '-');
	else if (m->kind == JSON_TEXT)
		utf8_put_printable(cell, m->text);
	else if (m->kind == JSON_BOOL)
		buf_put_slice(cell, m->number != 0 ? SLICE("yes") : SLICE("no"));
	else if (kind == COLUMN_SECONDS)
		put_seconds(cell, m->number);
	else
		buf_printf(cell, "%" PRIu64, m->number);
}

static void fill_payload(struct buf *cell, const struct json_object *row)
{
	const struct json_member *hex = json_find(row, "payload_hex");

	if (hex == NULL)
		fill_cell(cell, json_find(row, "payload"), COLUMN_PAYLOAD);
	else
		buf_printf(cell, "0x%.*s", (int)hex->text.len, (const char *)hex->text.data);
}

/* Those that are shown. */
static size_t columns_of(const struct ctl_table *t)
{
	bool hidden = t->hides_payload && t->columns[t->column_count - 1].kind == COLUMN_PAYLOAD;

	REQUIRE(t->column_count > hidden);
	return t->column_count - hidden;
}

void ctl_table_add(struct ctl_table *t, const struct json_object *row)
{
	for (size_t i = 0; i < columns_of(t); i++) {
		const struct column *column = &t->columns[i];

		if (column->kind == COLUMN_PAYLOAD)
			fill_payload(new_cell(t), row);
		else
			fill_cell(new_cell(t), json_find(row, column->member), column->kind);
	}
}

void ctl_table_add_pair(struct ctl_table *t, const char *name, const struct json_member *value)
{
	REQUIRE(t->column_count == 2);
	utf8_put_printable(new_cell(t), slice_of_str(name));
	fill_cell(new_cell(t), value, t->columns[1].kind);
}

/* --- printing --- */

/* Characters; wide and combining ones are taken for one. */
static size_t width_of(struct slice s)
{
	size_t width = 0;

	for (size_t i = 0; i < s.len; i++)
		width += (s.data[i] & 0xc0) != 0x80;
	return width;
}

static void put_blanks(struct buf *out, size_t count)
{
	buf_printf(out, "%*s", (int)count, "");
}

static bool is_left(enum column_kind kind)
{
	return kind == COLUMN_TEXT || kind == COLUMN_PAYLOAD;
}

static void put_row(const struct ctl_table *t, const struct slice *cells, const size_t *widths,
                    struct buf *out)
{
	for (size_t i = 0; i < columns_of(t); i++) {
		size_t blanks = widths[i] - width_of(cells[i]);
		bool last = i + 1 == columns_of(t);

		if (!is_left(t->columns[i].kind))
			put_blanks(out, blanks);
		buf_put_slice(out, cells[i]);
		if (is_left(t->columns[i].kind) && !last)
			put_blanks(out, blanks);
		buf_put_slice(out, last ? SLICE("\n") : SLICE("  "));
	}
}

static void read_row(const struct ctl_table *t, size_t row, struct slice *cells)
{
	for (size_t i = 0; i < columns_of(t); i++)
		cells[i] = row == 0 ? slice_of_str(t->columns[i].title)
		                    : buf_slice(&t->cells[(row - 1) * columns_of(t) + i]);
}

void ctl_table_print(const struct ctl_table *t, struct buf *out)
{
	struct slice cells[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t rows, first = t->no_titles ? 1 : 0;

	REQUIRE(columns_of(t) > 0 && columns_of(t) <= TABLE_COLUMNS_MAX);
	rows = 1 + t->cell_count / columns_of(t); /* the titles are row 0 */
	for (size_t row = first; row < rows; row++) {
		read_row(t, row, cells);
		for (size_t i = 0; i < columns_of(t); i++) {
			size_t width = width_of(cells[i]);

			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
	for (size_t row = first; row < rows; row++) {
		read_row(t, row, cells);
		put_row(t, cells, widths, out);
	}
}

void ctl_table_fini(struct ctl_table *t)
{
	for (size_t i = 0; i < t->cell_count; i++)
		buf_fini(&t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->cell_count = t->cell_cap = 0;
}
