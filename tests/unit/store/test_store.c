/* Tables on disk, in memory and in a file: the same rules.  Rows come back in order, a transaction
 * is all or nothing, what was not committed is gone after a crash, and what is wrong ends it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "places.h"
#include "store/store_backend.h"
#include "support/dice.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct slice text(const char *s)
{
	return slice_of_str(s);
}

static void put(struct store *d, enum store_table table, const char *key, const char *value)
{
	store_put(d, table, text(key), text(value));
	assert_int_equal(store_error(d), 0);
}

static void begin(struct store *d)
{
	store_begin(d);
	assert_int_equal(store_error(d), 0);
}

static void commit(struct store *d)
{
	assert_int_equal(store_commit(d), 0);
}

/* "key=value key=value" of a table. */
struct listing {
	struct buf text;
	unsigned left;
};

static bool list_row(void *arg, struct slice key, struct slice value)
{
	struct listing *l = arg;

	buf_printf(&l->text, "%s%.*s=%.*s", l->text.len == 0 ? "" : " ", (int)key.len,
	           (const char *)key.data, (int)value.len, (const char *)value.data);
	return --l->left > 0;
}

static void assert_rows(struct store *d, enum store_table table, const char *from, unsigned max,
                        const char *want)
{
	struct listing l = {.left = max};

	store_scan(d, table, text(from), list_row, &l);
	assert_int_equal(store_error(d), 0);
	buf_put_u8(&l.text, 0);
	assert_string_equal((const char *)l.text.data, want);
	buf_fini(&l.text);
}

static void assert_value(struct store *d, enum store_table table, const char *key, const char *want)
{
	struct slice value;
	bool found = store_get(d, table, text(key), &value);

	assert_int_equal(store_error(d), 0);
	assert_true(found == (want != NULL));
	if (want != NULL)
		assert_true(slice_equal(value, text(want)));
}

/* ---- rows and transactions, on each implementation ---- */

static void rows_come_back_in_order(struct place *p)
{
	struct store *d = place_open(p);

	begin(d);
	put(d, TABLE_QUEUE, "b", "2");
	put(d, TABLE_QUEUE, "d", "4");
	put(d, TABLE_QUEUE, "a", "1");
	put(d, TABLE_QUEUE, "c", "");
	put(d, TABLE_BODY, "b", "elsewhere");
	assert_rows(d, TABLE_QUEUE, "", 9, "a=1 b=2 c= d=4");
	assert_rows(d, TABLE_QUEUE, "b", 2, "b=2 c=");
	assert_rows(d, TABLE_QUEUE, "bb", 9, "c= d=4");
	assert_rows(d, TABLE_QUEUE, "e", 9, "");
	assert_rows(d, TABLE_SENT, "", 9, "");
	assert_value(d, TABLE_QUEUE, "c", "");
	assert_value(d, TABLE_BODY, "b", "elsewhere");
	assert_value(d, TABLE_BODY, "a", NULL);
	put(d, TABLE_QUEUE, "b", "longer than it was");
	assert_true(store_delete(d, TABLE_QUEUE, text("a")));
	assert_false(store_delete(d, TABLE_QUEUE, text("a")));
	assert_rows(d, TABLE_QUEUE, "", 9, "b=longer than it was c= d=4");
	commit(d);
	d = place_reopen(p);
	begin(d);
	assert_rows(d, TABLE_QUEUE, "", 9, "b=longer than it was c= d=4");
	store_abort(d);
}

static void changes_without_commit_are_gone(struct place *p)
{
	struct store *d = place_open(p);

	begin(d);
	put(d, TABLE_SESSION, "kept", "old");
	put(d, TABLE_SESSION, "removed", "x");
	commit(d);
	for (int crash = 0; crash < 2; crash++) {
		begin(d);
		put(d, TABLE_SESSION, "kept", "new");
		put(d, TABLE_SESSION, "added", "y");
		put(d, TABLE_SESSION, "added", "z");
		assert_true(store_delete(d, TABLE_SESSION, text("removed")));
		assert_rows(d, TABLE_SESSION, "", 9, "added=z kept=new");
		if (crash == 0)
			store_abort(d);
		else
			d = place_reopen(p); /* closed in the middle of it */
		begin(d);
		assert_rows(d, TABLE_SESSION, "", 9, "kept=old removed=x");
		store_abort(d);
	}
}

