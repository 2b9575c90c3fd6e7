/* What becomes of ids: histories of password files, and what is known after each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/password_backend.h"
#include "auth/password_file.h"
#include "worker/user_ids.h"

#define HOUR_MS ((uint64_t)3600 * 1000)

/* "a1 b2": a with the id 1, b with the id 2. "-": there is no source. */
static struct identity_source *source_of(const char *users)
{
	struct errors errors = {0};
	struct password_file *file;
	struct buf text = {0};

	if (strcmp(users, "-") == 0 || strcmp(users, "accept") == 0 || strcmp(users, "expire") == 0)
		return identity_source_new(NULL, NULL, NULL);
	for (const char *c = users; *c != '\0'; c++) {
		if (*c >= 'a')
			buf_printf(&text, "%c:id=000000000000000%c\n", c[0], c[1]);
	}
	file = password_file_parse("users", buf_slice(&text), &errors);
	assert_non_null(file);
	buf_fini(&text);
	return identity_source_new(&password_backend, file, "users");
}

/* "a1 a2=aside": by id. */
static char *text_of(const struct user_ids *ids)
{
	struct buf text = {0};

	for (size_t i = 0; i < user_ids_count(ids); i++) {
		const struct user_id *row = user_ids_at(ids, i);

		buf_printf(&text, "%s%.*s%d", i == 0 ? "" : " ", (int)row->name.len,
		           (const char *)row->name.data, (int)row->id);
		if (row->state == USER_ID_SET_ASIDE)
			buf_printf(&text, row->has_limit ? "=for-a-day" : "=aside");
		else if (row->state == USER_ID_MERGED)
			buf_printf(&text, "=in-%d", (int)row->merged_into);
		else if (row->state == USER_ID_DELETED)
			buf_printf(&text, "=deleted");
	}
	buf_put_u8(&text, '\0');
	return (char *)text.data;
}

static void take(struct user_ids **ids, const char *users, uint64_t now_ms)
{
	struct identity_source *source = source_of(users);
	struct user_ids *next;

	if (strcmp(users, "accept") == 0)
		next = user_ids_delete(*ids, true, now_ms);
	else if (strcmp(users, "expire") == 0)
		next = user_ids_delete(*ids, false, now_ms);
	else
		next = user_ids_next(*ids, source, now_ms);
	user_ids_unref(ids);
	*ids = next;
	identity_source_unref(&source);
}

/* So long between any two. */
static void ids_follow_each_file_after(uint64_t gap_ms)
{
	static const struct {
		const char *name;
		const char *files[8];
		const char *want;
	} rows[] = {
	    {"a first file", {"a1 b2"}, "a1 b2"},
	    {"the same", {"a1 b2", "a1 b2"}, "a1 b2"},
	    {"written anew", {"a1 b2", "a3 b4"}, "a1=aside b2=aside a3 b4"},
	    {"one of two", {"a1 b2", "a3 b2"}, "a1=aside b2 a3"},
	    {"removed", {"a1 b2", "b2"}, "b2"},
	    {"removed and added again", {"a1 b2", "b2", "a3 b2"}, "b2 a3"},
	    {"set aside, then removed", {"a1", "a2", ""}, ""},
	    {"set aside, removed, added again", {"a1", "a2", "", "a3"}, "a3"},
	    {"set aside, removed, back with its id", {"a1", "a2", "", "a1"}, "a1"},
	    {"anew and anew", {"a1", "a2", "a3", "a4"}, "a1=aside a2=for-a-day a3=for-a-day a4"},
	    {"restored", {"a1", "a2", "a1"}, "a1 a2=in-1"},
	    {"restored after several", {"a1", "a2", "a3", "a1"}, "a1 a2=in-1 a3=in-1"},
	    {"a later one restored", {"a1", "a2", "a3", "a2"}, "a1=aside a2 a3=in-2"},
	    {"restored, then anew", {"a1", "a2", "a1", "a4"}, "a1=aside a2=in-1 a4"},
	    {"restored twice", {"a1", "a2", "a1", "a4", "a1"}, "a1 a2=in-1 a4=in-1"},
	    {"restored, then the other back", {"a1", "a2", "a1", "a2"}, "a1=aside a2"},
	    {"names exchange their ids", {"a1 b2", "a2 b1"}, "a1=aside b1 a2 b2=aside"},
	    {"and back", {"a1 b2", "a2 b1", "a1 b2"}, "a1 b1=in-2 a2=in-1 b2"},
	    {"ids move among names", {"a1 b2", "c1 a2 b3"}, "a1=aside c1 a2 b2=aside b3"},
	    {"renamed", {"a1", "b1"}, "b1"},
	    {"no source for a while", {"a1", "-", "a1"}, "a1"},
	    {"no source, then anew", {"a1", "-", "a2"}, "a1=aside a2"},
	    {"accepted", {"a1 b2", "a3 b2", "accept"}, "a1=deleted b2 a3"},
	    {"accepted with what was merged",
	     {"a1", "a2", "a1", "a4", "accept"},
	     "a1=deleted a2=deleted a4"},
	    {"accepted, and a file after it",
	     {"a1", "a2", "accept", "a3"},
	     "a1=deleted a2=aside a3"},
	    {"accepted, and its id is back", {"a1", "a2", "accept", "a1"}, "a1 a2=aside"},
	    {"accepted, then removed", {"a1", "a2", "accept", ""}, "a1=deleted"},
	    {"too early", {"a1", "a2", "a3", "expire"}, "a1=aside a2=for-a-day a3"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct user_ids *ids = user_ids_new();
		char *got;

		for (size_t n = 0; n < 8 && rows[i].files[n] != NULL; n++)
			take(&ids, rows[i].files[n], HOUR_MS + n * gap_ms);
		got = text_of(ids);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, got);
		free(got);
		user_ids_unref(&ids);
	}
}

