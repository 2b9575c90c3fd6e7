/* A read is decoded in one pass: the payloads of its frames are unmasked and moved together, so
 * that their owner gets them as one piece of memory. */
#include "websocket/websocket_frame.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "base/utf8.h"

#define FIN    0x80
#define RSV    0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f

/* Headers of frames of less than 126 bytes, and of those with a length of 16 bits. */
#define SHORT_HEAD  6
#define LONGER_HEAD 8

struct websocket_control {
	uint8_t len;
	uint8_t bytes[WEBSOCKET_CONTROL_MAX];
};

static bool is_control(uint8_t opcode)
{
	return (opcode & 0x8) != 0;
}

static struct websocket_event fault(enum websocket_code code, const char *cause)
{
	return (struct websocket_event){.kind = WEBSOCKET_FAULT, .code = code, .cause = cause};
}

#define NO_FAULT ((struct websocket_event){.kind = WEBSOCKET_NOTHING})

/* --- headers --- */

static size_t head_bytes(uint8_t second)
{
	size_t length = (second & LENGTH) == 127 ? 8 : (second & LENGTH) == 126 ? 2 : 0;

	return 2 + length + 4;
}

/* The first two bytes tell nearly all. */
static struct websocket_event check_head(const struct websocket_decoder *d, const uint8_t *head)
{
	uint8_t opcode = head[0] & OPCODE;
	bool fin = (head[0] & FIN) != 0;

	/* mutant: websocket_extension_bits */
	if ((head[0] & RSV) != 0)
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "a WebSocket frame has bits of an extension, and none was agreed on");
	/* mutant: websocket_unmasked_frame */
	if ((head[1] & MASKED) == 0)
		return fault(WEBSOCKET_PROTOCOL_ERROR, "a WebSocket frame of the client is not "
		                                       "masked");
	if (opcode == WEBSOCKET_OP_TEXT) /* [MQTT5-6.0.0-1] [MQTT3-6.0.0-1] */
		return fault(WEBSOCKET_UNSUPPORTED,
		             "the client sent a WebSocket text frame: MQTT is sent in binary "
		             "frames");
	if (opcode > WEBSOCKET_OP_PONG || (opcode > WEBSOCKET_OP_BINARY && !is_control(opcode)))
		return fault(WEBSOCKET_PROTOCOL_ERROR, "a WebSocket frame has a reserved opcode");
	if (is_control(opcode) && (!fin || (head[1] & LENGTH) > WEBSOCKET_CONTROL_MAX))
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "a WebSocket control frame is fragmented, or has more than 125 bytes");
	/* mutant: websocket_continues_nothing */
	if (opcode == WEBSOCKET_OP_CONTINUATION && !d->in_message)
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "a WebSocket continuation frame continues nothing");
	if (opcode == WEBSOCKET_OP_BINARY && d->in_message)
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "a WebSocket message begins before the last one has ended");
	return NO_FAULT;
}

/* A control frame that was kept has been handled. */
static void drop_control(struct websocket_decoder *d)
{
	free(d->control);
	d->control = NULL;
}

/* A whole header. */
static struct websocket_event begin_frame(struct websocket_decoder *d, const uint8_t *head)
{
	struct reader r = reader_of(slice_of(head + 2, head_bytes(head[1]) - 2));
	uint64_t length = head[1] & LENGTH;

	if (length == 126)
		length = read_u16(&r);
	else if (length == 127)
		length = read_u64(&r);
	if (((head[1] & LENGTH) == 126 && length < 126) ||
	    ((head[1] & LENGTH) == 127 && length <= UINT16_MAX))
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "the length of a WebSocket frame is not in its shortest form");
	if (length > INT64_MAX)
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "the length of a WebSocket frame has its highest bit set");
	REQUIRE(d->left == 0);
	drop_control(d);
	memcpy(d->mask, head + head_bytes(head[1]) - sizeof(d->mask), sizeof(d->mask));
	d->left = length;
	d->opcode = head[0] & 0xfu;
	if (!is_control(d->opcode))
		d->in_message = (head[0] & FIN) == 0;
	d->unproductive += (uint32_t)head_bytes(head[1]);
	return NO_FAULT;
}

