/* Frames of a server have no mask, so what is decoded is only moved; those of a client have one
 * (RFC 6455 5.3).  See mqtt_websocket.h. */
#include "mqtt/mqtt_websocket.h"

#include <strings.h>

#include "base/base64.h"
#include "base/random.h"
#include "base/require.h"
#include "base/utf8.h"
#include "proto/frame.h"
#include "websocket/websocket_key.h"

#define FIN          0x80
#define RSV          0x70
#define OPCODE       0x0f
#define MASKED       0x80
#define LENGTH       0x7f
#define HEAD_MAX     8192
#define KEY_BYTES    16
#define CLOSE_NORMAL 1000 /* RFC 6455, 7.4.1 */

/* --- the request and its answer --- */

void mqtt_websocket_ask(struct mqtt_websocket *w, const char *authority, const char *path,
                        struct buf *wire)
{
	uint8_t bytes[KEY_BYTES];
	struct buf key = {0};

	REQUIRE(path[0] == '/' && authority[0] != '\0');
	mqtt_websocket_fini(w);
	random_bytes(bytes, sizeof(bytes));
	base64_encode(&key, slice_of(bytes, sizeof(bytes)));
	REQUIRE(key.len == sizeof(w->key) - 1);
	memcpy(w->key, key.data, key.len);
	buf_fini(&key);
	w->masks = random_u64() | 1;
	buf_printf(wire,
	           "GET %s HTTP/1.1\r\n"
	           "Host: %s\r\n"
	           "Upgrade: websocket\r\n"
	           "Connection: Upgrade\r\n"
	           "Sec-WebSocket-Key: %s\r\n"
	           "Sec-WebSocket-Version: 13\r\n"
	           "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
	           path, authority, w->key); /* [MQTT5-6.0.0-3] [MQTT3-6.0.0-3] */
}

void mqtt_websocket_fini(struct mqtt_websocket *w)
{
	buf_fini(&w->head);
	*w = (struct mqtt_websocket){0};
}

/* The next line of a head, without its end; false: there is none. */
static bool next_line(struct slice *head, struct slice *line)
{
	const uint8_t *end = memmem(head->data, head->len, "\r\n", 2);

	if (end == NULL)
		return false;
	*line = slice_of(head->data, (size_t)(end - head->data));
	*head = slice_skip(*head, line->len + 2);
	return true;
}

