/* Collecting what is wrong with files, and saying it in order.  Whatever stands in a file ends up
 * as one printable line.  Thread: the caller's. */
#include "conf/errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/log.h"
#include "base/require.h"
#include "base/utf8.h"

#define TEXT_MAX ((size_t)1000) /* bytes of one message */

/* Control characters and bytes that are not UTF-8 become \xNN: a terminal must not obey a file. */
static char *printable(const char *text)
{
	struct slice rest = slice_of_str(text);
	struct buf out = {0};

	while (rest.len > 0 && out.len < TEXT_MAX) {
		uint32_t code_point = 0;
		size_t n = utf8_decode(rest, &code_point);

		if (n == 0 || utf8_is_unsafe(code_point)) {
			n = n == 0 ? 1 : n;
			for (size_t i = 0; i < n; i++)
				buf_printf(&out, "\\x%02x", rest.data[i]);
		} else {
			buf_put(&out, rest.data, n);
		}
		rest = slice_skip(rest, n);
	}
	if (rest.len > 0)
		buf_put_slice(&out, SLICE("..."));
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

static size_t listed_count(const struct errors *e, bool warning)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->count; i++)
		kept += e->items[i].warning == warning;
	return kept;
}

/* Several listeners may have one certificate: what is wrong with it is said once. */
static bool is_repeated(const struct errors *e, const struct error_item *item)
{
	for (size_t i = 0; i < e->count; i++) {
		const struct error_item *other = &e->items[i];

		/* mutant: said_once */
		if (other->line == item->line && other->column == item->column &&
		    other->warning == item->warning && strcmp(other->text, item->text) == 0 &&
		    strcmp(other->file, item->file) == 0)
			return true;
	}
	return false;
}

__attribute__((format(printf, 3, 0))) static void put(struct errors *e, struct error_item item,
                                                      const char *format, va_list args)
{
	char *text;

	if (item.warning)
		e->warning_count++;
	else
		e->error_count++;
	if (listed_count(e, item.warning) >= ERRORS_MAX)
		return;
	text = xalloc(TEXT_MAX * 2);
	vsnprintf(text, TEXT_MAX * 2, format, args);
	item.text = printable(text);
	free(text);
	item.file = printable(item.file == NULL ? "" : item.file);
	if (is_repeated(e, &item)) {
		e->repeated_count[item.warning]++;
		free(item.text);
		free(item.file);
		return;
	}
	array_extend(e->items, e->count);
	e->items[e->count++] = item;
}

/* Where the file first appears: files keep the order in which they were read. */
static size_t file_rank(const struct errors *e, const char *file)
{
	size_t i = 0;

	while (i < e->count && strcmp(e->items[i].file, file) != 0)
		i++;
	return i;
}

struct ranked {
	size_t file, index;
	struct error_item item;
};

static int by_place(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->item.line != b->item.line)
		return a->item.line < b->item.line ? -1 : 1;
	if (a->item.column != b->item.column)
		return a->item.column < b->item.column ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void sort(struct errors *e)
{
	struct ranked *ranked;

	if (e->count < 2)
		return;
	ranked = xcalloc(e->count, sizeof(*ranked));
	for (size_t i = 0; i < e->count; i++)
		ranked[i] = (struct ranked){file_rank(e, e->items[i].file), i, e->items[i]};
	qsort(ranked, e->count, sizeof(*ranked), by_place);
	for (size_t i = 0; i < e->count; i++)
		e->items[i] = ranked[i].item;
	free(ranked);
}

static void put_place(struct buf *out, const struct error_item *item)
{
	buf_printf(out, "%s", item->file);
	if (item->line > 0)
		buf_printf(out, ":%u", item->line);
	if (item->line > 0 && item->column > 0)
		buf_printf(out, ":%u", item->column);
}

static size_t not_kept(const struct errors *e, bool warnings)
{
	size_t kept = listed_count(e, warnings) + e->repeated_count[warnings];
	size_t all = warnings ? e->warning_count : e->error_count;

	REQUIRE(kept <= all);
	return all - kept;
}

void errors_fini(struct errors *e)
{
	for (size_t i = 0; i < e->count; i++) {
		free(e->items[i].file);
		free(e->items[i].text);
	}
	free(e->items);
	*e = (struct errors){0};
}

/* The item borrows `file` until put() copies it. */
static struct error_item item_at(const char *file, unsigned line, unsigned column, bool warning)
{
	struct error_item item = {.line = line, .column = column, .warning = warning};

	memcpy(&item.file, &file, sizeof(file));
	return item;
}

void errors_add(struct errors *e, const char *file, unsigned line, unsigned column,
                const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(e, item_at(file, line, column, false), format, args);
	va_end(args);
}

void errors_warn(struct errors *e, const char *file, unsigned line, unsigned column,
                 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(e, item_at(file, line, column, true), format, args);
	va_end(args);
}

void errors_warn_unlogged(struct errors *e, const char *file, unsigned line, unsigned column,
                          const char *format, ...)
{
	struct error_item item = item_at(file, line, column, true);
	va_list args;

	item.unlogged = true;
	va_start(args, format);
	put(e, item, format, args);
	va_end(args);
}

void errors_note_cause(struct errors *e, int error)
{
	static const int passing[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN,
	                              EINTR,  EIO,    ESTALE, EBUSY,   ETIMEDOUT};

	REQUIRE(error >= 0);
	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		e->may_pass |= error == passing[i];
}

char *errors_text(struct errors *e)
{
	struct buf out = {0};

	sort(e);
	for (size_t i = 0; i < e->count; i++) {
		put_place(&out, &e->items[i]);
		buf_printf(&out, ": %s: %s\n", e->items[i].warning ? "warning" : "error",
		           e->items[i].text);
	}
	if (not_kept(e, false) > 0)
		buf_printf(&out, "and %zu more errors\n", not_kept(e, false));
	if (not_kept(e, true) > 0)
		buf_printf(&out, "and %zu more warnings\n", not_kept(e, true));
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

void errors_log(struct errors *e)
{
	sort(e);
	for (size_t i = 0; i < e->count; i++) {
		struct buf where = {0};

		if (e->items[i].unlogged)
			continue;
		put_place(&where, &e->items[i]);
		if (e->items[i].warning)
			LOG(CONFIG_WARNING, .where = buf_slice(&where),
			    .warning = e->items[i].text);
		else
			LOG(CONFIG_ERROR, .where = buf_slice(&where), .error = e->items[i].text);
		buf_fini(&where);
	}
}