/* Takes what there is of a header; whole: the frame has begun. */
static size_t take_head(struct websocket_decoder *d, const uint8_t *bytes, size_t len, bool *whole,
                        struct websocket_event *event)
{
	const uint8_t *head = bytes;
	size_t taken = 0;

	*whole = false;
	if (d->head_len > 0 || len < 2 || len < head_bytes(bytes[1])) {
		while (taken < len && (d->head_len < 2 || d->head_len < head_bytes(d->head[1]))) {
			d->head[d->head_len++] = bytes[taken++];
			if (d->head_len == 2)
				*event = check_head(d, d->head);
			if (event->kind != WEBSOCKET_NOTHING)
				return taken;
		}
		if (d->head_len < 2 || d->head_len < head_bytes(d->head[1]))
			return taken;
		head = d->head;
	} else {
		*event = check_head(d, head);
		taken = head_bytes(head[1]);
	}
	*whole = true;
	if (event->kind == WEBSOCKET_NOTHING)
		*event = begin_frame(d, head);
	d->head_len = 0;
	return taken;
}

/* --- payloads --- */

/* 16 bytes at a time: a register of any processor that has them. */
typedef uint8_t block __attribute__((vector_size(16)));

/* `to` is not after `from`, and they may overlap: what is written was read before. */
static void unmask(const uint8_t mask[4], uint8_t *to, const uint8_t *from, size_t len)
{
	uint32_t mask32;
	uint64_t mask64, word;
	uint8_t last[4];
	size_t i = 0;

	memcpy(&mask32, mask, sizeof(mask32));
	mask64 = (uint64_t)mask32 << 32 | mask32;
	if (len >= sizeof(block)) {
		uint64_t twice[2] = {mask64, mask64};
		block mask128, bytes;

		memcpy(&mask128, twice, sizeof(mask128));
		for (; len - i >= sizeof(block); i += sizeof(block)) {
			memcpy(&bytes, from + i, sizeof(bytes));
			bytes ^= mask128;
			memcpy(to + i, &bytes, sizeof(bytes));
		}
	}
	if ((len & 8) != 0) {
		memcpy(&word, from + i, sizeof(word));
		word ^= mask64;
		memcpy(to + i, &word, sizeof(word));
		i += sizeof(word);
	}
	if ((len & 4) != 0) {
		uint32_t half;

		memcpy(&half, from + i, sizeof(half));
		half ^= mask32;
		memcpy(to + i, &half, sizeof(half));
		i += sizeof(half);
	}
	memcpy(last, &mask32, sizeof(last)); /* `mask` may lie where was written */
	for (size_t k = 0; i < len; i++, k++)
		to[i] = from[i] ^ last[k];
}

/* For the bytes that follow `len` others of the same frame. */
static void rotate_mask(uint8_t mask[4], size_t len)
{
	uint8_t old[4];

	memcpy(old, mask, sizeof(old));
	for (size_t k = 0; k < sizeof(old); k++)
		mask[k] = old[(k + len) & 3];
}

/* RFC 6455 7.4: those that may be on the wire. */
static bool is_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

static bool is_text(struct slice text)
{
	while (text.len > 0) {
		uint32_t code_point;
		size_t n = utf8_decode(text, &code_point);

		if (n == 0)
			return false;
		text = slice_skip(text, n);
	}
	return true;
}

static struct websocket_event read_close(struct slice payload)
{
	struct reader r = reader_of(payload);
	unsigned code = read_u16(&r);

	if (payload.len == 0)
		return (struct websocket_event){.kind = WEBSOCKET_CLOSE, .code = WEBSOCKET_NO_CODE};
	if (r.bad || !is_code(code))
		return fault(WEBSOCKET_PROTOCOL_ERROR,
		             "the client closed with a code that WebSocket does not have");
	if (!is_text(read_rest(&r)))
		return fault(WEBSOCKET_BAD_DATA,
		             "the reason with which the client closed is not UTF-8");
	return (struct websocket_event){.kind = WEBSOCKET_CLOSE, .code = (enum websocket_code)code};
}

