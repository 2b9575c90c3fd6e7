/* Messages of SCRAM, attribute by attribute. */
#include "auth/scram_text.h"

#include "base/base64.h"
#include "base/crypto.h"
#include "base/utf8.h"

#define NUMBER_BYTES 8 /* digits of an iteration count */

struct slice scram_text_cut(struct slice s, char stop, struct slice *rest)
{
	size_t len = 0;

	while (len < s.len && s.data[len] != (uint8_t)stop)
		len++;
	*rest = len == s.len ? SLICE_EMPTY : slice_of(s.data + len + 1, s.len - len - 1);
	return slice_of(s.data, len);
}

struct slice scram_text_value(struct slice attribute, char name)
{
	if (attribute.len < 3 || attribute.data[0] != (uint8_t)name || attribute.data[1] != '=')
		return SLICE_EMPTY;
	return slice_skip(attribute, 2);
}

bool scram_text_is_attribute(struct slice s)
{
	return s.len >= 3 && s.data[1] == '=' &&
	       ((s.data[0] >= 'a' && s.data[0] <= 'z') || (s.data[0] >= 'A' && s.data[0] <= 'Z'));
}

bool scram_text_is_nonce(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < 0x21 || s.data[i] > 0x7e)
			return false;
	}
	return s.len > 0 && s.len <= SCRAM_NONCE_MAX;
}

bool scram_text_has_controls(struct slice s)
{
	for (size_t at = 0; at < s.len;) {
		uint32_t c;

		at += utf8_decode(slice_skip(s, at), &c);
		if (utf8_is_control(c))
			return true;
	}
	return false;
}

size_t scram_text_base64(struct slice text, size_t min, size_t max, uint8_t *out)
{
	struct buf bytes = {0};
	size_t len = 0;

	if (text.len <= (max + 2) / 3 * 4 && base64_decode(&bytes, text) && bytes.len >= min &&
	    bytes.len <= max) {
		len = bytes.len;
		memcpy(out, bytes.data, len);
	}
	crypto_wipe(bytes.data, bytes.len);
	buf_fini(&bytes);
	return len;
}

uint32_t scram_text_iterations(struct slice text)
{
	uint32_t value = 0;

	if (text.len == 0 || text.len > NUMBER_BYTES || text.data[0] == '0')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		value = value * 10 + (uint32_t)(text.data[i] - '0');
	}
	return value < SCRAM_ITERATIONS_MIN || value > SCRAM_ITERATIONS_MAX ? 0 : value;
}