static void status_counts_rows_and_commits(struct place *p)
{
	struct store *d = place_open(p);
	struct store_status before, after;

	store_status(d, &before);
	begin(d);
	put(d, TABLE_WILL, "a", "1");
	put(d, TABLE_WILL, "b", "1");
	commit(d);
	begin(d);
	assert_true(store_delete(d, TABLE_WILL, text("a")));
	commit(d);
	begin(d);
	commit(d); /* nothing changed: no transaction */
	store_status(d, &after);
	assert_int_equal(after.transaction, before.transaction + 2);
	assert_int_equal(after.rows[TABLE_WILL], 1);
	assert_int_equal(after.rows[TABLE_BODY], 0);
	assert_true(after.used_bytes > 0 && after.used_bytes <= after.map_bytes);
}

static int64_t wall_ms;

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return wall_ms;
}

static uint64_t fake_monotonic_ns(void *arg)
{
	(void)arg;
	return 0;
}

/* The latest store time stays, with what the wall clock showed then. */
static void store_time_never_goes_back(struct place *p)
{
	static const struct clock_source clock = {.monotonic_ns = fake_monotonic_ns,
	                                          .wall_ms = fake_wall_ms};
	static const struct {
		int64_t wall_ms;
		uint64_t timestamp_ms, note_ms, want_ms;
		int64_t want_wall_ms;
	} steps[] = {
	    {.wall_ms = 777, .timestamp_ms = 5000, .want_ms = 5000, .want_wall_ms = 777},
	    {.wall_ms = 100, .timestamp_ms = 6000, .want_ms = 6000, .want_wall_ms = 100},
	    {.wall_ms = 999, .timestamp_ms = 4000, .want_ms = 6000, .want_wall_ms = 100},
	    {.wall_ms = -50, .note_ms = 7000, .want_ms = 7000, .want_wall_ms = -50},
	    {.wall_ms = 800, .note_ms = 6500, .want_ms = 7000, .want_wall_ms = -50},
	    {.wall_ms = 900, .note_ms = 7000, .want_ms = 7000, .want_wall_ms = 900},
	    /* a commit without a time of its own has the last one */
	    {.wall_ms = 999999, .want_ms = 7000, .want_wall_ms = 900},
	};
	struct store *d = place_open(p);

	assert_int_equal(store_last_time(d).time_ms, 0);
	clock_use(&clock);
	for (size_t i = 0; i < COUNT(steps); i++) {
		wall_ms = steps[i].wall_ms;
		if (steps[i].note_ms > 0) {
			store_save_time(d, steps[i].note_ms);
		} else {
			begin(d);
			put(d, TABLE_SESSION, "a", "1");
			if (steps[i].timestamp_ms > 0)
				store_timestamp(d, steps[i].timestamp_ms);
			commit(d);
		}
		assert_int_equal(store_last_time(d).time_ms, steps[i].want_ms);
		assert_int_equal(store_last_time(d).wall_ms, steps[i].want_wall_ms);
		d = place_reopen(p);
		assert_int_equal(store_last_time(d).time_ms, steps[i].want_ms);
		assert_int_equal(store_last_time(d).wall_ms, steps[i].want_wall_ms);
	}
	clock_use(NULL);
}

/* Older versions wrote one time for both, and 24 bytes beside the tables. */
static void rows_without_a_wall_clock_are_read(void **state)
{
	struct store_time time, want = {.time_ms = 0x1122334455, .wall_ms = 0x1122334455};
	struct buf row = {0};
	uint64_t number;

	(void)state;
	store_backend_put_commit(&row, 9, (struct store_time){.time_ms = 5, .wall_ms = -7});
	assert_int_equal(row.len, 24);
	assert_true(store_backend_read_commit(buf_slice(&row), &number, &time));
	assert_int_equal(number, 9);
	assert_int_equal(time.time_ms, 5);
	assert_int_equal(time.wall_ms, -7);
	buf_clear(&row);
	buf_put_u64(&row, 8);
	buf_put_u64(&row, want.time_ms);
	assert_true(store_backend_read_commit(buf_slice(&row), &number, &time));
	assert_int_equal(number, 8);
	assert_memory_equal(&time, &want, sizeof(time));
	assert_false(store_backend_read_commit(slice_of(row.data, row.len - 1), &number, &time));
	buf_fini(&row);
}

