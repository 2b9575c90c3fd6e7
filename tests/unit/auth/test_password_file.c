/* The password file, user names, identities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/password_file.h"
#include "base/alloc.h"
#include "base/hash.h"

#define HASH "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define SCRAM                                                                                      \
	"scram=SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" \
	"$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define ID   "id=00000000000000a1"
#define ID2  "id=00000000000000a2"
#define PIN  "sha256/A3+SVMail6BQnVCFnceqcqt3cvOeACZCV8CtLstrThM="
#define PIN2 "sha256/B3+SVMail6BQnVCFnceqcqt3cvOeACZCV8CtLstrThM="
#define HEX  "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void user_names_are_valid_or_refused(void **state)
{
	static const struct {
		const char *name;
		struct slice user;
		bool valid;
	} rows[] = {
	    {"plain", SLICE_INIT("anna"), true},
	    {"one byte", SLICE_INIT("a"), true},
	    {"blank inside", SLICE_INIT("anna b"), true},
	    {"utf-8", SLICE_INIT("\xc3\xa5sa"), true},
	    {"dollar inside", SLICE_INIT("a$b"), true},
	    {"percent", SLICE_INIT("%u"), true},
	    {"empty", SLICE_INIT(""), false},
	    {"slash", SLICE_INIT("a/b"), false},
	    {"plus", SLICE_INIT("+"), false},
	    {"hash sign", SLICE_INIT("a#"), false},
	    {"comment", SLICE_INIT("#a"), false},
	    {"colon", SLICE_INIT("a:b"), false},
	    {"leading dollar", SLICE_INIT("$SYS"), false},
	    {"newline", SLICE_INIT("a\nb"), false},
	    {"tab", SLICE_INIT("a\tb"), false},
	    {"delete", SLICE_INIT("a\x7f"), false},
	    {"nul", SLICE_INIT("a\0b"), false},
	    {"C1 control", SLICE_INIT("a\xc2\x85"), false},
	    {"not utf-8", SLICE_INIT("a\xff"), false},
	    {"overlong", SLICE_INIT("\xc0\xaf"), false},
	};
	char longest[257];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (password_file_name_valid(rows[i].user, &why) != rows[i].valid)
			fail_msg("%s", rows[i].name);
		assert_int_equal(why == NULL, rows[i].valid);
	}
	memset(longest, 'a', sizeof(longest));
	assert_true(identity_name_valid(slice_of(longest, 256), &why));
	assert_false(identity_name_valid(slice_of(longest, 257), &why));
}

static const struct {
	const char *name;
	struct slice bytes;
	size_t users; /* where there is no error */
	unsigned line;
	const char *error; /* a part of it */
} files[] = {
    {"empty file", SLICE_INIT(""), 0, 0, NULL},
    {"a line", SLICE_INIT("anna:" ID ":hash=" HASH ":roles=a,b:locked\n"), 1, 0, NULL},
    {"any order", SLICE_INIT("anna:locked:roles=a:hash=" HASH ":" ID "\n"), 1, 0, NULL},
    {"no hash", SLICE_INIT("anna:" ID "\n"), 1, 0, NULL},
    {"comment and empty line", SLICE_INIT("# we\n\nanna:" ID "\n"), 1, 0, NULL},
    {"two", SLICE_INIT("anna:" ID "\nbo:" ID2 "\n"), 2, 0, NULL},
    {"hash and verifier", SLICE_INIT("anna:" ID ":hash=" HASH ":" SCRAM "\n"), 1, 0, NULL},
    {"verifier alone", SLICE_INIT("anna:" SCRAM ":" ID "\n"), 1, 0, NULL},
    {"role in utf-8", SLICE_INIT("anna:" ID ":roles=\xc3\xa5\n"), 1, 0, NULL},

    {"pinned", SLICE_INIT("anna:" ID ":pins=" PIN "\n"), 1, 0, NULL},
    {"pinned twice, in both forms", SLICE_INIT("anna:pins=" HEX "," PIN ":" ID ":locked\n"), 1, 0,
     NULL},
    {"pinned to nothing", SLICE_INIT("anna:" ID ":pins=none\n"), 1, 0, NULL},
    {"the same pin of two", SLICE_INIT("anna:" ID ":pins=" PIN "\nbo:" ID2 ":pins=" PIN "\n"), 2, 0,
     NULL},
    {"empty pins", SLICE_INIT("anna:" ID ":pins=\n"), 0, 1, "needs a value"},
    {"pins and nothing", SLICE_INIT("anna:" ID ":pins=" PIN ",none\n"), 0, 1, "pins= takes"},
    {"a pin and a comma", SLICE_INIT("anna:" ID ":pins=" PIN ",\n"), 0, 1, "pins= takes"},
    {"a short pin", SLICE_INIT("anna:" ID ":pins=sha256/A3+S\n"), 0, 1, "pins= takes"},
    {"a pin of another digest", SLICE_INIT("anna:" ID ":pins=sha1/A3+S\n"), 0, 1, "pins= takes"},
    {"a pin twice", SLICE_INIT("anna:" ID ":pins=" PIN2 "," PIN "," PIN2 "\n"), 0, 1,
     "the pin is given twice"},
    {"assumed and pinned", SLICE_INIT("porch:" ID ":assumed:pins=" PIN "\n"), 0, 1,
     "never logs in"},

    {"no newline", SLICE_INIT("anna:" ID "\nbo:" ID2), 0, 2, "newline"},
    {"comment without newline", SLICE_INIT("# half"), 0, 1, "newline"},
    {"name alone", SLICE_INIT("anna\n"), 0, 1, "no id="},
    {"name and colon", SLICE_INIT("anna:\n"), 0, 1, "a field is neither"},
    {"empty name", SLICE_INIT(":" ID "\n"), 0, 1, "empty"},
    {"blank before the name is a name", SLICE_INIT(" :locked\n"), 0, 1, "no id="},
    {"bad name", SLICE_INIT("a/b:" ID "\n"), 0, 1, "'/'"},
    {"nul in the name", SLICE_INIT("a\0b:" ID "\n"), 0, 1, "UTF-8"},
    {"line ends of Windows", SLICE_INIT("anna:" ID "\r\n"), 1, 0, NULL},
    {"byte order mark",
     SLICE_INIT("\xef\xbb\xbf"
                "anna:" ID "\n"),
     1, 0, NULL},
    {"UTF-16", SLICE_INIT("a\0n\0n\0a\0"), 0, 0, "UTF-16"},
    {"no id", SLICE_INIT("anna:hash=" HASH "\n"), 0, 1, "no id="},
    {"id of zeros", SLICE_INIT("anna:id=0000000000000000\n"), 0, 1, "16 digits"},
    {"short id", SLICE_INIT("anna:id=a1\n"), 0, 1, "16 digits"},
    {"id in capitals", SLICE_INIT("anna:id=00000000000000A1\n"), 0, 1, "16 digits"},
    {"id twice", SLICE_INIT("anna:" ID ":" ID "\n"), 0, 1, "twice"},
    {"empty id", SLICE_INIT("anna:id=\n"), 0, 1, "needs a value"},
    {"bare id", SLICE_INIT("anna:id\n"), 0, 1, "needs a value"},
    {"trailing colon", SLICE_INIT("anna:" ID ":\n"), 0, 1, "a field is neither"},
    {"assumed", SLICE_INIT("porch:" ID ":roles=a:assumed\n"), 1, 0, NULL},
    {"assumed and locked", SLICE_INIT("porch:assumed:" ID ":locked\n"), 1, 0, NULL},
    {"assumed with a value", SLICE_INIT("porch:" ID ":assumed=yes\n"), 0, 1, "takes no value"},
    {"assumed twice", SLICE_INIT("porch:" ID ":assumed:assumed\n"), 0, 1, "given twice"},
    {"assumed with a password", SLICE_INIT("porch:" ID ":assumed:hash=" HASH "\n"), 0, 1,
     "never logs in"},
    {"assumed, misspelt", SLICE_INIT("porch:" ID ":asumed\n"), 0, 1, "did you mean 'assumed'"},
    {"locked with a value", SLICE_INIT("anna:" ID ":locked=no\n"), 0, 1, "takes no value"},
    {"unknown key", SLICE_INIT("anna:" ID ":loked\n"), 0, 1, "did you mean 'locked'"},
    {"foreign key", SLICE_INIT("anna:" ID ":shell=x\n"), 0, 1, "unknown key 'shell'"},
    {"empty hash", SLICE_INIT("anna:" ID ":hash=\n"), 0, 1, "needs a value"},
    {"password in clear", SLICE_INIT("anna:" ID ":hash=secret\n"), 0, 1, "not a hash"},
    {"DES", SLICE_INIT("anna:" ID ":hash=abDd1.F7DZ0Xs\n"), 0, 1, "not a hash"},
    {"hash cut short", SLICE_INIT("anna:" ID ":hash=$2b$05$CCCCCCCCCCCC\n"), 0, 1, "not a hash"},
    {"nul behind the hash", SLICE_INIT("anna:" ID ":hash=" HASH "\0x\n"), 0, 1, "not a hash"},
    {"verifier twice", SLICE_INIT("anna:" ID ":" SCRAM ":" SCRAM "\n"), 0, 1, "twice"},
    {"empty verifier", SLICE_INIT("anna:" ID ":scram=\n"), 0, 1, "needs a value"},
    {"verifier cut short", SLICE_INIT("anna:" ID ":scram=SHA-256$4096$W22Z\n"), 0, 1,
     "not a SCRAM verifier"},
    {"something behind the verifier", SLICE_INIT("anna:" ID ":" SCRAM "=\n"), 0, 1,
     "not a SCRAM verifier"},
    {"mosquitto's line", SLICE_INIT("anna:$7$101$AAAA$BBBB\n"), 0, 1, "another broker"},
    {"empty roles", SLICE_INIT("anna:" ID ":roles=\n"), 0, 1, "needs a value"},
    {"empty role", SLICE_INIT("anna:" ID ":roles=a,,b\n"), 0, 1, "separated by ','"},
    {"role twice", SLICE_INIT("anna:" ID ":roles=a,b,a\n"), 0, 1, "twice"},
    {"blank in a role", SLICE_INIT("anna:" ID ":roles=a b\n"), 0, 1, "separated by ','"},
    {"user twice", SLICE_INIT("anna:" ID "\nanna:" ID2 "\n"), 0, 2, "the same user is on line 1"},
    {"id of another", SLICE_INIT("anna:" ID "\n\nbo:" ID "\n"), 0, 3, "the same id is on line 1"},
};

