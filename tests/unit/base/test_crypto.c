/* SHA-256, HMAC, PBKDF2 and base64 against the vectors of their standards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/crypto.h"

static void assert_hex(const uint8_t digest[32], const char *want)
{
	struct buf text = {0};

	for (int i = 0; i < 32; i++)
		buf_printf(&text, "%02x", digest[i]);
	buf_put_u8(&text, 0);
	assert_string_equal((const char *)text.data, want);
	buf_fini(&text);
}

static void digests(void **state)
{
	uint8_t digest[32];

	(void)state;
	/* FIPS 180-4 */
	crypto_sha256(SLICE("abc"), digest);
	assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	crypto_sha256(SLICE_EMPTY, digest);
	assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	/* RFC 4231, test case 2 */
	crypto_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
	assert_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	/* RFC 7914, section 11: the first half of each */
	crypto_pbkdf2_sha256(SLICE("passwd"), SLICE("salt"), 1, digest);
	assert_hex(digest, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
	crypto_pbkdf2_sha256(SLICE("Password"), SLICE("NaCl"), 80000, digest);
	assert_hex(digest, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

static void base64_vectors(void **state)
{
	/* RFC 4648, section 10, and all the digits there are */
	static const struct {
		struct slice bytes;
		struct slice text;
	} rows[] = {
	    {SLICE_INIT(""), SLICE_INIT("")},
	    {SLICE_INIT("f"), SLICE_INIT("Zg==")},
	    {SLICE_INIT("fo"), SLICE_INIT("Zm8=")},
	    {SLICE_INIT("foo"), SLICE_INIT("Zm9v")},
	    {SLICE_INIT("foob"), SLICE_INIT("Zm9vYg==")},
	    {SLICE_INIT("fooba"), SLICE_INIT("Zm9vYmE=")},
	    {SLICE_INIT("foobar"), SLICE_INIT("Zm9vYmFy")},
	    {SLICE_INIT("\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97"
	                "\x61\x96\x9b\x71\xd7\x9f\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf"
	                "\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf"),
	     SLICE_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		base64_encode(&out, rows[i].bytes);
		assert_true(slice_equal(buf_slice(&out), rows[i].text));
		buf_clear(&out);
		assert_true(base64_decode(&out, rows[i].text));
		assert_true(slice_equal(buf_slice(&out), rows[i].bytes));
		buf_fini(&out);
	}
}

static void base64_refused(void **state)
{
	static const char *const rows[] = {
	    "Z",      "Zg",   "Zg=",  "Zh==", "Zm9=", "====",    "Zg==Zg==", "Z===",
	    "Zm9v\n", " Zg=", "Zm-v", "Zm_v", "Zm=v", "Zm9vZg=", "Z=9v",     "\xc3\xa5Zg",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		buf_put_u8(&out, 'x');
		if (base64_decode(&out, slice_of_str(rows[i])))
			fail_msg("%s", rows[i]);
		assert_int_equal(out.len, 1);
		buf_fini(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digests),
	    cmocka_unit_test(base64_vectors),
	    cmocka_unit_test(base64_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