/* ---- against a model: an array that is searched ---- */

#define MODEL_KEYS 300

struct model {
	uint32_t value[MODEL_KEYS]; /* 0: no row */
};

static struct slice model_key(unsigned i, uint8_t out[16])
{
	size_t len = 2 + i % 14;

	for (size_t at = 0; at < len; at++)
		out[at] = (uint8_t)(at < 2 ? i >> (8 * (1 - at)) : 0xaa);
	return slice_of(out, len);
}

/* Some are longer than a page. */
static struct slice model_value(uint32_t v, uint8_t out[6000])
{
	size_t len = v % 17 == 0 ? 3000 + v % 3000 : v % 200;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(v >> (8 * (i % 4)));
	return slice_of(out, len);
}

struct comparison {
	const struct model *model;
	unsigned at;
};

static bool compare_row(void *arg, struct slice key, struct slice value)
{
	struct comparison *c = arg;
	uint8_t key_bytes[16], value_bytes[6000];

	while (c->at < MODEL_KEYS && c->model->value[c->at] == 0)
		c->at++;
	assert_true(c->at < MODEL_KEYS);
	assert_true(slice_equal(key, model_key(c->at, key_bytes)));
	assert_true(slice_equal(value, model_value(c->model->value[c->at], value_bytes)));
	c->at++;
	return true;
}

static void assert_is_model(struct store *d, const struct model *model)
{
	struct comparison c = {.model = model};

	begin(d);
	store_scan(d, TABLE_BODY, SLICE_EMPTY, compare_row, &c);
	assert_int_equal(store_error(d), 0);
	while (c.at < MODEL_KEYS && model->value[c.at] == 0)
		c.at++;
	assert_int_equal(c.at, MODEL_KEYS);
	store_abort(d);
}

static void change_at_random(struct store *d, struct model *model, struct dice *dice)
{
	unsigned i = (unsigned)dice_roll(dice, MODEL_KEYS);
	uint8_t key[16], value[6000];

	if (dice_roll(dice, 3) == 0) {
		bool was_there = store_delete(d, TABLE_BODY, model_key(i, key));

		assert_true(store_error(d) != 0 || was_there == (model->value[i] != 0));
		model->value[i] = 0;
		return;
	}
	model->value[i] = 1 + (uint32_t)dice_roll(dice, 1000000);
	store_put(d, TABLE_BODY, model_key(i, key), model_value(model->value[i], value));
}

/* One transaction; true: committed. */
static bool turn_at_random(struct place *p, struct model *model, struct dice *dice)
{
	int rc;

	begin(p->store);
	for (uint64_t n = dice_roll(dice, 40); n > 0; n--)
		change_at_random(p->store, model, dice); /* does nothing after an error */
	if (store_error(p->store) != 0 || dice_roll(dice, 4) > 0)
		rc = store_commit(p->store);
	else
		rc = -ECANCELED;
	assert_true(rc == 0 || rc == -EAGAIN || rc == -ECANCELED);
	if (rc == -ECANCELED && dice_roll(dice, 2) == 0)
		place_reopen(p);
	else if (rc == -ECANCELED)
		store_abort(p->store);
	return rc == 0;
}

static void random_changes_equal_a_model(struct place *p)
{
	struct dice dice = {.state = 7};
	struct model now = {0};

	place_open(p);
	for (int turn = 0; turn < 400; turn++) {
		struct model next = now;

		if (turn_at_random(p, &next, &dice))
			now = next;
		assert_is_model(p->store, &now);
	}
}

/* ---- formats ---- */

static void upgrade_one(struct store *d)
{
	store_put(d, TABLE_SESSION, SLICE("one"), SLICE("1"));
}

static void upgrade_two(struct store *d)
{
	if (store_delete(d, TABLE_SESSION, SLICE("one")))
		store_put(d, TABLE_SESSION, SLICE("two"), SLICE("2"));
}

static void upgrade_not(struct store *d)
{
	store_put(d, TABLE_SESSION, SLICE("half"), SLICE("done"));
	store_fail(d, -EDOM);
}