static void files_load_or_report_their_first_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct errors errors = {0};
		struct password_file *users = password_file_parse("f", files[i].bytes, &errors);

		if (files[i].error == NULL) {
			if (users == NULL || errors.count != 0)
				fail_msg("%s: %s", files[i].name, errors.items[0].text);
			assert_int_equal(password_file_count(users), files[i].users);
		} else {
			if (users != NULL || errors.count != 1)
				fail_msg("%s: %zu errors", files[i].name, errors.count);
			if (strstr(errors.items[0].text, files[i].error) == NULL ||
			    errors.items[0].line != files[i].line)
				fail_msg("%s: line %u: %s", files[i].name, errors.items[0].line,
				         errors.items[0].text);
		}
		password_file_unref(&users);
		errors_fini(&errors);
	}
}

static void every_error_of_a_file_is_reported(void **state)
{
	struct errors errors = {0};

	(void)state;
	assert_null(
	    password_file_parse("f", SLICE("a/b:x\n\nanna:" ID ":frobs\nbo:id=1\n"), &errors));
	assert_int_equal(errors.error_count, 3);
	assert_int_equal(errors.items[1].line, 3);
	assert_int_equal(errors.items[1].column, sizeof("anna:" ID ":"));
	errors_fini(&errors);
}

static void errors_never_quote_a_hash(void **state)
{
	static const struct slice lines[] = {
	    SLICE_INIT("anna:" ID ":hsh=" HASH "\n"),
	    SLICE_INIT("anna:" HASH "\n"),
	    SLICE_INIT("anna:" ID ":hash=" HASH "x\n"),
	    SLICE_INIT("anna:" ID ":E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n"),
	    SLICE_INIT("anna:" ID ":hash\n:" HASH "\n"),
	    SLICE_INIT("anna:" ID ":scram=E5YPO9\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct errors errors = {0};
		char *text;

		assert_null(password_file_parse("f", lines[i], &errors));
		text = errors_text(&errors);
		assert_null(strstr(text, "E5YPO9"));
		free(text);
		errors_fini(&errors);
	}
}

static void roles_of_a_user_are_bounded(void **state)
{
	struct errors errors = {0};
	struct buf b = {0};
	struct password_file *users;

	(void)state;
	buf_printf(&b, "anna:" ID ":roles=r0");
	for (int i = 1; i < 64; i++)
		buf_printf(&b, ",r%d", i);
	buf_printf(&b, "\n");
	users = password_file_parse("f", buf_slice(&b), &errors);
	assert_non_null(users);
	assert_int_equal(password_file_at(users, 0)->role_count, 64);
	password_file_unref(&users);
	b.len--;
	buf_printf(&b, ",r64\n");
	assert_null(password_file_parse("f", buf_slice(&b), &errors));
	assert_int_equal(errors.error_count, 1);
	errors_fini(&errors);
	buf_fini(&b);
}

static void users_are_found_by_name_and_index(void **state)
{
	struct errors errors = {0};
	struct password_file *users = password_file_parse(
	    "f", SLICE("bo:" ID2 ":hash=" HASH ":locked\n#\nanna:" ID ":roles=a,b\n"), &errors);
	struct password_file *shared;
	const struct password_entry *anna;
	struct buf line = {0};

	(void)state;
	assert_non_null(users);
	anna = password_file_find(users, SLICE("anna"));
	assert_ptr_equal(anna, password_file_at(users, 1));
	assert_int_equal(anna->entry_id, 0xa1);
	assert_int_equal(anna->line, 3);
	assert_null(anna->hash);
	assert_int_equal(anna->role_count, 2);
	assert_string_equal(anna->roles[1], "b");
	assert_true(password_file_at(users, 0)->locked);
	assert_null(password_file_find(users, SLICE("ann")));
	assert_null(password_file_find(users, SLICE("Anna")));
	assert_null(password_file_find(users, SLICE_EMPTY));
	password_file_format(password_file_at(users, 0), &line);
	assert_true(slice_equal(buf_slice(&line), SLICE("bo:" ID2 ":hash=" HASH ":locked\n")));
	buf_clear(&line);
	password_file_format(anna, &line);
	assert_true(slice_equal(buf_slice(&line), SLICE("anna:" ID ":roles=a,b\n")));
	buf_fini(&line);
	shared = password_file_ref(users);
	assert_ptr_equal(shared, users);
	password_file_unref(&users);
	assert_null(users);
	assert_int_equal(password_file_count(shared), 2);
	password_file_unref(&shared);
	password_file_unref(&shared);
}

static void credential_changes_with_the_hash(void **state)
{
	char one[] = "$6$a$b", two[] = "$6$a$c";
	struct password_entry a = {.hash = one}, same = {.hash = one, .locked = true},
			      b = {.hash = two}, none = {0};

	(void)state;
	assert_int_equal(password_file_credential(&a), password_file_credential(&same));
	assert_int_not_equal(password_file_credential(&a), password_file_credential(&b));
	assert_int_equal(password_file_credential(&none), 0);
}

static struct password_file *parse(struct slice bytes)
{
	struct errors errors = {0};
	struct password_file *users = password_file_parse("f", bytes, &errors);

	assert_non_null(users);
	return users;
}

static void credential_changes_with_the_verifier(void **state)
{
	struct password_file *users = parse(SLICE("a:id=00000000000000a1:hash=" HASH "\n"
	                                          "b:id=00000000000000a2:hash=" HASH ":" SCRAM "\n"
	                                          "c:id=00000000000000a3:" SCRAM "\n"
	                                          "d:id=00000000000000a4:" SCRAM ":locked\n"));
	uint64_t hash = password_file_credential(password_file_at(users, 0));
	uint64_t both = password_file_credential(password_file_at(users, 1));
	uint64_t scram = password_file_credential(password_file_at(users, 2));
	struct buf text = {0};

	(void)state;
	assert_true(hash != both && both != scram && hash != scram);
	assert_true(hash != 0 && both != 0 && scram != 0);
	assert_int_equal(password_file_credential(password_file_at(users, 3)), scram);
	password_file_format(password_file_at(users, 1), &text);
	assert_true(slice_equal(buf_slice(&text),
	                        SLICE("b:id=00000000000000a2:hash=" HASH ":" SCRAM "\n")));
	buf_fini(&text);
	password_file_unref(&users);
}

#define OTHERS ":id=00000000000000a2:" SCRAM "\nlocked:id=00000000000000a3:" SCRAM ":locked\n"

/* Who is not there looks like who is, before and after somebody else comes or goes. */
static void scram_decoy_of_an_unknown_user_is_stable(void **state)
{
	struct password_file *users = parse(SLICE("first:id=00000000000000a1\nanna" OTHERS));
	struct password_file *again = parse(SLICE("first:id=00000000000000a1:hash=" HASH ":locked\n"
	                                          "bo:id=00000000000000a9\nanna" OTHERS));
	struct password_file *none, *moved;
	struct scram_verifier anna, eve, eve_again, locked, first;

	(void)state;
	assert_true(password_file_has_scram(users));
	assert_true(password_file_scram(users, SLICE("anna"), &anna));
	assert_memory_equal(&anna, password_file_at(users, 1)->scram, sizeof(anna));
	assert_true(password_file_scram(users, SLICE("locked"), &locked));
	assert_memory_equal(&locked, password_file_at(users, 2)->scram, sizeof(locked));
	assert_true(password_file_scram(users, SLICE("eve"), &eve));
	assert_true(password_file_scram(users, SLICE("first"), &first));
	assert_int_equal(eve.iterations, 4096);
	assert_int_equal(eve.salt_len, 16);
	assert_memory_not_equal(eve.salt, anna.salt, 16);
	assert_memory_not_equal(eve.salt, first.salt, 16);
	assert_true(password_file_scram(again, SLICE("eve"), &eve_again));
	assert_memory_equal(eve.salt, eve_again.salt, 16);
	assert_memory_not_equal(eve.stored_key, eve_again.stored_key, 32);

	none = parse(SLICE("anna:" ID ":hash=" HASH "\n"));
	assert_false(password_file_has_scram(none));
	assert_false(password_file_scram(none, SLICE("anna"), &anna));
	moved = parse(SLICE("other:id=00000000000000b1\nanna" OTHERS));
	assert_true(password_file_scram(moved, SLICE("eve"), &eve_again));
	assert_memory_not_equal(eve.salt, eve_again.salt, 16);
	password_file_unref(&moved);
	password_file_unref(&none);
	password_file_unref(&again);
	password_file_unref(&users);
}

/* `count` users with verifiers, every fourth of them with 15000 iterations and a short salt. */
static struct password_file *with_two_forms(unsigned count)
{
	static const char keys[] = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"
				   "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	struct buf text = {0};
	struct password_file *users;

	for (unsigned i = 0; i < count; i++)
		buf_printf(
		    &text, "user%u:id=%016x:scram=SHA-256$%s$%s\n", i, i + 1,
		    i % 4 == 3 ? "15000$W22ZaJ0SNY4=" : "4096$W22ZaJ0SNY7soEsUEjb6gQ==", keys);
	users = parse(buf_slice(&text));
	buf_fini(&text);
	return users;
}

/* As many names that are nobody's show the rare form as names of users do; each shows the same
 * always, and nearly each when another user comes. */
static void scram_decoys_have_the_forms_of_all_users(void **state)
{
	struct password_file *users = with_two_forms(40), *again = with_two_forms(40);
	struct password_file *more = with_two_forms(41);
	unsigned rare = 0, other = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct scram_verifier first, same, later;
		char name[16];

		(void)snprintf(name, sizeof(name), "nobody%u", i);
		assert_true(password_file_scram(users, slice_of_str(name), &first));
		assert_true(password_file_scram(again, slice_of_str(name), &same));
		assert_true(password_file_scram(more, slice_of_str(name), &later));
		assert_int_equal(first.salt_len, first.iterations == 4096 ? 16 : 8);
		assert_int_equal(first.iterations, same.iterations);
		assert_int_equal(first.salt_len, same.salt_len);
		assert_memory_equal(first.salt, same.salt, first.salt_len);
		rare += first.iterations == 15000;
		other += first.iterations != later.iterations;
	}
	assert_in_range(rare, 200, 300);
	assert_true(other < 50);
	password_file_unref(&users);
	password_file_unref(&again);
	password_file_unref(&more);
}

