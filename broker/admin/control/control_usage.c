/* Who uses how much of what is shared: a row for each user and address that has something, the
 * largest first.  Collected at one moment, reported some at a time.  Thread: main's. */
#include <stdlib.h>

#include "admin/control/control_query.h"
#include "auth/identity.h"
#include "base/alloc.h"
#include "base/array.h"
#include "tree/retain_limits.h"

#define SLICE_ROWS 128

struct usage_row {
	enum payer_kind kind;
	char *key;
	size_t key_len;
	uint64_t charged, retained, connections, store;
};

struct usage {
	struct usage_row *rows;
	size_t count, cap, at;
};

static struct usage_row *add_row(struct usage *u, enum payer_kind kind, struct slice key)
{
	array_reserve(u->rows, u->cap, u->count + 1);
	u->rows[u->count] =
	    (struct usage_row){.kind = kind, .key = slice_dup(key), .key_len = key.len};
	return &u->rows[u->count++];
}

static void on_payer(void *arg, struct payer *payer)
{
	struct usage_row *row = add_row(arg, payer->kind, payer_key(payer));

	row->charged = payer_memory(payer);
	row->connections = payer_connections(payer);
	row->store = atomic_load_explicit(&payer->store_bytes, memory_order_relaxed);
}

static void on_writer(void *arg, struct slice user_key, uint64_t bytes)
{
	add_row(arg, PAYER_USER, user_key)->retained = bytes;
}

static int by_key(const void *a, const void *b)
{
	const struct usage_row *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return slice_compare(slice_of(x->key, x->key_len), slice_of(y->key, y->key_len));
}

static int by_size(const void *a, const void *b)
{
	const struct usage_row *x = a, *y = b;
	uint64_t left = x->charged + x->retained, right = y->charged + y->retained;

	if (left != right)
		return left > right ? -1 : 1;
	return by_key(a, b);
}

/* What a payer uses, and what it wrote, in one row. */
static void merge(struct usage *u)
{
	size_t last = 0;

	if (u->count == 0)
		return;
	qsort(u->rows, u->count, sizeof(*u->rows), by_key);
	for (size_t i = 1; i < u->count; i++) {
		struct usage_row *row = &u->rows[i];

		if (by_key(&u->rows[last], row) != 0) {
			u->rows[++last] = *row;
			continue;
		}
		u->rows[last].charged += row->charged;
		u->rows[last].retained += row->retained;
		u->rows[last].connections += row->connections;
		u->rows[last].store += row->store;
		free(row->key);
	}
	u->count = last + 1;
}

static void usage_free(void *state)
{
	struct usage *u = state;

	for (size_t i = 0; i < u->count; i++)
		free(u->rows[i].key);
	free(u->rows);
	free(u);
}

static void collect(struct control_query *q)
{
	struct shared *shared = q->control->shared;
	struct usage *u = xnew(u);

	payers_visit(&shared->payers, on_payer, u);
	retain_limits_visit_writers(shared->retain, on_writer, u);
	merge(u);
	if (u->count > 1)
		qsort(u->rows, u->count, sizeof(*u->rows), by_size);
	q->state = u;
	q->free_state = usage_free;
}

static bool is_set_aside(const struct control_query *q, struct slice key)
{
	const struct user_id *user = user_ids_find_key(q->control->shared->user_ids, key);

	return user != NULL && user->state != USER_ID_PRESENT;
}

static void put_row(struct control_query *q, const struct usage_row *row)
{
	struct buf *out = &q->out;
	struct slice key = slice_of(row->key, row->key_len);
	bool is_user = row->kind == PAYER_USER;
	struct slice name = is_user ? identity_key_name(key) : SLICE_EMPTY;
	const char *kind = row->kind == PAYER_ADDRESS ? "address" : "unauthenticated";

	if (is_user)
		kind = name.len == 0 ? "anonymous" : is_set_aside(q, key) ? "set aside" : "user";
	json_open(out);
	json_str(out, "kind", kind);
	if (is_user && name.len == 0)
		json_str(out, "name", NULL);
	else
		json_text(out, "name", is_user ? name : key);
	json_number(out, "memory_bytes", row->charged + row->retained);
	json_number(out, "retained_bytes", row->retained);
	json_number(out, "store_bytes", row->store);
	json_number(out, "connections", row->connections);
	json_close(out);
}

bool control_usage_report(struct control_query *q)
{
	struct usage *u;

	if (q->state == NULL)
		collect(q);
	u = q->state;
	for (size_t i = 0; i < SLICE_ROWS && u->at < u->count; i++)
		put_row(q, &u->rows[u->at++]);
	return u->at < u->count;
}
