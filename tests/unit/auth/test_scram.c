/* SCRAM-SHA-256: the example of RFC 7677, every field of it tampered with, and messages that are
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/scram.h"
#include "base/alloc.h"

/* RFC 7677, section 3: user "user", password "pencil". */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE        CLIENT_NONCE SERVER_NONCE
#define SALT         "W22ZaJ0SNY7soEsUEjb6gQ=="
#define CLIENT_FIRST "n,,n=user,r=" CLIENT_NONCE
#define SERVER_FIRST "r=" NONCE ",s=" SALT ",i=4096"
#define PROOF        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define CLIENT_FINAL "c=biws,r=" NONCE ",p=" PROOF
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define STORED_KEY   "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER_KEY   "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define VERIFIER     "SHA-256$4096$" SALT "$" STORED_KEY "$" SERVER_KEY

static struct scram_verifier verifier_of(const char *text)
{
	struct scram_verifier v;

	assert_true(scram_verifier_parse(slice_of_str(text), &v));
	return v;
}

static void assert_bytes(struct slice got, const char *want)
{
	if (!slice_equal(got, slice_of_str(want)))
		fail_msg("%.*s is not %s", (int)got.len, (const char *)got.data, want);
}

static void exchange_of_rfc_7677_succeeds(void **state)
{
	struct scram_verifier v = verifier_of(VERIFIER);
	struct scram s = {.verifier = {.iterations = 0}};
	struct buf out = {0};
	bool right = false;

	(void)state;
	assert_null(scram_client_first(&s, SLICE(CLIENT_FIRST)));
	assert_bytes(buf_slice(&s.user), "user");
	scram_server_first(&s, &v, SLICE(SERVER_NONCE), &out);
	assert_bytes(buf_slice(&out), SERVER_FIRST);
	buf_clear(&out);
	assert_null(scram_client_final(&s, SLICE(CLIENT_FINAL), &right, &out));
	assert_true(right);
	assert_bytes(buf_slice(&out), SERVER_FINAL);
	buf_fini(&out);
	scram_fini(&s);
}

/* What broker-passwd would store for the example. */
static void verifier_is_derived_from_password_and_salt(void **state)
{
	struct scram_verifier want = verifier_of(VERIFIER);
	struct scram_verifier v = {.iterations = 4096, .salt_len = want.salt_len};
	struct buf text = {0};

	(void)state;
	memcpy(v.salt, want.salt, sizeof(v.salt));
	scram_verifier_derive(&v, SLICE("pencil"));
	scram_verifier_format(&v, &text);
	assert_bytes(buf_slice(&text), VERIFIER);
	buf_clear(&text);
	scram_verifier_derive(&v, SLICE("pencil "));
	assert_memory_not_equal(v.stored_key, want.stored_key, 32);
	assert_memory_not_equal(v.server_key, want.server_key, 32);
	buf_fini(&text);
}