static void file_with_wrong_mode_is_refused(void **state)
{
	char path[] = "/tmp/vakt-users-XXXXXX";
	int fd = mkstemp(path);
	struct errors errors = {0};
	struct password_file *users;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "anna:" ID "\n", sizeof("anna:" ID)), sizeof("anna:" ID));
	users = password_file_load(path, &errors);
	assert_non_null(users);
	password_file_unref(&users);
	assert_int_equal(fchmod(fd, 0640), 0);
	users = password_file_load(path, &errors);
	assert_non_null(users);
	password_file_unref(&users);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_null(password_file_load(path, &errors));
	assert_int_equal(errors.error_count, 1);
	errors_fini(&errors);
	close(fd);
	unlink(path);
	errors = (struct errors){0};
	assert_null(password_file_load(path, &errors));
	assert_int_equal(errors.error_count, 1);
	errors_fini(&errors);
}

static struct slice key_of(enum identity_kind kind, const char *name, uint64_t entry_id)
{
	struct identity *id = identity_new(kind, slice_of_str(name), entry_id, 7);
	struct slice key = slice_of(slice_dup(id->key), id->key.len);

	assert_true(slice_equal(id->name, slice_of_str(name)));
	assert_true(slice_equal(identity_key_name(key), slice_of_str(name)));
	identity_unref(&id);
	assert_null(id);
	return key;
}