static struct websocket_event end_control(const struct websocket_decoder *d, struct slice payload)
{
	if (d->opcode == WEBSOCKET_OP_PING)
		return (struct websocket_event){.kind = WEBSOCKET_PING, .payload = payload};
	return d->opcode == WEBSOCKET_OP_CLOSE ? read_close(payload) : NO_FAULT;
}

static size_t take_control(struct websocket_decoder *d, uint8_t *bytes, size_t len,
                           struct websocket_event *event)
{
	size_t n = len < d->left ? len : (size_t)d->left;

	unmask(d->mask, bytes, bytes, n);
	rotate_mask(d->mask, n);
	d->left -= n;
	d->unproductive += (uint32_t)n;
	if (d->control == NULL && d->left == 0) {
		*event = end_control(d, slice_of(bytes, n));
		return n;
	}
	if (d->control == NULL)
		d->control = xnew(d->control);
	REQUIRE(d->control->len + n <= sizeof(d->control->bytes));
	if (n > 0)
		memcpy(d->control->bytes + d->control->len, bytes, n);
	d->control->len += (uint8_t)n;
	if (d->left == 0)
		*event = end_control(d, slice_of(d->control->bytes, d->control->len));
	return n;
}

static size_t take_data(struct websocket_decoder *d, uint8_t *bytes, size_t len, size_t at,
                        size_t *plain)
{
	size_t n = len - at < d->left ? len - at : (size_t)d->left;

	unmask(d->mask, bytes + *plain, bytes + at, n);
	rotate_mask(d->mask, n);
	*plain += n;
	d->left -= n;
	d->unproductive = 0;
	return n;
}

/* Frames of data that are whole, right, and of no more than 64 KiB: nearly all there are, and a
 * packet may come in several. Stops before anything else, and returns how far it got. */
static size_t take_whole_frames(struct websocket_decoder *d, uint8_t *bytes, size_t len, size_t at,
                                size_t *plain)
{
	size_t to = *plain;

	while (len - at >= SHORT_HEAD) {
		const uint8_t *head = bytes + at;
		uint8_t opcode = d->in_message ? WEBSOCKET_OP_CONTINUATION : WEBSOCKET_OP_BINARY;
		size_t n = head[1] ^ MASKED, head_len = SHORT_HEAD;

		if (n == 126 && len - at >= LONGER_HEAD) {
			n = (size_t)head[2] << 8 | head[3];
			head_len = LONGER_HEAD;
			/* mutant: websocket_long_form_of_a_short_length */
			if (n < 126)
				break;
		} else if (n >= 126)
			break;
		if ((head[0] & ~FIN) != opcode || len - at - head_len < n)
			break;
		d->in_message = (head[0] & FIN) == 0;
		d->unproductive = n > 0 ? 0 : d->unproductive + SHORT_HEAD;
		unmask(head + head_len - sizeof(d->mask), bytes + to, head + head_len, n);
		to += n;
		at += head_len + n;
	}
	*plain = to;
	return at;
}

/* [MQTT5-6.0.0-2] [MQTT3-6.0.0-2] */
size_t websocket_decode(struct websocket_decoder *d, uint8_t *bytes, size_t len, size_t at,
                        size_t *plain, struct websocket_event *event)
{
	REQUIRE(*plain <= at && at <= len);
	*event = NO_FAULT;
	while (at < len && event->kind == WEBSOCKET_NOTHING) {
		bool whole = true;

		if (d->left == 0 && d->head_len == 0)
			at = take_whole_frames(d, bytes, len, at, plain);
		if (d->left == 0)
			at += take_head(d, bytes + at, len - at, &whole, event);
		if (!whole || event->kind != WEBSOCKET_NOTHING)
			continue;
		if (is_control(d->opcode))
			at += take_control(d, bytes + at, len - at, event);
		else if (d->left > 0 && at < len)
			at += take_data(d, bytes, len, at, plain);
	}
	return at;
}

void websocket_decoder_fini(struct websocket_decoder *d)
{
	drop_control(d);
}

/* --- what is sent --- */

size_t websocket_put_head(uint8_t out[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode,
                          uint64_t len)
{
	size_t bytes = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

	out[0] = (uint8_t)(FIN | opcode);
	out[1] = (uint8_t)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}
