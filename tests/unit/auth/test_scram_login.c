/* The client's side of SCRAM-SHA-256: the example of RFC 7677, servers that answer wrongly, and
 * both sides against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/scram_login.h"
#include "base/array.h"

/* The nonce of RFC 7677 has 20 characters; ours has 24. This exchange was computed from the RFC's
 * rules with Python's hashlib: user "user", password "pencil". */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqOabcd"
#define NONCE        CLIENT_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT         "W22ZaJ0SNY7soEsUEjb6gQ=="
#define SERVER_FIRST "r=" NONCE ",s=" SALT ",i=4096"
#define CLIENT_FINAL "c=biws,r=" NONCE ",p=QI5RFIOX69/H+z7q5cbSCdnOKnDAwZQ4DbiLnmYaNL0="
#define SERVER_FINAL "v=0VhYDxdzwm4Y15nos9LrM+V25Tw7zelRjW7ijW5bOeo="

static void begin(struct scram_login *s, struct buf *out)
{
	*s = (struct scram_login){.step = SCRAM_LOGIN_NEW};
	buf_clear(out);
	scram_login_first(s, SLICE("user"), SLICE(CLIENT_NONCE), out);
}

static void assert_bytes(struct slice got, const char *want)
{
	if (!slice_equal(got, slice_of_str(want)))
		fail_msg("%.*s is not %s", (int)got.len, (const char *)got.data, want);
}

static void right_exchange(void **state)
{
	struct scram_login s;
	struct buf out = {0};

	(void)state;
	begin(&s, &out);
	assert_bytes(buf_slice(&out), "n,,n=user,r=" CLIENT_NONCE);
	buf_clear(&out);
	assert_null(scram_login_final(&s, SLICE("pencil"), SLICE(SERVER_FIRST), &out));
	assert_bytes(buf_slice(&out), CLIENT_FINAL);
	assert_null(scram_login_check(&s, SLICE(SERVER_FINAL)));
	assert_int_equal(s.step, SCRAM_LOGIN_DONE);
	/* Once. */
	assert_non_null(scram_login_check(&s, SLICE(SERVER_FINAL)));
	buf_fini(&out);
	scram_login_fini(&s);
}

static void wrong_challenges(void **state)
{
	static const char *const rows[] = {
	    "",
	    "r=" NONCE,
	    "r=" NONCE ",s=" SALT,
	    "r=" NONCE ",i=4096,s=" SALT,
	    "m=x,r=" NONCE ",s=" SALT ",i=4096",
	    /* Nothing of the server's, and another's. */
	    "r=" CLIENT_NONCE ",s=" SALT ",i=4096",
	    "r=x" NONCE ",s=" SALT ",i=4096",
	    "r=" NONCE "\x01,s=" SALT ",i=4096",
	    "r=" NONCE ",s=,i=4096",
	    "r=" NONCE ",s=====,i=4096",
	    "r=" NONCE ",s=" SALT ",i=4095",
	    "r=" NONCE ",s=" SALT ",i=1",
	    "r=" NONCE ",s=" SALT ",i=-4096",
	    "r=" NONCE ",s=" SALT ",i=04096",
	    "r=" NONCE ",s=" SALT ",i=10000001",
	    "r=" NONCE ",s=" SALT ",i=99999999999999999999",
	    "r=" NONCE ",s=" SALT ",i=4096,",
	    "r=" NONCE ",s=" SALT ",i=4096,x",
	    "e=other-error",
	    "\xff",
	};
	struct scram_login s;
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&s, &out);
		buf_clear(&out);
		if (scram_login_final(&s, SLICE("pencil"), slice_of_str(rows[i]), &out) == NULL)
			fail_msg("accepted: %s", rows[i]);
		assert_int_equal(out.len, 0);
		scram_login_fini(&s);
	}
	buf_fini(&out);
}

static void wrong_proofs(void **state)
{
	static const char *const rows[] = {
	    "",
	    "v=",
	    "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	    "e=invalid-proof",
	    "p=0VhYDxdzwm4Y15nos9LrM+V25Tw7zelRjW7ijW5bOeo=",
	    "v=0VhYDxdzwm4Y15nos9LrM+V25Tw7zelRjW7ijW5bOeo=A",
	};
	struct scram_login s;
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&s, &out);
		buf_clear(&out);
		assert_null(scram_login_final(&s, SLICE("pencil"), SLICE(SERVER_FIRST), &out));
		if (scram_login_check(&s, slice_of_str(rows[i])) == NULL)
			fail_msg("accepted: %s", rows[i]);
		scram_login_fini(&s);
	}
	/* In the wrong order. */
	begin(&s, &out);
	assert_non_null(scram_login_check(&s, SLICE(SERVER_FINAL)));
	assert_null(scram_login_final(&s, SLICE("pencil"), SLICE(SERVER_FIRST), &out));
	assert_non_null(scram_login_final(&s, SLICE("pencil"), SLICE(SERVER_FIRST), &out));
	scram_login_fini(&s);
	buf_fini(&out);
}

/* The server's side of ours accepts, and only the right password. */
static void both_sides(const char *user, const char *password, const char *known)
{
	struct scram_verifier v = {.iterations = SCRAM_ITERATIONS_MIN, .salt_len = 16};
	struct scram server = {.verifier = {.iterations = 0}};
	struct scram_login client = {.step = SCRAM_LOGIN_NEW};
	struct buf said = {0}, answer = {0};
	char nonce[SCRAM_NONCE];
	bool right;

	scram_verifier_derive(&v, slice_of_str(known));
	scram_nonce(nonce);
	scram_login_first(&client, slice_of_str(user), slice_of(nonce, sizeof(nonce)), &said);
	assert_null(scram_client_first(&server, buf_slice(&said)));
	assert_bytes(buf_slice(&server.user), user);
	scram_nonce(nonce);
	scram_server_first(&server, &v, slice_of(nonce, sizeof(nonce)), &answer);
	buf_clear(&said);
	assert_null(scram_login_final(&client, slice_of_str(password), buf_slice(&answer), &said));
	buf_clear(&answer);
	assert_null(scram_client_final(&server, buf_slice(&said), &right, &answer));
	assert_int_equal(right, strcmp(password, known) == 0);
	assert_int_equal(scram_login_check(&client, buf_slice(&answer)) == NULL, right);
	buf_fini(&said);
	buf_fini(&answer);
	scram_fini(&server);
	scram_login_fini(&client);
}

static void against_the_server_side(void **state)
{
	(void)state;
	both_sides("anna", "secret", "secret");
	both_sides("a=,b=2C", "p,=", "p,=");
	both_sides("\xc3\xa5sa", "\xc3\xa9", "\xc3\xa9");
	both_sides("anna", "Secret", "secret");
}

static void names(void **state)
{
	char many[SCRAM_NAME_MAX + 2];

	(void)state;
	memset(many, 'a', sizeof(many));
	assert_null(scram_login_user_refused(slice_of((uint8_t *)many, SCRAM_NAME_MAX)));
	assert_non_null(scram_login_user_refused(slice_of((uint8_t *)many, SCRAM_NAME_MAX + 1)));
	assert_non_null(scram_login_user_refused(SLICE_EMPTY));
	assert_non_null(scram_login_user_refused(SLICE("a\nb")));
	assert_non_null(scram_login_user_refused(SLICE("\xff")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(right_exchange),
	    cmocka_unit_test(wrong_challenges),
	    cmocka_unit_test(wrong_proofs),
	    cmocka_unit_test(names),
	    cmocka_unit_test(against_the_server_side),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