static void ids_follow_each_file(void **state)
{
	(void)state;
	ids_follow_each_file_after(HOUR_MS);
}

/* A machine without a clock may begin at the same time again and again. */
static void ids_follow_files_of_one_moment(void **state)
{
	(void)state;
	ids_follow_each_file_after(0);
}

static void later_sets_end_after_a_day(void **state)
{
	struct user_ids *ids = user_ids_new();
	char *got;

	(void)state;
	take(&ids, "a1 b5", HOUR_MS);
	take(&ids, "a2 b5", 2 * HOUR_MS);
	assert_true(user_ids_next_limit(ids) == UINT64_MAX);
	take(&ids, "a3 b5", 3 * HOUR_MS);
	assert_true(user_ids_next_limit(ids) == 27 * HOUR_MS);
	assert_int_equal(user_ids_count_state(ids, USER_ID_SET_ASIDE), 2);
	take(&ids, "expire", 27 * HOUR_MS - 1);
	assert_int_equal(user_ids_count_state(ids, USER_ID_SET_ASIDE), 2);
	take(&ids, "expire", 27 * HOUR_MS);
	got = text_of(ids);
	assert_string_equal(got, "a1=aside a2=deleted a3 b5");
	free(got);
	user_ids_unref(&ids);
}

static bool may_write(const struct user_ids *ids, const char *users, const char *name, uint64_t id)
{
	struct identity_source *source = source_of(users);
	struct identity *user = identity_new(IDENTITY_PASSWORD, slice_of_str(name), id, 0);
	bool may = user_ids_may_write(ids, source, user->name, user->key);

	identity_unref(&user);
	identity_source_unref(&source);
	return may;
}

static void what_a_merged_id_wrote_is_the_restored_ones(void **state)
{
	struct user_ids *ids = user_ids_new();

	(void)state;
	take(&ids, "a1 b5", 1);
	take(&ids, "a2 b5", 2);
	assert_true(may_write(ids, "a2 b5", "a", 2));
	assert_false(may_write(ids, "a2 b5", "a", 1));
	take(&ids, "a1 b5", 3);
	assert_true(may_write(ids, "a1 b5", "a", 1));
	assert_true(may_write(ids, "a1 b5", "a", 2));
	assert_false(may_write(ids, "a1 b5", "b", 2));
	assert_false(may_write(ids, "b5", "a", 2));
	assert_false(may_write(NULL, "a1 b5", "a", 2));
	user_ids_unref(&ids);
}

struct changes {
	unsigned put, gone;
};

static void on_change(void *arg, const struct user_id *row, bool is_gone)
{
	struct changes *changes = arg;

	(void)row;
	if (is_gone)
		changes->gone++;
	else
		changes->put++;
}

static void only_what_is_different_is_written(void **state)
{
	struct user_ids *ids = user_ids_new(), *before;
	struct changes changes = {0};

	(void)state;
	take(&ids, "a1 b2 c3", 1);
	before = user_ids_ref(ids);
	take(&ids, "a1 b4 d5", 2);
	user_ids_diff(before, ids, on_change, &changes);
	assert_int_equal(changes.put, 3);  /* b2, b4, d5 */
	assert_int_equal(changes.gone, 1); /* c3 */
	user_ids_unref(&before);
	user_ids_unref(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_follow_each_file),
	    cmocka_unit_test(ids_follow_files_of_one_moment),
	    cmocka_unit_test(later_sets_end_after_a_day),
	    cmocka_unit_test(what_a_merged_id_wrote_is_the_restored_ones),
	    cmocka_unit_test(only_what_is_different_is_written),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
