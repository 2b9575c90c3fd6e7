/* A few pins of one user: searched from the first to the last. */
#include "auth/key_pins.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/require.h"

#define NONE SLICE("none")

void key_pins_fini(struct key_pins *pins)
{
	free(pins->items);
	*pins = (struct key_pins){0};
}

static size_t find(const struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES])
{
	size_t at = 0;

	while (at < pins->count && memcmp(pins->items[at], pin, KEY_PIN_BYTES) != 0)
		at++;
	return at;
}

bool key_pins_have(const struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES])
{
	REQUIRE(pins->is_pinned || pins->count == 0);
	return find(pins, pin) < pins->count;
}

bool key_pins_equal(const struct key_pins *a, const struct key_pins *b)
{
	if (a->is_pinned != b->is_pinned || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!key_pins_have(b, a->items[i]))
			return false;
	}
	return true;
}

bool key_pins_add(struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES])
{
	if (pins->count == KEY_PINS_MAX || key_pins_have(pins, pin))
		return false;
	pins->is_pinned = true;
	array_extend(pins->items, pins->count);
	memcpy(pins->items[pins->count++], pin, KEY_PIN_BYTES);
	return true;
}

bool key_pins_remove(struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES])
{
	size_t at = find(pins, pin);

	if (at == pins->count)
		return false;
	REQUIRE(pins->is_pinned);
	pins->count--;
	memmove(pins->items[at], pins->items[at + 1], (pins->count - at) * KEY_PIN_BYTES);
	return true;
}

/* The text before the first comma; *rest is what follows, NULL data: nothing does. */
static struct slice cut(struct slice text, struct slice *rest)
{
	size_t len = 0;

	while (len < text.len && text.data[len] != ',')
		len++;
	*rest = len == text.len ? SLICE_EMPTY : slice_skip(text, len + 1);
	return slice_of(text.data, len);
}

const char *key_pins_parse(struct slice text, struct key_pins *out)
{
	struct slice rest = text;

	*out = (struct key_pins){.is_pinned = true};
	if (slice_equal(text, NONE))
		return NULL;
	do {
		uint8_t pin[KEY_PIN_BYTES];

		if (!key_pin_parse(cut(rest, &rest), pin))
			return "pins= takes pins of public keys separated by ',' (sha256/ and 44 "
			       "characters of Base64), or 'none'; 'broker-passwd FILE pin USER "
			       "--certificate FILE' writes them";
		if (key_pins_have(out, pin))
			return "the pin is given twice";
		if (!key_pins_add(out, pin))
			return "a user has at most 16 pins";
	} while (rest.data != NULL);
	return NULL;
}

void key_pins_put(const struct key_pins *pins, const char *separator, struct buf *out)
{
	REQUIRE(pins->is_pinned);
	if (pins->count == 0)
		buf_put_slice(out, NONE);
	for (size_t i = 0; i < pins->count; i++) {
		if (i > 0)
			buf_put_slice(out, slice_of_str(separator));
		key_pin_put(pins->items[i], out);
	}
}
