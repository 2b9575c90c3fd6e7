/* Identity sources: the password file, none, and one that answers later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/identity_source.h"
#include "auth/login_request.h"
#include "auth/password_backend.h"
#include "auth/password_file.h"

#define HASH "$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

static struct identity_source *source_of(const char *text)
{
	struct errors errors = {0};
	struct password_file *file = password_file_parse("users", slice_of_str(text), &errors);

	assert_non_null(file);
	return identity_source_new(&password_backend, file, "users");
}

static struct identity_source *fixture(void)
{
	return source_of("anna:id=00000000000000a1:hash=" HASH ":roles=cook,reader\n"
	                 "bert:id=00000000000000a2:hash=" HASH ":locked:roles=cook\n");
}

/* The key of a user of that name and entry. */
static struct identity *user_of(const char *name, uint64_t id)
{
	return identity_new(IDENTITY_PASSWORD, slice_of_str(name), id, 0);
}

static void roles_are_those_of_users_who_are_not_locked(void **state)
{
	struct identity_source *source = fixture(), *none = identity_source_new(NULL, NULL, NULL);
	char *const *roles;
	size_t count;

	(void)state;
	assert_true(identity_source_roles(source, SLICE("anna"), &roles, &count));
	assert_int_equal(count, 2);
	assert_string_equal(roles[1], "reader");
	assert_false(identity_source_roles(source, SLICE("bert"), &roles, &count));
	assert_int_equal(count, 0);
	assert_false(identity_source_roles(source, SLICE("eve"), &roles, &count));
	assert_true(identity_source_roles(none, SLICE("eve"), &roles, &count));
	assert_int_equal(count, 0);
	identity_source_unref(&none);
	identity_source_unref(&source);
}

static void users_of_another_entry_are_removed(void **state)
{
	static const struct {
		const char *name;
		uint64_t id;
		bool removed, owner, may_write;
	} rows[] = {
	    {"anna", 0xa1, false, true, true},
	    {"anna", 0xb1, true, false, false},
	    {"bert", 0xa2, false, true, false},
	    {"eve", 0xa3, true, false, false},
	};
	struct identity_source *source = fixture(), *none = identity_source_new(NULL, NULL, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct identity *id = user_of(rows[i].name, rows[i].id);

		if (identity_source_has_removed(source, id) != rows[i].removed ||
		    identity_source_owner_exists(source, id->key) != rows[i].owner ||
		    identity_source_may_write(source, id->name, id->key) != rows[i].may_write)
			fail_msg("%s", rows[i].name);
		assert_true(identity_source_has_removed(none, id));
		assert_true(identity_source_owner_exists(none, id->key));
		assert_true(identity_source_may_write(none, id->name, id->key));
		identity_unref(&id);
	}
	assert_true(identity_source_owner_exists(source, SLICE_EMPTY));
	identity_source_unref(&none);
	identity_source_unref(&source);
}

static void put_change(void *arg, const char *what, const char *whose, const char *text)
{
	buf_printf(arg, "%s %s %s;", what, whose, text);
}

static void put_key_name(void *arg, struct slice key)
{
	buf_put_slice(arg, identity_key_name(key));
	buf_put_u8(arg, ';');
}

static void two_generations_differ_in_users(void **state)
{
	static const char said[] = "user changed anna roles: cook, reader -> none;"
				   "user removed bert ;user added carl ;";
	struct identity_source *before = fixture(), *same = fixture();
	struct identity_source *after = source_of("anna:id=00000000000000a1:hash=" HASH "\n"
	                                          "carl:id=00000000000000a3\n");
	struct buf out = {0};

	(void)state;
	assert_true(identity_source_equal(before, same));
	assert_false(identity_source_equal(before, after));
	identity_source_diff(before, after, put_change, &out);
	assert_true(slice_equal(buf_slice(&out), slice_of_str(said)));
	buf_fini(&out);
	identity_source_each_removed(before, after, put_key_name, &out);
	assert_true(slice_equal(buf_slice(&out), SLICE("bert;")));
	buf_fini(&out);
	identity_source_unref(&before);
	identity_source_unref(&same);
	identity_source_unref(&after);
}

static void users_are_counted_as_far_as_asked(void **state)
{
	struct identity_source *source = fixture(), *none = identity_source_new(NULL, NULL, NULL);

	(void)state;
	assert_int_equal(identity_source_admitted(source, true, 2), 1);
	assert_int_equal(identity_source_admitted(none, true, 2), 2);
	assert_int_equal(identity_source_admitted(none, false, 2), 0);
	identity_source_unref(&none);
	identity_source_unref(&source);
}

static void each_source_has_its_functions(void **state)
{
	static const struct {
		const char *key;
		const struct identity_backend *backend;
	} rows[] = {
#define IDENTITY_SOURCE(key, backend, help) {#key, &(backend)},
#include "conf/identity_sources.def"
#undef IDENTITY_SOURCE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct identity_backend *b = rows[i].backend;

		if (b->means == NULL || b->load == NULL || b->free == NULL || b->count == NULL ||
		    b->at == NULL || b->find == NULL || b->check == NULL || b->cancel == NULL ||
		    (b->scram == NULL) != (b->has_scram == NULL))
			fail_msg("%s", rows[i].key);
	}
}

