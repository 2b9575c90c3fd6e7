/* What is remembered is made of the same words as the log's lines. */
#include "client/last_ends.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "client/client_list.h"
#include "session/session.h"

uint64_t last_ends_key(struct slice client_id)
{
	return hash_bytes(client_id.data, client_id.len);
}

/* For people who sort by it. */
static const char *what_of(enum close_reason why)
{
	switch (why) {
	case CLOSE_CLIENT:
		return "disconnect";
	case CLOSE_PEER:
	case CLOSE_RESET:
	case CLOSE_TLS:
	case CLOSE_WEBSOCKET:
		return "lost";
	case CLOSE_KEEP_ALIVE:
	case CLOSE_SERVER_KEEP_ALIVE:
	case CLOSE_SLOW_PACKET:
	case CLOSE_TAKES_NOTHING:
		return "keep-alive";
	case CLOSE_TAKEN_OVER:
		return "taken-over";
	case CLOSE_KICKED:
	case CLOSE_SESSION_DELETED:
		return "administrator";
	case CLOSE_CONNECT_REFUSED:
	case CLOSE_LATE_REFUSAL:
	case CLOSE_NOT_ADMITTED:
		return "refused";
	case CLOSE_FAULT:
	case CLOSE_NO_CONNECT:
	case CLOSE_CONNACK_TOO_LARGE:
		return "fault";
	case CLOSE_LOCAL:
	case CLOSE_STOPPING:
	case CLOSE_NO_PLACE:
	case CLOSE_DISPLACED:
	case CLOSE_ACK_FAILED:
	case CLOSE_STORE_FULL:
		break;
	}
	return "broker";
}

/* Longer names are cut. */
#define NAME_MAX_BYTES 1024

static void put_name(struct buf *text, const char *member, struct slice name)
{
	json_text(text, member,
	          slice_of(name.data, name.len > NAME_MAX_BYTES ? NAME_MAX_BYTES : name.len));
}

/* The beginning of each. `user` empty: it has none. */
static void open_text(struct buf *text, const struct conn *c, const char *what,
                      struct slice client_id, struct slice user)
{
	char address[STREAM_PEER_TEXT];

	stream_peer_key_text(c->link.stream, address, sizeof(address));
	json_open(text);
	json_str(text, "what", what);
	put_name(text, "client_id", client_id);
	if (user.len == 0)
		json_str(text, "user", NULL);
	else
		put_name(text, "user", user);
	json_str(text, "address", address);
	json_str(text, "listener", conn_listener_name(c));
}

static void close_text(struct buf *text, const struct conn *c, struct slice client_id, bool counts)
{
	struct worker *w = c->link.worker;
	struct recent *ends = &w->clients->ends;
	size_t before = ends->bytes;

	json_close(text);
	if (counts)
		recent_count(ends, last_ends_key(client_id), buf_slice(text), clock_wall_ms());
	else
		recent_add(ends, last_ends_key(client_id), 0, buf_slice(text), clock_wall_ms());
	count_by(&w->counters.remembered_bytes, ends->bytes - before);
	buf_fini(text);
}

void last_ends_add(const struct conn *c, enum close_reason why, struct fault fault,
                   const char *taken_by)
{
	const struct session *s = c->link.session;
	struct buf text = {0};

	REQUIRE_OWNER(&c->link);
	REQUIRE(s != NULL);
	if (c->is_inside) /* it was never a connection */
		return;
	open_text(&text, c, what_of(why), session_client_id(s), session_user(s));
	json_str(&text, "cause", fault.cause);
	json_str(&text, "reason", reason_name_of_close(fault.reason));
	json_number(&text, "connected_s", (c->link.worker->executor.now_ms - c->since_ms) / 1000);
	if (taken_by != NULL)
		json_str(&text, "taken_by", taken_by);
	close_text(&text, c, session_client_id(s), false);
}

void last_ends_add_refused(const struct conn *c, const struct connect *packet, struct fault fault)
{
	struct buf text = {0};

	REQUIRE_OWNER(&c->link);
	REQUIRE(fault.reason != REASON_OK);
	open_text(&text, c, what_of(CLOSE_CONNECT_REFUSED), packet->client_id, packet->user_name);
	json_str(&text, "cause", fault.cause);
	json_str(&text, "reason", reason_name(fault.reason));
	close_text(&text, c, packet->client_id, true);
}