static int settle_as(struct store *d, store_upgrade_fn *second, uint32_t newest, char *said)
{
	static const char *const names[TABLES] = {"meta"}; /* the rest is there already */
	const struct store_format list[] = {
	    {.tables = TABLES},
	    {.tables = TABLES, .upgrade = upgrade_one},
	    {.tables = TABLES, .upgrade = second},
	};
	const struct store_formats formats = {.list = list, .newest = newest, .table_names = names};

	return store_format_settle(d, &formats, said);
}

static void upgrade_over_two_formats_is_one_transaction(struct place *p)
{
	char said[STORE_ERROR_TEXT] = "";
	struct store *d = place_open(p);

	assert_int_equal(store_upgraded_from(d), 0);
	begin(d);
	store_put(d, TABLE_META, STORE_ROW_FORMAT, SLICE("\0\0\0\1"));
	commit(d);
	assert_int_equal(settle_as(d, upgrade_not, 3, said), -EDOM);
	assert_non_null(strstr(said, "of format 1 and could not be upgraded to 3"));
	assert_int_equal(settle_as(d, NULL, 3, said), -ENOTSUP); /* no crash */
	assert_non_null(strstr(said, "does not have that step"));
	begin(d); /* no step did anything, not even the first */
	assert_rows(d, TABLE_SESSION, "", 9, "");
	store_abort(d);
	assert_int_equal(store_upgraded_from(d), 0);
	assert_int_equal(settle_as(d, upgrade_two, 3, said), 0);
	assert_int_equal(store_upgraded_from(d), 1);
	begin(d);
	assert_rows(d, TABLE_SESSION, "", 9, "two=2");
	store_abort(d);
	assert_int_equal(settle_as(d, upgrade_two, 3, said), 0);
	assert_int_equal(settle_as(d, upgrade_two, 2, said), -EPROTONOSUPPORT);
	assert_non_null(
	    strstr(said, "of format 3, and this version of the broker knows formats up to 2"));
}

/* Of this version: a row for each format, a step to each but the first, and tables never go. */
static void each_format_has_an_upgrade(void **state)
{
	(void)state;
	assert_int_equal(store_formats.newest, STORE_FORMAT);
	assert_int_equal(store_format_tables(&store_formats, STORE_FORMAT), TABLES);
	assert_int_equal(store_format_tables(&store_formats, STORE_FORMAT + 1), 0);
	assert_int_equal(store_format_tables(&store_formats, 0), 0);
	/* houses have stores of it */
	assert_int_equal(store_format_tables(&store_formats, 1), TABLE_REPLAY + 1);
	for (uint32_t n = 2; n <= STORE_FORMAT; n++) {
		assert_non_null(store_formats.list[n - 1].upgrade);
		assert_true(store_format_tables(&store_formats, n) >=
		            store_format_tables(&store_formats, n - 1));
	}
	for (unsigned i = 0; i < TABLES; i++)
		assert_non_null(store_formats.table_names[i]);
}

/* ---- memory's own ---- */

static void failed_commit_leaves_nothing(void **state)
{
	static const struct {
		int error;
		bool for_good;
	} rows[] = {{-ENOSPC, false}, {-EDQUOT, false}, {-EAGAIN, false}, {-EIO, true}};
	struct store_image *image = store_image_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store *d = store_memory_open(image);

		store_image_fail(image, 2, rows[i].error);
		for (int n = 0; n < 2 && !store_is_failed(d); n++) {
			begin(d);
			put(d, TABLE_SESSION, "a", "1");
			assert_int_equal(store_commit(d), rows[i].error);
		}
		assert_int_equal(store_is_failed(d), rows[i].for_good);
		store_begin(d);
		assert_int_equal(store_error(d), rows[i].for_good ? -EIO : 0);
		if (!rows[i].for_good)
			assert_rows(d, TABLE_SESSION, "", 9, "");
		store_close(d);
	}
	store_image_free(image);
}

