/* The keys that a user is pinned to: of certificates that name the user only those with one of
 * these keys count.  Thread: any. */
#ifndef AUTH_KEY_PINS_H
#define AUTH_KEY_PINS_H

#include <stddef.h>

#include "base/key_pin.h"

#define KEY_PINS_MAX 16

/* Zero-initialised: the user is not pinned, and any key will do. Pinned and without items: none
 * will, until another one is pinned. */
struct key_pins {
	bool is_pinned;
	size_t count;
	uint8_t (*items)[KEY_PIN_BYTES];
};

void key_pins_fini(struct key_pins *pins);
bool key_pins_have(const struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES]);
/* The same keys, in whatever order? */
bool key_pins_equal(const struct key_pins *a, const struct key_pins *b);
/* False: it is there, or KEY_PINS_MAX are. */
bool key_pins_add(struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES]);
/* False: it is not there. The last one that goes leaves the user pinned to nothing. */
bool key_pins_remove(struct key_pins *pins, const uint8_t pin[KEY_PIN_BYTES]);

/* "PIN,PIN..." or "none", as the password file has it. NULL, or what is wrong with it; *out is to
 * be freed in any case. */
const char *key_pins_parse(struct slice text, struct key_pins *out);
/* Append that. They are pinned. */
void key_pins_put(const struct key_pins *pins, const char *separator, struct buf *out);

#endif
