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

enum end_text {
	END_WHAT,
	END_CLIENT_ID,
	END_USER,
	END_ADDRESS,
	END_LISTENER,
	END_CAUSE,
	END_TAKEN_BY,
	END_TEXTS
};

/* In memory: this, then the texts. Writing JSON would cost as much as the rest of a CONNECT, and
 * nearly all of it is never asked for. */
struct end_header {
	uint64_t connected_s;
	uint16_t lens[END_TEXTS];
	uint8_t reason;
	bool was_connected, is_taken;
};

/* What is remembered of a text. */
static size_t len_of(struct slice text)
{
	return text.len > NAME_MAX_BYTES ? NAME_MAX_BYTES : text.len;
}

static void pack(struct buf *packed, const struct last_end *end)
{
	const struct slice texts[END_TEXTS] = {
	    slice_of_str(end->what),
	    end->client_id,
	    end->user,
	    slice_of_str(end->address),
	    slice_of_str(end->listener),
	    slice_of_str(end->cause),
	    slice_of_str(end->taken_by),
	};
	struct end_header header;
	size_t size = sizeof(header);

	memset(&header, 0, sizeof(header)); /* its gaps, too: equal texts are compared */
	header.connected_s = end->connected_s;
	header.reason = (uint8_t)end->reason;
	header.was_connected = end->was_connected;
	header.is_taken = end->taken_by != NULL;
	for (size_t i = 0; i < END_TEXTS; i++) {
		header.lens[i] = (uint16_t)len_of(texts[i]);
		size += header.lens[i];
	}
	buf_reserve(packed, size);
	buf_put(packed, &header, sizeof(header));
	for (size_t i = 0; i < END_TEXTS; i++)
		buf_put(packed, texts[i].data, header.lens[i]);
}

static void unpack(const struct recent_entry *entry, struct end_header *header,
                   struct slice texts[END_TEXTS])
{
	size_t at = sizeof(*header);

	REQUIRE(entry->len >= at);
	memcpy(header, entry->text, at);
	for (size_t i = 0; i < END_TEXTS; i++) {
		texts[i] = slice_of(entry->text + at, header->lens[i]);
		at += header->lens[i];
	}
	REQUIRE(at == entry->len);
}

void last_ends_put(struct buf *out, const struct recent_entry *entry)
{
	struct slice texts[END_TEXTS];
	struct end_header header;

	unpack(entry, &header, texts);
	json_open(out);
	json_text(out, "what", texts[END_WHAT]);
	json_text(out, "client_id", texts[END_CLIENT_ID]);
	if (texts[END_USER].len == 0)
		json_str(out, "user", NULL);
	else
		json_text(out, "user", texts[END_USER]);
	json_text(out, "address", texts[END_ADDRESS]);
	json_text(out, "listener", texts[END_LISTENER]);
	json_text(out, "cause", texts[END_CAUSE]);
	json_str(out, "reason",
	         header.was_connected ? reason_name_of_close((enum reason)header.reason)
	                              : reason_name((enum reason)header.reason));
	if (header.was_connected)
		json_number(out, "connected_s", header.connected_s);
	if (header.is_taken)
		json_text(out, "taken_by", texts[END_TAKEN_BY]);
	json_close(out);
}

void last_ends_add(struct worker *w, struct recent *ends, const struct last_end *end)
{
	uint64_t key = last_ends_key(end->client_id);
	size_t before = ends->bytes;
	struct buf packed = {0};

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(end->what != NULL && end->address != NULL);
	pack(&packed, end);
	if (end->was_connected)
		recent_add(ends, key, 0, buf_slice(&packed), clock_wall_ms());
	else
		recent_count(ends, key, buf_slice(&packed), clock_wall_ms());
	count_by(&w->counters.remembered_bytes, ends->bytes - before);
	buf_fini(&packed);
}
