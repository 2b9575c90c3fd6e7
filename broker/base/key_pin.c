/* As browsers, curl and openssl write pins. */
#include "base/key_pin.h"

#include <openssl/x509.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/require.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* With or without colons, as openssl and browsers print it. */
static bool parse_hex(struct slice text, uint8_t out[KEY_PIN_BYTES])
{
	size_t digits = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.data[i]);

		if (text.data[i] == ':')
			continue;
		if (digit < 0 || digits == (size_t)2 * KEY_PIN_BYTES)
			return false;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | digit);
		digits++;
	}
	return digits == (size_t)2 * KEY_PIN_BYTES;
}

bool key_pin_parse(struct slice text, uint8_t out[KEY_PIN_BYTES])
{
	struct slice prefix = SLICE(KEY_PIN_PREFIX);
	struct buf bytes = {0};
	bool ok;

	if (!slice_starts_with(text, prefix))
		return parse_hex(text, out);
	ok = base64_decode(&bytes, slice_skip(text, prefix.len)) && bytes.len == KEY_PIN_BYTES;
	if (ok)
		memcpy(out, bytes.data, KEY_PIN_BYTES);
	buf_fini(&bytes);
	return ok;
}

void key_pin_put(const uint8_t pin[KEY_PIN_BYTES], struct buf *out)
{
	size_t before = out->len;

	buf_put_slice(out, SLICE(KEY_PIN_PREFIX));
	base64_encode(out, slice_of(pin, KEY_PIN_BYTES));
	REQUIRE(out->len - before == KEY_PIN_TEXT);
}

bool key_pin_of(const struct x509_st *certificate, uint8_t out[KEY_PIN_BYTES])
{
	const X509_PUBKEY *key =
	    certificate == NULL ? NULL : X509_get_X509_PUBKEY((X509 *)(uintptr_t)certificate);
	uint8_t *der = NULL;
	int len = key == NULL ? -1 : i2d_X509_PUBKEY(key, &der);

	if (len <= 0)
		return false;
	crypto_sha256(slice_of(der, (size_t)len), out);
	OPENSSL_free(der);
	return true;
}
