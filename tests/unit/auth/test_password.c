/* Password hashes: which are taken, what they accept, and what is never let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/password.h"
#include "base/hash.h"

#define YESCRYPT                                                                                   \
	"$y$j9T$k2XAnEHBqQ1Ct2aMXFKNa/HAmA1BpMnBsYHMWB4NZN4$"                                      \
	"QAn0ldztDK3o4xZgsm8fx5OGEgE3tLKZyrk.fF3EUP3"
#define GOST                                                                                       \
	"$gy$j9T$k2XAnEHBqQ1Ct2aMXFKNa/HAmA1BpMnBsYHMWB4NZN4$"                                     \
	"8astWyMQrq5zrVuMWUxMp3nJ5TiDTeSrw1DWWTf0aH5"
#define SCRYPT                                                                                     \
	"$7$CU..../....k2XAnEHBqQ1Ct2aMXFKNa/HAmA1BpMnBsYHMWB4NZN4$"                               \
	"rU9MFwXCPS5qv7J8pp0z/T9z0A/y4ZUJ4GVt51XcOiC"
#define SHA512                                                                                     \
	"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEd"   \
	"FCoEOfaS35inz1"
#define BCRYPT "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
/* of 72 times 'a' */
#define BCRYPT72 "$2b$04$CCCCCCCCCCCCCCCCCCCCC.mDyzbhj.9K0apb9O/AGMWwoLXiYAu6u"
#define A72      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void hashes_of_each_method_are_accepted_or_refused(void **state)
{
	static const struct {
		const char *name;
		const char *hash;
		const char *method; /* NULL: not acceptable */
		const char *password;
	} rows[] = {
	    {"yescrypt", YESCRYPT, "yescrypt", "geheim"},
	    {"gost-yescrypt", GOST, "gost-yescrypt", "geheim"},
	    {"scrypt", SCRYPT, "scrypt", "geheim"},
	    {"sha512crypt", SHA512, "sha512crypt", "Hello world!"},
	    {"bcrypt", BCRYPT, "bcrypt", "U*U"},
	    {"bcrypt, 72 bytes", BCRYPT72, "bcrypt", A72},

	    /* all of "secret", and all genuine: libcrypt would say yes */
	    {"DES", "abNANd1rDfiNc", NULL, "secret"},
	    {"MD5", "$1$abc$iCQ2D3nhptRYi27fDYv2s1", NULL, "secret"},
	    {"sha256crypt", "$5$abc$qsg6EHbUzHQzF1POlD7zUwBINSELQxypPaeDcZe6vH0", NULL, "secret"},
	    {"bcrypt 2a, of x", "$2a$04$CCCCCCCCCCCCCCCCCCCCC.HrBIdffznV69GxsYPA9PLSACo3k11D6",
	     NULL, "x"},

	    {"empty", "", NULL, "x"},
	    {"clear text", "secret", NULL, "secret"},
	    {"failure token 0", "*0", NULL, "x"},
	    {"failure token 1", "*1", NULL, "x"},
	    {"prefix alone", "$6$", NULL, "x"},
	    {"setting alone", "$6$saltstring", NULL, "x"},
	    {"setting with a dollar", "$y$j9T$k2XAnEHBqQ1Ct2aMXFKNa/$", NULL, "x"},
	    {"cut short by one", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
	     NULL, "U*U"},
	    {"longer by one", BCRYPT "W", NULL, "U*U"},
	    {"bcrypt of impossible cost",
	     "$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NULL, "U*U"},
	    {"bcrypt without cost", "$2b$xx$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	     NULL, "U*U"},
	    {"blank in the salt",
	     "$6$salt string$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjn"
	     "QJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
	     NULL, "Hello world!"},
	    {"mosquitto's $7$", "$7$101$uYq6YlcyzLPZNnSb$cJV9NzdKbkbDZ+Dm4Mv7lA==", NULL, "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = rows[i].method != NULL;

		if (password_hash_acceptable(rows[i].hash) != good)
			fail_msg("%s: acceptable", rows[i].name);
		if (password_verify(rows[i].hash, slice_of_str(rows[i].password)) != good)
			fail_msg("%s: right password", rows[i].name);
		if (good && password_verify(rows[i].hash, SLICE("wrong")))
			fail_msg("%s: wrong password", rows[i].name);
		if (good)
			assert_string_equal(password_method(rows[i].hash), rows[i].method);
	}
	assert_false(password_verify(NULL, SLICE("x")));
}

static void passwords_are_checked_against_hashes(void **state)
{
	static const struct {
		const char *name;
		const char *hash;
		struct slice password;
	} rows[] = {
	    {"empty", SHA512, SLICE_INIT("")},
	    {"nul behind it", SHA512, SLICE_INIT("Hello world!\0")},
	    {"nul and more", SHA512, SLICE_INIT("Hello world!\0anything")},
	    {"nul before it", SHA512, SLICE_INIT("\0Hello world!")},
	    {"other case", SHA512, SLICE_INIT("hello world!")},
	    {"shorter", SHA512, SLICE_INIT("Hello world")},
	    {"bcrypt beyond 72", BCRYPT72, SLICE_INIT(A72 "a")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (password_verify(rows[i].hash, rows[i].password))
			fail_msg("%s", rows[i].name);
	}
}

static void new_hash_verifies_its_password_only(void **state)
{
	static const struct {
		const char *method, *prefix;
		size_t longest;
	} rows[] = {
	    {"yescrypt", "$y$j9T$", 256},
	    {"sha512crypt", "$6$rounds=100000$", 256},
	    {"bcrypt", "$2b$10$", 72},
	};
	char password[257];

	(void)state;
	memset(password, 'p', sizeof(password));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice longest = slice_of(password, rows[i].longest);
		char *hash = password_hash(rows[i].method, longest);
		char *again = password_hash(rows[i].method, longest);

		assert_non_null(hash);
		assert_memory_equal(hash, rows[i].prefix, strlen(rows[i].prefix));
		assert_string_not_equal(hash, again);
		assert_true(password_verify(hash, longest));
		longest.len--;
		assert_false(password_verify(hash, longest));
		free(hash);
		free(again);
		assert_null(password_hash(rows[i].method, slice_of(password, rows[i].longest + 1)));
		assert_null(password_hash(rows[i].method, SLICE_EMPTY));
		assert_null(password_hash(rows[i].method, SLICE("a\0b")));
	}
	assert_null(password_hash("md5crypt", SLICE("secret")));
	assert_null(password_hash("", SLICE("secret")));
	assert_null(password_hash("scrypt", SLICE("secret")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hashes_of_each_method_are_accepted_or_refused),
	    cmocka_unit_test(passwords_are_checked_against_hashes),
	    cmocka_unit_test(new_hash_verifies_its_password_only),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
