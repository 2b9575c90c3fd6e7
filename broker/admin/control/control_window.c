/* Rows are kept sorted; of a window only as many as it has. */
#include "admin/control/control_window.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "worker/worker.h"

struct window_row {
	char *key;
	size_t key_len;
	struct buf line;
};

struct control_window {
	size_t limit; /* 0: all */
	struct slice after;
	struct window_row *rows;
	size_t count, cap, at;
};

static void row_fini(struct window_row *row)
{
	free(row->key);
	buf_fini(&row->line);
}

static void window_free(void *state)
{
	struct control_window *w = state;

	for (size_t i = 0; i < w->count; i++)
		row_fini(&w->rows[i]);
	free(w->rows);
	free(w);
}

/* 0: it is no number in range. */
static size_t limit_of(struct slice text)
{
	size_t limit = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || limit > WINDOW_LIMIT_MAX)
			return 0;
		limit = limit * 10 + (size_t)(text.data[i] - '0');
	}
	return limit > WINDOW_LIMIT_MAX ? 0 : limit;
}

bool control_window_is_wanted(const struct control_query *q)
{
	return json_find(&q->request, "limit") != NULL || json_find(&q->request, "after") != NULL;
}

struct control_window *control_window_of(struct control_query *q)
{
	const struct json_member *limit = json_find(&q->request, "limit");
	struct control_window *w = q->state;

	REQUIRE(w == NULL || q->free_state == window_free);
	if (w != NULL)
		return w;
	if (limit != NULL && limit_of(limit->text) == 0) {
		q->error = "limit must be a number from 1 to 200";
		return NULL;
	}
	w = xnew(w);
	w->limit = limit == NULL ? 0 : limit_of(limit->text);
	w->after = json_text_of(&q->request, "after");
	q->state = w;
	q->free_state = window_free;
	return w;
}

/* --- match --- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool begins_with(struct slice text, struct slice word)
{
	for (size_t i = 0; i < word.len; i++) {
		if (lower(text.data[i]) != lower(word.data[i]))
			return false;
	}
	return true;
}

static bool contains(struct slice text, struct slice word)
{
	for (; text.len >= word.len; text = slice_skip(text, 1)) {
		if (begins_with(text, word))
			return true;
		if (text.len == 0)
			break;
	}
	return false;
}

bool control_window_matches(const struct control_query *q, const struct slice *texts, size_t count)
{
	struct slice word = json_text_of(&q->request, "match");

	/* mutant: rows_that_match */
	if (word.len == 0)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (contains(texts[i], word))
			return true;
	}
	return false;
}

bool control_window_matches_object(const struct control_query *q, const struct json_object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		if (object->members[i].kind == JSON_TEXT &&
		    control_window_matches(q, &object->members[i].text, 1))
			return true;
	}
	return json_text_of(&q->request, "match").len == 0;
}

/* --- rows --- */

static struct slice key_of(const struct window_row *row)
{
	return slice_of(row->key, row->key_len);
}

bool control_window_has_place(const struct control_window *w, struct slice key)
{
	/* mutant: window_after */
	if (w->after.len > 0 && slice_compare(key, w->after) <= 0)
		return false;
	return w->limit == 0 || w->count < w->limit ||
	       slice_compare(key, key_of(&w->rows[w->count - 1])) < 0;
}

/* The first row that comes after the key. */
static size_t place_of(const struct control_window *w, struct slice key)
{
	size_t low = 0, high = w->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(key_of(&w->rows[middle]), key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void control_window_add(struct control_window *w, struct slice key, struct slice line)
{
	struct window_row row = {.key_len = key.len};
	size_t place;

	REQUIRE(w->at == 0);
	if (!control_window_has_place(w, key))
		return;
	if (w->limit > 0 && w->count == w->limit)
		row_fini(&w->rows[--w->count]);
	row.key = slice_dup(key);
	json_open(&row.line);
	json_text(&row.line, "key", key);
	json_members(&row.line, line);
	json_close(&row.line);
	array_reserve(w->rows, w->cap, w->count + 1);
	place = place_of(w, key);
	memmove(&w->rows[place + 1], &w->rows[place], (w->count - place) * sizeof(row));
	w->rows[place] = row;
	w->count++;
}

bool control_window_is_empty(const struct control_window *w)
{
	return w->count == 0;
}

bool control_window_write(struct control_query *q)
{
	struct control_window *w = q->state;

	REQUIRE(w != NULL && q->free_state == window_free);
	while (w->at < w->count && q->out.len < QUERY_SLICE_BYTES)
		buf_put_slice(&q->out, buf_slice(&w->rows[w->at++].line));
	return w->at < w->count;
}

bool control_window_is_last(const struct control_query *q)
{
	REQUIRE(q->worker != NULL);
	return q->worker->executor.index + 1 == q->control->shared->worker_count;
}