static void verifiers_parse_or_are_refused(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		bool valid;
	} rows[] = {
	    {"as made", VERIFIER, true},
	    {"ten million iterations", "SHA-256$10000000$" SALT "$" STORED_KEY "$" SERVER_KEY,
	     true},
	    {"shortest salt", "SHA-256$4096$AAAAAAAAAAA=$" STORED_KEY "$" SERVER_KEY, true},
	    {"longest salt", "SHA-256$4096$" STORED_KEY "$" STORED_KEY "$" SERVER_KEY, true},

	    {"empty", "", false},
	    {"another hash", "SHA-1$4096$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"no hash", "4096$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"few iterations", "SHA-256$4095$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"too many iterations", "SHA-256$10000001$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"overflowing", "SHA-256$4294971392$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"leading zero", "SHA-256$04096$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"sign", "SHA-256$+4096$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"no iterations", "SHA-256$$" SALT "$" STORED_KEY "$" SERVER_KEY, false},
	    {"short salt", "SHA-256$4096$AAAAAAAAAA==$" STORED_KEY "$" SERVER_KEY, false},
	    {"long salt",
	     "SHA-256$4096$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$" STORED_KEY "$" SERVER_KEY,
	     false},
	    {"no salt", "SHA-256$4096$$" STORED_KEY "$" SERVER_KEY, false},
	    {"short stored key", "SHA-256$4096$" SALT "$" SALT "$" SERVER_KEY, false},
	    {"no server key", "SHA-256$4096$" SALT "$" STORED_KEY, false},
	    {"empty server key", "SHA-256$4096$" SALT "$" STORED_KEY "$", false},
	    {"something behind", VERIFIER "$", false},
	    {"not base64", "SHA-256$4096$" SALT "$" STORED_KEY "$!" SERVER_KEY, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scram_verifier v;
		struct buf text = {0};

		if (scram_verifier_parse(slice_of_str(rows[i].text), &v) != rows[i].valid)
			fail_msg("%s", rows[i].name);
		if (rows[i].valid) {
			scram_verifier_format(&v, &text);
			assert_bytes(buf_slice(&text), rows[i].text);
		}
		buf_fini(&text);
	}
}

#define LONG_256                                                                                   \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                         \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                         \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                         \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void first_messages_are_read_or_refused(void **state)
{
	static const struct {
		const char *name;
		struct slice message;
		const char *user; /* NULL: refused */
		const char *wrong;
	} rows[] = {
	    {"the example", SLICE_INIT(CLIENT_FIRST), "user", NULL},
	    {"a client that could bind", SLICE_INIT("y,,n=user,r=abc"), "user", NULL},
	    {"its own authzid", SLICE_INIT("n,a=user,n=user,r=abc"), "user", NULL},
	    {"escapes", SLICE_INIT("n,,n=a=2Cb=3Dc,r=abc"), "a,b=c", NULL},
	    {"authzid with escapes", SLICE_INIT("n,a=a=2C,n=a=2C,r=abc"), "a,", NULL},
	    {"utf-8", SLICE_INIT("n,,n=\xc3\xa5sa,r=abc"), "\xc3\xa5sa", NULL},
	    {"an extension", SLICE_INIT("n,,n=user,r=abc,x=1,Y=2"), "user", NULL},
	    {"longest name", SLICE_INIT("n,,n=" LONG_256 ",r=abc"), LONG_256, NULL},
	    {"longest nonce", SLICE_INIT("n,,n=user,r=" LONG_256), "user", NULL},
	    {"all of a nonce", SLICE_INIT("n,,n=user,r=!+-~"), "user", NULL},

	    {"empty", SLICE_INIT(""), NULL, "malformed"},
	    {"header alone", SLICE_INIT("n,,"), NULL, "user name"},
	    {"half a header", SLICE_INIT("n,"), NULL, "malformed"},
	    {"no header", SLICE_INIT("n=user,r=abc"), NULL, "malformed"},
	    {"flag alone", SLICE_INIT("n"), NULL, "malformed"},
	    {"unknown flag", SLICE_INIT("x,,n=user,r=abc"), NULL, "malformed"},
	    {"long flag", SLICE_INIT("nn,,n=user,r=abc"), NULL, "malformed"},
	    {"capital flag", SLICE_INIT("N,,n=user,r=abc"), NULL, "malformed"},
	    {"channel binding", SLICE_INIT("p=tls-unique,,n=user,r=abc"), NULL, "channel binding"},
	    {"binding to the exporter", SLICE_INIT("p=tls-exporter,,n=user,r=abc"), NULL,
	     "channel binding"},
	    {"another authzid", SLICE_INIT("n,a=admin,n=user,r=abc"), NULL,
	     "authorization identity"},
	    {"authzid longer", SLICE_INIT("n,a=users,n=user,r=abc"), NULL,
	     "authorization identity"},
	    {"empty authzid", SLICE_INIT("n,a=,n=user,r=abc"), NULL, "authorization identity"},
	    {"bad escape in authzid", SLICE_INIT("n,a=user=2c,n=user,r=abc"), NULL,
	     "authorization identity"},
	    {"authzid without its letter", SLICE_INIT("n,user,n=user,r=abc"), NULL,
	     "authorization identity"},
	    {"mandatory extension", SLICE_INIT("n,,m=x,n=user,r=abc"), NULL, "mandatory"},
	    {"no name", SLICE_INIT("n,,r=abc"), NULL, "user name"},
	    {"empty name", SLICE_INIT("n,,n=,r=abc"), NULL, "user name"},
	    {"bare equals sign", SLICE_INIT("n,,n=a=b,r=abc"), NULL, "user name"},
	    {"escape in small letters", SLICE_INIT("n,,n=a=2c,r=abc"), NULL, "user name"},
	    {"half an escape", SLICE_INIT("n,,n=a=2,r=abc"), NULL, "user name"},
	    {"control character", SLICE_INIT("n,,n=a\nb,r=abc"), NULL, "user name"},
	    {"C1 control", SLICE_INIT("n,,n=a\xc2\x85,r=abc"), NULL, "user name"},
	    {"name too long", SLICE_INIT("n,,n=" LONG_256 "x,r=abc"), NULL, "user name"},
	    {"nul", SLICE_INIT("n,,n=us\0er,r=abc"), NULL, "malformed"},
	    {"not utf-8", SLICE_INIT("n,,n=us\xff,r=abc"), NULL, "malformed"},
	    {"no nonce", SLICE_INIT("n,,n=user"), NULL, "nonce"},
	    {"empty nonce", SLICE_INIT("n,,n=user,r="), NULL, "nonce"},
	    {"nonce with a blank", SLICE_INIT("n,,n=user,r=a b"), NULL, "nonce"},
	    {"nonce beyond ASCII", SLICE_INIT("n,,n=user,r=a\xc3\xa5"), NULL, "nonce"},
	    {"nonce too long", SLICE_INIT("n,,n=user,r=" LONG_256 "x"), NULL, "nonce"},
	    {"nonce before name", SLICE_INIT("n,,r=abc,n=user"), NULL, "user name"},
	    {"something between", SLICE_INIT("n,,n=user,x=1,r=abc"), NULL, "nonce"},
	    {"comma at the end", SLICE_INIT("n,,n=user,r=abc,"), NULL, "malformed"},
	    {"no extension", SLICE_INIT("n,,n=user,r=abc,xyz"), NULL, "malformed"},
	    {"extension without a value", SLICE_INIT("n,,n=user,r=abc,x="), NULL, "malformed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scram s = {.verifier = {.iterations = 0}};
		const char *wrong = scram_client_first(&s, rows[i].message);

		if ((wrong == NULL) != (rows[i].user != NULL) ||
		    (wrong != NULL && strstr(wrong, rows[i].wrong) == NULL))
			fail_msg("%s: %s", rows[i].name, wrong == NULL ? "taken" : wrong);
		if (wrong == NULL)
			assert_bytes(buf_slice(&s.user), rows[i].user);
		scram_fini(&s);
	}
}

/* The example with another final message, as given. */
static const char *final_with(const char *first, struct slice message, bool *right)
{
	struct scram_verifier v = verifier_of(VERIFIER);
	struct scram s = {.verifier = {.iterations = 0}};
	struct buf out = {0};
	const char *wrong;

	assert_null(scram_client_first(&s, slice_of_str(first)));
	scram_server_first(&s, &v, SLICE(SERVER_NONCE), &out);
	buf_clear(&out);
	wrong = scram_client_final(&s, message, right, &out);
	assert_int_equal(out.len > 0, *right); /* the server proves nothing to a stranger */
	buf_fini(&out);
	scram_fini(&s);
	return wrong;
}

static void final_messages_are_read_or_refused(void **state)
{
	static const struct {
		const char *name;
		const char *message;
		const char *wrong; /* NULL: well formed, only the proof is wrong */
	} rows[] = {
	    {"another proof",
	     "c=biws,r=" NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL},
	    {"stored key as proof", "c=biws,r=" NONCE ",p=" STORED_KEY, NULL},
	    {"server signature as proof",
	     "c=biws,r=" NONCE ",p=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", NULL},
	    {"an extension that was not signed", "c=biws,r=" NONCE ",x=1,p=" PROOF, NULL},

	    {"empty", "", "malformed"},
	    {"proof alone", "p=" PROOF, "channel binding"},
	    {"another header", "c=eSws,r=" NONCE ",p=" PROOF, "channel binding"},
	    {"no binding", "r=" NONCE ",p=" PROOF, "channel binding"},
	    {"empty binding", "c=,r=" NONCE ",p=" PROOF, "channel binding"},
	    {"binding with data", "c=biwsYWJj,r=" NONCE ",p=" PROOF, "channel binding"},
	    {"no nonce", "c=biws,p=" PROOF, "nonce"},
	    {"the client's nonce", "c=biws,r=" CLIENT_NONCE ",p=" PROOF, "nonce"},
	    {"the server's nonce", "c=biws,r=" SERVER_NONCE ",p=" PROOF, "nonce"},
	    {"a longer nonce", "c=biws,r=" NONCE "x,p=" PROOF, "nonce"},
	    {"a nonce in another case", "c=biws,r=R" SERVER_NONCE ",p=" PROOF, "nonce"},
	    {"no proof", "c=biws,r=" NONCE, "malformed"},
	    {"empty proof", "c=biws,r=" NONCE ",p=", "malformed"},
	    {"short proof", "c=biws,r=" NONCE ",p=" SALT, "malformed"},
	    {"long proof", "c=biws,r=" NONCE ",p=AAAA" PROOF, "malformed"},
	    {"proof not base64", "c=biws,r=" NONCE ",p=" PROOF "=", "malformed"},
	    {"two proofs", "c=biws,r=" NONCE ",p=" PROOF ",p=" PROOF, "malformed"},
	    {"something behind the proof", "c=biws,r=" NONCE ",p=" PROOF ",x=1", "malformed"},
	    {"comma behind the proof", "c=biws,r=" NONCE ",p=" PROOF ",", "malformed"},
	    {"empty extension", "c=biws,r=" NONCE ",,p=" PROOF, "malformed"},
	    {"extension without a letter", "c=biws,r=" NONCE ",1=1,p=" PROOF, "malformed"},
	    {"not utf-8", "c=biws,r=" NONCE ",x=\xff,p=" PROOF, "malformed"},
	    {"a first message", CLIENT_FIRST, "channel binding"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool right = true;
		const char *wrong = final_with(CLIENT_FIRST, slice_of_str(rows[i].message), &right);

		if (right || (wrong == NULL) != (rows[i].wrong == NULL) ||
		    (wrong != NULL && strstr(wrong, rows[i].wrong) == NULL))
			fail_msg("%s: %s", rows[i].name, wrong == NULL ? "taken" : wrong);
	}
}

/* The proof covers all that both have said: change any of it and it is wrong. */
static void message_with_a_changed_byte_proves_nothing(void **state)
{
	static const struct {
		const char *name;
		const char *first;
		const char *final;
	} rows[] = {
	    {"the name", "n,,n=users,r=" CLIENT_NONCE, CLIENT_FINAL},
	    {"an extension", CLIENT_FIRST ",x=1", CLIENT_FINAL},
	    {"the flag, as an attacker would for a downgrade", "y,,n=user,r=" CLIENT_NONCE,
	     "c=eSws,r=" NONCE ",p=" PROOF},
	    {"the authzid", "n,a=user,n=user,r=" CLIENT_NONCE,
	     "c=bixhPXVzZXIs,r=" NONCE ",p=" PROOF},
	};
	struct slice message = SLICE(CLIENT_FINAL);
	bool right;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong = final_with(rows[i].first, slice_of_str(rows[i].final), &right);

		if (wrong != NULL || right)
			fail_msg("%s: %s", rows[i].name, wrong == NULL ? "right" : wrong);
	}
	for (size_t bit = 0; bit < message.len * 8; bit++) {
		char *changed = slice_dup(message);

		changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << bit % 8));
		final_with(CLIENT_FIRST, slice_of(changed, message.len), &right);
		if (right)
			fail_msg("bit %zu", bit);
		free(changed);
	}
	for (size_t len = 0; len < message.len; len++) {
		char *prefix = slice_dup(slice_of(message.data, len));

		final_with(CLIENT_FIRST, slice_of(prefix, len), &right);
		assert_false(right);
		free(prefix);
	}
}