/* --- a source that answers later: the one password is "open", whoever says it --- */

static struct {
	struct identity_check *asked;
	bool right, cancelled;
	unsigned answers;
} late;

static void late_free(void *data)
{
	(void)data;
}

static size_t late_count(const void *data)
{
	(void)data;
	return 0;
}

static void late_at(const void *data, size_t index, struct identity_entry *out)
{
	(void)data;
	(void)index;
	(void)out;
	fail();
}

static bool late_find(const void *data, struct slice name, struct identity_entry *out)
{
	(void)data;
	*out = (struct identity_entry){.name = "anna", .id = 1, .has_password = true};
	return slice_equal(name, SLICE("anna"));
}

static bool late_check(const void *data, struct authenticator *a, struct identity_check *check)
{
	(void)data;
	(void)a;
	late.asked = check;
	late.right = !check->is_nobody && slice_equal(check->password, SLICE("open"));
	return false;
}

static void late_cancel(struct authenticator *a, struct identity_check *check)
{
	(void)a;
	assert_ptr_equal(check, late.asked);
	late.cancelled = true;
}

static const struct identity_backend late_backend = {
    .means = "a word",
    .free = late_free,
    .count = late_count,
    .at = late_at,
    .find = late_find,
    .check = late_check,
    .cancel = late_cancel,
};

static void on_done(struct login_request *request)
{
	(void)request;
	late.answers++;
}

static void login_waits_for_its_source(void **state)
{
	static const struct {
		const char *user, *password;
		enum login_verdict want;
	} rows[] = {
	    {"anna", "open", LOGIN_ACCEPTED},
	    {"anna", "shut", LOGIN_BAD_CREDENTIALS},
	    {"anna", "", LOGIN_BAD_CREDENTIALS},
	    {"eve", "open", LOGIN_BAD_CREDENTIALS},
	};
	const struct conf_authentication conf = {0};
	static char data;
	struct identity_source *source = identity_source_new(&late_backend, &data, "late.conf");

	(void)state;
	assert_false(identity_source_has_scram(source));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct login_request r = {.done = on_done};
		struct login login = {
		    .conf = &conf,
		    .source = source,
		    .has_user_name = true,
		    .has_password = true,
		    .user_name = slice_of_str(rows[i].user),
		    .password = slice_of_str(rows[i].password),
		};

		late.answers = 0;
		assert_false(login_request_start(&r, &login, NULL));
		assert_int_equal(late.answers, 0);
		late.asked->accepted = late.right;
		late.asked->done(late.asked);
		assert_int_equal(late.answers, 1);
		if (r.verdict != rows[i].want ||
		    (r.identity != NULL) != (rows[i].want == LOGIN_ACCEPTED))
			fail_msg("%s %s", rows[i].user, rows[i].password);
		login_request_fini(&r);
	}
	identity_source_unref(&source);
}

static void cancelled_login_is_still_answered(void **state)
{
	const struct conf_authentication conf = {0};
	static char data;
	struct identity_source *source = identity_source_new(&late_backend, &data, "late.conf");
	struct login_request r = {.done = on_done};
	struct login login = {.conf = &conf,
	                      .source = source,
	                      .has_user_name = true,
	                      .has_password = true,
	                      .user_name = SLICE("anna"),
	                      .password = SLICE("open")};

	(void)state;
	late.answers = 0;
	assert_false(login_request_start(&r, &login, NULL));
	identity_source_unref(&source); /* the request has its own reference */
	login_request_cancel(&r);
	assert_true(late.cancelled);
	late.asked->done(late.asked);
	assert_int_equal(late.answers, 1);
	assert_int_equal(r.verdict, LOGIN_BAD_CREDENTIALS);
	login_request_fini(&r);
}

static void login_without_proof_is_answered_at_once(void **state)
{
	const struct conf_authentication conf = {.anonymous = true};
	struct identity_source *none = identity_source_new(NULL, NULL, NULL);
	struct login login = {.conf = &conf, .source = none};
	struct login_request r = {.done = on_done};

	(void)state;
	assert_true(login_request_start(&r, &login, NULL));
	assert_int_equal(r.verdict, LOGIN_ACCEPTED);
	assert_int_equal(r.identity->kind, IDENTITY_ANONYMOUS);
	login_request_fini(&r);
	identity_source_unref(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roles_are_those_of_users_who_are_not_locked),
	    cmocka_unit_test(users_of_another_entry_are_removed),
	    cmocka_unit_test(two_generations_differ_in_users),
	    cmocka_unit_test(users_are_counted_as_far_as_asked),
	    cmocka_unit_test(each_source_has_its_functions),
	    cmocka_unit_test(login_waits_for_its_source),
	    cmocka_unit_test(cancelled_login_is_still_answered),
	    cmocka_unit_test(login_without_proof_is_answered_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