static void broken_checksum_fails_the_transaction(void **state)
{
	struct store_image *image = store_image_new();
	struct store *d = store_memory_open(image);
	struct slice value;
	struct listing l = {.left = 9};

	(void)state;
	begin(d);
	put(d, TABLE_RETAINED, "a", "1");
	put(d, TABLE_RETAINED, "b", "2");
	commit(d);
	assert_false(store_image_damage(image, TABLE_RETAINED, text("c")));
	assert_true(store_image_damage(image, TABLE_RETAINED, text("b")));
	begin(d);
	assert_value(d, TABLE_RETAINED, "a", "1");
	assert_false(store_get(d, TABLE_RETAINED, text("b"), &value));
	assert_int_equal(store_commit(d), -EBADMSG);
	begin(d);
	store_scan(d, TABLE_RETAINED, SLICE_EMPTY, list_row, &l);
	assert_int_equal(store_commit(d), -EBADMSG);
	assert_false(store_is_failed(d));
	buf_fini(&l.text);
	store_close(d);
	store_image_free(image);
}

/* After the first error a transaction does nothing and finds nothing; what was read stays. */
static void first_error_sticks_until_commit(struct place *p)
{
	struct store *d = place_open(p);
	struct listing l = {.left = 9};
	struct slice value, again;

	begin(d);
	put(d, TABLE_SESSION, "a", "1");
	commit(d);
	begin(d);
	assert_true(store_get(d, TABLE_SESSION, text("a"), &value));
	put(d, TABLE_SESSION, "b", "2");
	assert_true(store_expect(d, true));
	assert_false(store_expect(d, false));
	store_fail(d, -EDOM); /* not the first */
	assert_int_equal(store_error(d), -EBADMSG);
	assert_false(store_get(d, TABLE_SESSION, text("a"), &again));
	assert_false(store_delete(d, TABLE_SESSION, text("a")));
	store_put(d, TABLE_SESSION, text("c"), text("3"));
	store_scan(d, TABLE_SESSION, SLICE_EMPTY, list_row, &l);
	assert_int_equal(l.text.len, 0);
	assert_true(slice_equal(value, text("1")));
	assert_int_equal(store_commit(d), -EBADMSG);
	assert_false(store_is_failed(d));
	begin(d);
	assert_rows(d, TABLE_SESSION, "", 9, "a=1");
	commit(d);
	assert_false(store_has_changes(d));
}

static void checksum_covers_table_key_and_value(void **state)
{
	uint64_t checksum = store_backend_checksum(TABLE_BODY, SLICE("ab"), SLICE("cd"));

	(void)state;
	assert_int_equal(checksum, store_backend_checksum(TABLE_BODY, SLICE("ab"), SLICE("cd")));
	assert_int_not_equal(checksum,
	                     store_backend_checksum(TABLE_QUEUE, SLICE("ab"), SLICE("cd")));
	assert_int_not_equal(checksum,
	                     store_backend_checksum(TABLE_BODY, SLICE("a"), SLICE("bcd")));
	assert_int_not_equal(checksum,
	                     store_backend_checksum(TABLE_BODY, SLICE("ab"), SLICE("ce")));
	/* part of the format: the same on every machine, in every version */
	assert_int_equal(checksum, 0x67b8a8ef2a33312e);
	assert_int_equal(store_backend_checksum(TABLE_META, SLICE("k"), SLICE_EMPTY),
	                 0x749bbcd73d441cae);
}

PLACE_WRAP(rows_come_back_in_order)
PLACE_WRAP(changes_without_commit_are_gone)
PLACE_WRAP(first_error_sticks_until_commit)
PLACE_WRAP(status_counts_rows_and_commits)
PLACE_WRAP(store_time_never_goes_back)
PLACE_WRAP(random_changes_equal_a_model)
PLACE_WRAP(upgrade_over_two_formats_is_one_transaction)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACE_TESTS(rows_come_back_in_order),
	    PLACE_TESTS(changes_without_commit_are_gone),
	    PLACE_TESTS(first_error_sticks_until_commit),
	    PLACE_TESTS(status_counts_rows_and_commits),
	    PLACE_TESTS(store_time_never_goes_back),
	    cmocka_unit_test(rows_without_a_wall_clock_are_read),
	    PLACE_TESTS(random_changes_equal_a_model),
	    PLACE_TESTS(upgrade_over_two_formats_is_one_transaction),
	    cmocka_unit_test(each_format_has_an_upgrade),
	    cmocka_unit_test(failed_commit_leaves_nothing),
	    cmocka_unit_test(broken_checksum_fails_the_transaction),
	    cmocka_unit_test(checksum_covers_table_key_and_value),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