static void message_over_the_maximum_is_refused(void **state)
{
	struct scram s = {.verifier = {.iterations = 0}};
	struct buf message = {0};
	bool right;

	(void)state;
	buf_put_slice(&message, SLICE(CLIENT_FIRST ",x="));
	while (message.len < SCRAM_MESSAGE_MAX)
		buf_put_u8(&message, 'x');
	assert_null(scram_client_first(&s, buf_slice(&message)));
	scram_fini(&s);
	buf_put_u8(&message, 'x');
	assert_non_null(scram_client_first(&s, buf_slice(&message)));
	scram_fini(&s);
	buf_clear(&message);
	buf_put_slice(&message, SLICE("c=biws,r=" NONCE ",x="));
	while (message.len + 3 + strlen(PROOF) <= SCRAM_MESSAGE_MAX)
		buf_put_u8(&message, 'x');
	buf_put_slice(&message, SLICE(",p=" PROOF));
	assert_string_equal(final_with(CLIENT_FIRST, buf_slice(&message), &right),
	                    "SCRAM: the final message is malformed");
	buf_fini(&message);
}

static void nonces_are_printable_and_differ(void **state)
{
	char a[SCRAM_NONCE], b[SCRAM_NONCE];

	(void)state;
	scram_nonce(a);
	scram_nonce(b);
	assert_memory_not_equal(a, b, SCRAM_NONCE);
	for (size_t i = 0; i < SCRAM_NONCE; i++)
		assert_true(a[i] > 0x20 && a[i] < 0x7f && a[i] != ',');
}

