/* What is remembered is made of the same words as the log's lines. */
#include "client/last_ends.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

/* Of a worker: all, of one client, and bytes. */
#define ENDS_MAX            1024
#define ENDS_MAX_PER_CLIENT 8
#define ENDS_MAX_BYTES      ((size_t)1 << 20)
/* Longer names are cut. */
#define NAME_MAX_BYTES 1024

uint64_t last_ends_key(struct slice client_id)
{
	return hash_bytes(client_id.data, client_id.len);
}

void last_ends_init(struct recent *ends)
{
	recent_init(ends, ENDS_MAX, ENDS_MAX_PER_CLIENT, ENDS_MAX_BYTES);
}

static void put_name(struct buf *text, const char *member, struct slice name)
{
	json_text(text, member,
	          slice_of(name.data, name.len > NAME_MAX_BYTES ? NAME_MAX_BYTES : name.len));
}

static void put_end(struct buf *text, const struct last_end *end)
{
	json_open(text);
	json_str(text, "what", end->what);
	put_name(text, "client_id", end->client_id);
	if (end->user.len == 0)
		json_str(text, "user", NULL);
	else
		put_name(text, "user", end->user);
	json_str(text, "address", end->address);
	json_str(text, "listener", end->listener);
	json_str(text, "cause", end->cause);
	json_str(text, "reason", end->reason);
	if (end->was_connected)
		json_number(text, "connected_s", end->connected_s);
	if (end->taken_by != NULL)
		json_str(text, "taken_by", end->taken_by);
	json_close(text);
}

void last_ends_add(struct worker *w, struct recent *ends, const struct last_end *end)
{
	uint64_t key = last_ends_key(end->client_id);
	size_t before = ends->bytes;
	struct buf text = {0};

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(end->what != NULL && end->address != NULL);
	put_end(&text, end);
	if (end->was_connected)
		recent_add(ends, key, 0, buf_slice(&text), clock_wall_ms());
	else
		recent_count(ends, key, buf_slice(&text), clock_wall_ms());
	count_by(&w->counters.remembered_bytes, ends->bytes - before);
	buf_fini(&text);
}
