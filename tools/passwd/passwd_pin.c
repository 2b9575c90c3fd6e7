/* The keys of the command line first, then the lock and the change, as with passwords. */
#include "passwd/passwd_pin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/require.h"
#include "net/tls/tls_leaf.h"
#include "passwd/passwd_change.h"
#include "program/command_line.h"

/* ---- the keys of the command line ---- */

static int read_certificate(const struct passwd_options *o, const char *path,
                            uint8_t pin[KEY_PIN_BYTES])
{
	struct errors errors = {0};
	struct tls_leaf leaf;
	int rc = 0;

	if (!tls_leaf_read(path, slice_of_str(o->user), &leaf, &errors)) {
		char *text = errors_text(&errors);

		fputs(text, stderr);
		free(text);
		rc = EXIT_USAGE;
	} else {
		memcpy(pin, leaf.key, KEY_PIN_BYTES);
		if (!leaf.names_user)
			(void)report_error(0,
			                   "note: the certificate %s is that of %.*s and does not "
			                   "name '%s': the broker takes it for this user only if "
			                   "it names the user, too (certificate_user)",
			                   path, (int)leaf.subject.len,
			                   (const char *)leaf.subject.data, o->user);
	}
	tls_leaf_fini(&leaf);
	errors_fini(&errors);
	return rc;
}

static int read_key(const struct passwd_options *o, const struct passwd_key *key,
                    uint8_t pin[KEY_PIN_BYTES])
{
	if (key->is_file)
		return read_certificate(o, key->text, pin);
	if (key_pin_parse(slice_of_str(key->text), pin))
		return 0;
	return report_error(EXIT_USAGE,
	                    "the pin '%s' is neither sha256/ with 44 characters of Base64 nor 64 "
	                    "hexadecimal digits",
	                    key->text);
}

static int read_keys(const struct passwd_options *o, struct key_pins *keys)
{
	for (size_t i = 0; i < o->key_count; i++) {
		uint8_t pin[KEY_PIN_BYTES];
		int rc = read_key(o, &o->keys[i], pin);

		if (rc != 0)
			return rc;
		(void)key_pins_add(keys, pin); /* one that is named twice is one */
	}
	return 0;
}

/* ---- the change ---- */

/* The text is the caller's. */
static const char *pin_text(const uint8_t pin[KEY_PIN_BYTES], struct buf *text)
{
	text->len = 0;
	key_pin_put(pin, text);
	buf_put_u8(text, '\0');
	return (const char *)text->data;
}

static void note_sharing(const struct passwd_file *f, const struct passwd_options *o,
                         const uint8_t pin[KEY_PIN_BYTES])
{
	for (size_t i = 0; i < password_file_count(f->users); i++) {
		const struct password_entry *other = password_file_at(f->users, i);

		if (key_pins_have(&other->pins, pin) &&
		    !slice_equal(slice_of_str(other->name), slice_of_str(o->user)))
			(void)report_error(0, "note: '%s' is pinned to the same key", other->name);
	}
}

static int add_pins(const struct passwd_file *f, const struct passwd_options *o,
                    const struct key_pins *keys, struct key_pins *pins)
{
	int rc = 0;

	for (size_t i = 0; i < keys->count && rc == 0; i++) {
		if (!key_pins_have(pins, keys->items[i]) && !key_pins_add(pins, keys->items[i])) {
			rc = report_error(EXIT_USAGE,
			                  "'%s' has %d pins, and no user has more: 'unpin' those "
			                  "of keys that are not used any more",
			                  o->user, KEY_PINS_MAX);
			continue;
		}
		note_sharing(f, o, keys->items[i]);
	}
	return rc;
}

static int remove_pins(const struct passwd_file *f, const struct passwd_options *o,
                       const struct key_pins *keys, struct key_pins *pins)
{
	struct buf text = {0};
	int rc = 0;

	(void)f;
	if ((o->options & OPTION_ALL) != 0)
		key_pins_fini(pins);
	for (size_t i = 0; i < keys->count && rc == 0; i++) {
		if (!key_pins_remove(pins, keys->items[i]))
			rc = report_error(EXIT_USAGE,
			                  "'%s' is not pinned to %s; 'list' shows all pins",
			                  o->user, pin_text(keys->items[i], &text));
	}
	buf_fini(&text);
	return rc;
}

static void print_pins(const struct passwd_options *o, const struct key_pins *keys)
{
	struct buf text = {0};

	for (size_t i = 0; i < keys->count; i++)
		printf("%s: pinned to %s\n", o->user, pin_text(keys->items[i], &text));
	buf_fini(&text);
}

static int change(const struct passwd_options *o,
                  int (*apply)(const struct passwd_file *f, const struct passwd_options *o,
                               const struct key_pins *keys, struct key_pins *pins))
{
	struct key_pins keys = {0}, pins = {0};
	struct passwd_file f = {.fd = -1, .dir_fd = -1};
	int rc = read_keys(o, &keys);

	REQUIRE(o->user != NULL);
	if (rc == 0)
		rc = passwd_file_lock(&f, o->path, false);
	if (rc == 0)
		rc = passwd_change_require(&f, o);
	if (rc == 0) {
		struct password_entry user = *password_file_find(f.users, slice_of_str(o->user));

		for (size_t i = 0; i < user.pins.count; i++)
			(void)key_pins_add(&pins, user.pins.items[i]);
		pins.is_pinned = user.pins.is_pinned;
		rc = apply(&f, o, &keys, &pins);
		user.pins = pins;
		if (rc == 0)
			rc = passwd_change_write(&f, &user);
		if (rc == 0 && apply == add_pins)
			print_pins(o, &keys);
		if (rc == 0 && pins.is_pinned && pins.count == 0)
			(void)report_error(
			    0,
			    "note: '%s' is pinned to no key now: no certificate logs it in until "
			    "another one is pinned; 'unpin %s --all' accepts any key again",
			    o->user, o->user);
	}
	passwd_file_close(&f);
	key_pins_fini(&keys);
	key_pins_fini(&pins);
	return rc;
}

int passwd_pin_add(const struct passwd_options *o)
{
	if (o->key_count == 0)
		return report_error(
		    EXIT_USAGE, "'pin' needs a key: --certificate FILE, or --pin sha256/BASE64");
	return change(o, add_pins);
}

int passwd_pin_remove(const struct passwd_options *o)
{
	if ((o->key_count == 0) == ((o->options & OPTION_ALL) == 0))
		return report_error(EXIT_USAGE, "'unpin' needs a key, --certificate FILE or --pin "
		                                "sha256/BASE64, or --all to accept any key again");
	return change(o, remove_pins);
}