/* Nobody's verifier: it looks like the others and stays the same. */
static void decoy_differs_with_key_and_user(void **state)
{
	struct scram_verifier like = verifier_of(VERIFIER), a, again, other, later;

	(void)state;
	scram_verifier_decoy(&like, SLICE("key"), SLICE("bo"), &a);
	scram_verifier_decoy(&like, SLICE("key"), SLICE("bo"), &again);
	scram_verifier_decoy(&like, SLICE("key"), SLICE("ba"), &other);
	scram_verifier_decoy(&like, SLICE("yek"), SLICE("bo"), &later);
	assert_int_equal(a.iterations, like.iterations);
	assert_int_equal(a.salt_len, like.salt_len);
	assert_memory_equal(a.salt, again.salt, like.salt_len);
	assert_memory_not_equal(a.salt, other.salt, like.salt_len);
	assert_memory_not_equal(a.salt, later.salt, like.salt_len);
	assert_memory_not_equal(a.stored_key, again.stored_key, 32);
}

static void passwords_for_scram_are_text(void **state)
{
	(void)state;
	assert_null(scram_password_refused(SLICE("pencil")));
	assert_null(scram_password_refused(SLICE("p\xc3\xa5nna, p=x")));
	assert_non_null(scram_password_refused(SLICE("pen\tcil")));
	assert_non_null(scram_password_refused(SLICE("pencil\x7f")));
	assert_non_null(scram_password_refused(SLICE("pencil\xc2\x85")));
	assert_non_null(scram_password_refused(SLICE("pencil\xff")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exchange_of_rfc_7677_succeeds),
	    cmocka_unit_test(verifier_is_derived_from_password_and_salt),
	    cmocka_unit_test(verifiers_parse_or_are_refused),
	    cmocka_unit_test(first_messages_are_read_or_refused),
	    cmocka_unit_test(final_messages_are_read_or_refused),
	    cmocka_unit_test(message_with_a_changed_byte_proves_nothing),
	    cmocka_unit_test(message_over_the_maximum_is_refused),
	    cmocka_unit_test(nonces_are_printable_and_differ),
	    cmocka_unit_test(decoy_differs_with_key_and_user),
	    cmocka_unit_test(passwords_for_scram_are_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
