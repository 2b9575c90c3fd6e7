/* What is authenticated is everything before the member with the MAC: nothing has to be parsed to
 * be verified. */
#include "audit/audit_chain.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crypto.h"
#include "base/require.h"

#define MAC_MEMBER    ",\"audit_mac\":\""
#define NUMBER_MEMBER ",\"audit_number\":"
#define MAC_HEX       ((size_t)2 * AUDIT_MAC_BYTES)
#define TAIL_BYTES    (sizeof(MAC_MEMBER) - 1 + MAC_HEX + 2)
#define DIGITS_MAX    20

void audit_hex_put(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

static bool read_digit(uint8_t c, uint8_t *out)
{
	if (c >= '0' && c <= '9')
		*out = (uint8_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*out = (uint8_t)(c - 'a' + 10);
	else
		return false;
	return true;
}

bool audit_hex_read(struct slice text, uint8_t *out, size_t len)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t high, low;

		if (!read_digit(text.data[2 * i], &high) || !read_digit(text.data[2 * i + 1], &low))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Canonical: no sign, no leading zero. */
static bool read_number(struct slice text, uint64_t *out)
{
	uint64_t number = 0;

	if (text.len == 0 || text.len > DIGITS_MAX || (text.len > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t digit = (uint8_t)(text.data[i] - '0');

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*out = number;
	return true;
}

static void chain_mac(struct slice key, const uint8_t before[AUDIT_MAC_BYTES], struct slice body,
                      uint8_t out[AUDIT_MAC_BYTES])
{
	struct buf data = {0};

	buf_reserve(&data, AUDIT_MAC_BYTES + body.len);
	/* mutant: audit_mac_of_one_before */
	buf_put(&data, before, AUDIT_MAC_BYTES);
	buf_put_slice(&data, body);
	crypto_hmac_sha256(key, buf_slice(&data), out);
	buf_fini(&data);
}

void audit_chain_append(struct slice key, struct audit_head *head, struct slice line,
                        struct buf *out)
{
	size_t start = out->len;
	char hex[MAC_HEX + 1];

	REQUIRE(key.len == AUDIT_KEY_BYTES && head->number < UINT64_MAX);
	REQUIRE(line.len > 3 && line.data[line.len - 2] == '}' && line.data[line.len - 1] == '\n');
	buf_put(out, line.data, line.len - 2);
	head->number++;
	buf_printf(out, NUMBER_MEMBER "%" PRIu64, head->number);
	chain_mac(key, head->mac, slice_of(out->data + start, out->len - start), head->mac);
	audit_hex_put(head->mac, AUDIT_MAC_BYTES, hex);
	buf_printf(out, MAC_MEMBER "%s\"}\n", hex);
}

/* What stands before the MAC; false: there is none. */
static bool split(struct slice line, struct slice *body, uint8_t mac[AUDIT_MAC_BYTES])
{
	struct slice tail, hex;

	if (line.len <= TAIL_BYTES)
		return false;
	*body = slice_of(line.data, line.len - TAIL_BYTES);
	tail = slice_skip(line, body->len);
	if (!slice_starts_with(tail, SLICE(MAC_MEMBER)) || tail.data[tail.len - 2] != '"' ||
	    tail.data[tail.len - 1] != '}')
		return false;
	hex = slice_of(tail.data + sizeof(MAC_MEMBER) - 1, MAC_HEX);
	return audit_hex_read(hex, mac, AUDIT_MAC_BYTES);
}

bool audit_chain_read(struct slice line, struct audit_head *out)
{
	const size_t name_len = sizeof(NUMBER_MEMBER) - 1;
	struct slice body;
	size_t digits = 0;

	if (!split(line, &body, out->mac))
		return false;
	while (digits < DIGITS_MAX && digits < body.len &&
	       body.data[body.len - 1 - digits] >= '0' && body.data[body.len - 1 - digits] <= '9')
		digits++;
	if (body.len < digits + name_len ||
	    !slice_equal(slice_of(body.data + body.len - digits - name_len, name_len),
	                 SLICE(NUMBER_MEMBER)))
		return false;
	return read_number(slice_skip(body, body.len - digits), &out->number);
}

bool audit_chain_follows(struct slice key, struct audit_head *head, struct slice line)
{
	uint8_t said[AUDIT_MAC_BYTES], mac[AUDIT_MAC_BYTES];
	struct audit_head next;
	struct slice body;

	REQUIRE(key.len == AUDIT_KEY_BYTES);
	if (!audit_chain_read(line, &next) || next.number != head->number + 1 ||
	    !split(line, &body, said))
		return false;
	chain_mac(key, head->mac, body, mac);
	if (!crypto_equal(slice_of(mac, sizeof(mac)), slice_of(said, sizeof(said))))
		return false;
	*head = next;
	return true;
}

bool audit_head_equal(const struct audit_head *a, const struct audit_head *b)
{
	return a->number == b->number &&
	       crypto_equal(slice_of(a->mac, AUDIT_MAC_BYTES), slice_of(b->mac, AUDIT_MAC_BYTES));
}

void audit_head_text(const struct audit_head *head, char out[AUDIT_HEAD_TEXT])
{
	int len = snprintf(out, AUDIT_HEAD_TEXT, "%" PRIu64 ":", head->number);

	REQUIRE(len > 1 && len <= 21);
	audit_hex_put(head->mac, AUDIT_MAC_BYTES, out + len);
}

bool audit_head_parse(struct slice text, struct audit_head *out)
{
	const uint8_t *colon = text.len == 0 ? NULL : memchr(text.data, ':', text.len);
	size_t digits;

	if (colon == NULL)
		return false;
	digits = (size_t)(colon - text.data);
	return read_number(slice_of(text.data, digits), &out->number) &&
	       audit_hex_read(slice_skip(text, digits + 1), out->mac, AUDIT_MAC_BYTES);
}