static struct slice without_blanks(struct slice s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_skip(s, 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is_word(struct slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp((const char *)s.data, word, s.len) == 0;
}

/* The field of that name; false: the head has none. */
static bool find_field(struct slice head, const char *name, struct slice *value)
{
	struct slice line;

	while (next_line(&head, &line)) {
		const uint8_t *colon = line.len == 0 ? NULL : memchr(line.data, ':', line.len);

		if (colon == NULL)
			continue;
		*value = without_blanks(slice_skip(line, (size_t)(colon - line.data) + 1));
		line.len = (size_t)(colon - line.data);
		if (is_word(line, name))
			return true;
	}
	return false;
}

static bool is_field(struct slice head, const char *name, const char *wanted)
{
	struct slice value;

	return find_field(head, name, &value) && is_word(value, wanted);
}

static bool has_accepted(const struct mqtt_websocket *w, struct slice head)
{
	struct buf wanted = {0};
	struct slice got;
	bool same;

	websocket_key_accept(slice_of_str(w->key), &wanted);
	same =
	    find_field(head, "Sec-WebSocket-Accept", &got) && slice_equal(got, buf_slice(&wanted));
	buf_fini(&wanted);
	return same;
}

/* A whole head, with its status line. False: `why` says what is wrong. */
static bool check_answer(const struct mqtt_websocket *w, struct slice head, struct buf *why)
{
	struct slice status;

	if (!next_line(&head, &status) || !slice_starts_with(status, SLICE("HTTP/1.1 "))) {
		buf_put_slice(why, SLICE("the server does not speak HTTP there: is it the port of "
		                         "its WebSocket?"));
		return false;
	}
	if (!slice_starts_with(status, SLICE("HTTP/1.1 101"))) {
		buf_put_slice(why, SLICE("the server refused the WebSocket: "));
		utf8_put_printable(why, slice_skip(status, 9));
		buf_put_slice(why, SLICE(": is it the right path?"));
		return false;
	}
	/* mutant: client_checks_the_key_of_a_websocket */
	if (!is_field(head, "Upgrade", "websocket") || !has_accepted(w, head)) {
		buf_put_slice(why, SLICE("the server's answer is not that of a WebSocket"));
		return false;
	}
	if (!is_field(head, "Sec-WebSocket-Protocol", "mqtt")) { /* [MQTT5-6.0.0-4] */
		buf_put_slice(why, SLICE("the WebSocket of the server is not one for MQTT: it does "
		                         "not confirm the subprotocol mqtt"));
		return false;
	}
	return true;
}

/* How much of `bytes` belonged to the head; false: it is over. */
static bool take_answer(struct mqtt_websocket *w, struct slice bytes, size_t *taken,
                        struct buf *why)
{
	size_t before = w->head.len;
	const uint8_t *end;
	bool good;

	buf_put_slice(&w->head, bytes);
	*taken = bytes.len;
	end = memmem(w->head.data, w->head.len, "\r\n\r\n", 4);
	if (end == NULL && w->head.len <= HEAD_MAX)
		return true;
	if (end == NULL) {
		buf_put_slice(why,
		              SLICE("the server's answer to the WebSocket request has no end"));
		return false;
	}
	*taken = (size_t)(end + 4 - w->head.data) - before;
	w->head.len = (size_t)(end + 2 - w->head.data);
	good = check_answer(w, buf_slice(&w->head), why);
	buf_fini(&w->head);
	w->state = MQTT_WEBSOCKET_OPEN;
	return good;
}

/* --- frames of the server --- */

static size_t head_bytes(uint8_t second)
{
	return (second & LENGTH) == 127 ? 10 : (second & LENGTH) == 126 ? 4 : 2;
}

static bool is_control(uint8_t opcode)
{
	return (opcode & 0x8) != 0;
}

static const char *check_head(const struct mqtt_websocket *w, const uint8_t *head)
{
	uint8_t opcode = head[0] & OPCODE;
	bool fin = (head[0] & FIN) != 0;

	if ((head[0] & RSV) != 0)
		return "a frame has bits of an extension, and none was agreed on";
	if ((head[1] & MASKED) != 0)
		return "a frame is masked";
	if (opcode == WEBSOCKET_OP_TEXT)
		return "a frame is text";
	if (opcode > WEBSOCKET_OP_PONG || (opcode > WEBSOCKET_OP_BINARY && !is_control(opcode)))
		return "a frame has a reserved opcode";
	if (is_control(opcode) && (!fin || (head[1] & LENGTH) > WEBSOCKET_CONTROL_MAX))
		return "a control frame is fragmented, or too long";
	if (!is_control(opcode) && (opcode == WEBSOCKET_OP_CONTINUATION) != w->in_message)
		return "a frame is out of its order";
	return NULL;
}

/* What is wrong with a whole head, or NULL: the frame has begun. */
static const char *begin_frame(struct mqtt_websocket *w, const uint8_t *head)
{
	const char *wrong = check_head(w, head);
	struct reader r = reader_of(slice_of(head + 2, head_bytes(head[1]) - 2));
	uint64_t length = head[1] & LENGTH;

	if (wrong != NULL)
		return wrong;
	if (length == 126)
		length = read_u16(&r);
	else if (length == 127)
		length = read_u64(&r);
	if (length > INT64_MAX)
		return "the length of a frame is not valid";
	w->left = length;
	w->opcode = head[0] & OPCODE;
	w->control_len = 0;
	if (!is_control(w->opcode))
		w->in_message = (head[0] & FIN) == 0;
	return NULL;
}

/* Takes what there is of a head; *whole: the frame has begun. */
static size_t take_head(struct mqtt_websocket *w, const uint8_t *bytes, size_t len, bool *whole,
                        const char **wrong)
{
	size_t taken = 0;

	while (taken < len &&
	       (w->frame_head_len < 2 || w->frame_head_len < head_bytes(w->frame_head[1])))
		w->frame_head[w->frame_head_len++] = bytes[taken++];
	*whole = w->frame_head_len >= 2 && w->frame_head_len == head_bytes(w->frame_head[1]);
	if (*whole) {
		w->frame_head_len = 0;
		*wrong = begin_frame(w, w->frame_head);
	}
	return taken;
}

static void put_frame(struct mqtt_websocket *w, enum websocket_opcode opcode, struct slice payload,
                      struct buf *wire);

static void put_close(struct slice payload, struct buf *why)
{
	struct reader r = reader_of(payload);
	unsigned code = read_u16(&r);

	if (payload.len < 2) {
		buf_put_slice(why, SLICE("the server closed the WebSocket"));
		return;
	}
	buf_printf(why, "the server closed the WebSocket with %u", code);
	if (reader_left(&r) > 0) {
		buf_put_slice(why, SLICE(": "));
		utf8_put_printable(why, read_rest(&r));
	}
}

/* False: it was a Close. */
static bool end_control(struct mqtt_websocket *w, struct buf *wire, struct buf *why)
{
	struct slice payload = slice_of(w->control, w->control_len);

	if (w->opcode == WEBSOCKET_OP_PING)
		put_frame(w, WEBSOCKET_OP_PONG, payload, wire);
	if (w->opcode != WEBSOCKET_OP_CLOSE)
		return true;
	put_frame(w, WEBSOCKET_OP_CLOSE, slice_of(w->control, w->control_len < 2 ? 0 : 2), wire);
	w->state = MQTT_WEBSOCKET_OVER;
	put_close(payload, why);
	return false;
}

/* Takes what there is of a payload. */
static size_t take_payload(struct mqtt_websocket *w, uint8_t *to, const uint8_t *from, size_t len)
{
	size_t n = len < w->left ? len : (size_t)w->left;

	if (is_control(w->opcode)) {
		REQUIRE(w->control_len + n <= sizeof(w->control));
		if (n > 0)
			memcpy(w->control + w->control_len, from, n);
		w->control_len = (uint8_t)(w->control_len + n);
	} else if (n > 0 && to != from) {
		memmove(to, from, n);
	}
	w->left -= n;
	return n;
}

static bool take_frames(struct mqtt_websocket *w, struct slice in, uint8_t *bytes, size_t *plain,
                        struct buf *wire, struct buf *why)
{
	const uint8_t *from = in.data, *end = in.data + in.len;

	while (from < end) {
		const char *wrong = NULL;
		bool whole = true;
		size_t n;

		if (w->left == 0)
			from += take_head(w, from, (size_t)(end - from), &whole, &wrong);
		if (wrong != NULL) {
			buf_printf(why, "the server broke the protocol of WebSocket: %s", wrong);
			w->state = MQTT_WEBSOCKET_OVER;
			return false;
		}
		if (!whole)
			return true;
		n = take_payload(w, bytes + *plain, from, (size_t)(end - from));
		from += n;
		if (!is_control(w->opcode))
			*plain += n;
		else if (w->left == 0 && !end_control(w, wire, why))
			return false;
	}
	return true;
}

bool mqtt_websocket_input(struct mqtt_websocket *w, uint8_t *bytes, size_t len, size_t *plain,
                          struct buf *wire, struct buf *why)
{
	size_t taken = 0;

	*plain = 0;
	if (w->state == MQTT_WEBSOCKET_OVER)
		return false;
	if (w->state == MQTT_WEBSOCKET_ASKED &&
	    !take_answer(w, slice_of(bytes, len), &taken, why)) {
		w->state = MQTT_WEBSOCKET_OVER;
		return false;
	}
	REQUIRE(taken <= len);
	return take_frames(w, slice_of(bytes + taken, len - taken), bytes, plain, wire, why);
}

/* --- our frames --- */

/* xorshift64: masks keep pages of a browser from choosing what a proxy on the way sees. Here nobody
 * chooses, so they need not be secret. */
static uint32_t next_mask(struct mqtt_websocket *w)
{
	w->masks ^= w->masks << 13;
	w->masks ^= w->masks >> 7;
	w->masks ^= w->masks << 17;
	return (uint32_t)(w->masks >> 32);
}

static void put_masked(uint32_t mask, struct slice payload, struct buf *wire)
{
	uint64_t mask64 = (uint64_t)mask << 32 | mask, word;
	uint8_t bytes[sizeof(mask)], *to;
	size_t i = 0;

	memcpy(bytes, &mask, sizeof(mask));
	buf_reserve(wire, payload.len);
	to = wire->data + wire->len;
	for (; i + sizeof(word) <= payload.len; i += sizeof(word)) {
		memcpy(&word, payload.data + i, sizeof(word));
		word ^= mask64;
		memcpy(to + i, &word, sizeof(word));
	}
	for (; i < payload.len; i++)
		to[i] = payload.data[i] ^ bytes[i % sizeof(bytes)];
	wire->len += payload.len;
}

static void put_frame(struct mqtt_websocket *w, enum websocket_opcode opcode, struct slice payload,
                      struct buf *wire)
{
	uint8_t head[WEBSOCKET_HEAD_MAX];
	size_t len = websocket_put_head(head, opcode, payload.len);
	uint32_t mask = next_mask(w);

	head[1] |= MASKED;
	memcpy(head + len, &mask, sizeof(mask));
	buf_put(wire, head, len + sizeof(mask));
	put_masked(mask, payload, wire);
}

void mqtt_websocket_put(struct mqtt_websocket *w, struct slice packets, unsigned cuts,
                        struct buf *wire)
{
	struct frame packet;
	size_t needed;

	REQUIRE(w->state == MQTT_WEBSOCKET_OPEN && cuts <= MQTT_WEBSOCKET_CUTS_MAX);
	if (cuts == 0) {
		put_frame(w, WEBSOCKET_OP_BINARY, packets, wire);
		return;
	}
	while (packets.len > 0) {
		const uint8_t *start = packets.data;
		enum frame_result result = frame_next(&packets, FRAME_SIZE_MAX, &packet, &needed);
		unsigned count;

		REQUIRE(result == FRAME_COMPLETE);
		count = packet.size_bytes < cuts ? (unsigned)packet.size_bytes : cuts;
		for (unsigned i = 0; i < count; i++) {
			size_t from = packet.size_bytes * i / count;
			size_t until = packet.size_bytes * (i + 1) / count;

			put_frame(w, WEBSOCKET_OP_BINARY, slice_of(start + from, until - from),
			          wire);
		}
	}
}

void mqtt_websocket_put_close(struct mqtt_websocket *w, struct buf *wire)
{
	static const uint8_t normal[] = {CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff};

	REQUIRE(w->state == MQTT_WEBSOCKET_OPEN);
	put_frame(w, WEBSOCKET_OP_CLOSE, slice_of(normal, sizeof(normal)), wire);
}