static void identity_keys_are_equal_for_the_same_user(void **state)
{
	static const struct {
		const char *name;
		uint64_t entry_id;
		enum identity_kind kind;
		int who;
	} rows[] = {
	    {"", 0, IDENTITY_ANONYMOUS, 0},       {"", 0, IDENTITY_ANONYMOUS, 0},
	    {"anna", 1, IDENTITY_PASSWORD, 1},    {"anna", 1, IDENTITY_CERTIFICATE, 1},
	    {"anna", 2, IDENTITY_PASSWORD, 2},    {"bo", 1, IDENTITY_PASSWORD, 3},
	    {"anna", 0, IDENTITY_CERTIFICATE, 4}, {"anna", 0, IDENTITY_CERTIFICATE, 4},
	    {"bo", 0, IDENTITY_CERTIFICATE, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
			struct slice a = key_of(rows[i].kind, rows[i].name, rows[i].entry_id);
			struct slice b = key_of(rows[j].kind, rows[j].name, rows[j].entry_id);

			if (slice_equal(a, b) != (rows[i].who == rows[j].who))
				fail_msg("rows %zu and %zu", i, j);
			free((void *)(uintptr_t)a.data);
			free((void *)(uintptr_t)b.data);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(user_names_are_valid_or_refused),
	    cmocka_unit_test(files_load_or_report_their_first_error),
	    cmocka_unit_test(every_error_of_a_file_is_reported),
	    cmocka_unit_test(errors_never_quote_a_hash),
	    cmocka_unit_test(roles_of_a_user_are_bounded),
	    cmocka_unit_test(users_are_found_by_name_and_index),
	    cmocka_unit_test(credential_changes_with_the_hash),
	    cmocka_unit_test(credential_changes_with_the_verifier),
	    cmocka_unit_test(scram_decoy_of_an_unknown_user_is_stable),
	    cmocka_unit_test(scram_decoys_have_the_forms_of_all_users),
	    cmocka_unit_test(file_with_wrong_mode_is_refused),
	    cmocka_unit_test(identity_keys_are_equal_for_the_same_user),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
