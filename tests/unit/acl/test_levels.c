/* The levels of a topic as they are read and looked up: against the plain definition of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "acl/level_dictionary.h"
#include "base/alloc.h"

#define LEVEL_BYTES_MAX 34
#define TEXTS_MAX       4096

/* On the heap without a byte more, so that a sanitizer sees what is read behind it. */
static struct slice exact_copy(struct slice s)
{
	/* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): of 0 bytes none may be read */
	uint8_t *data = malloc(s.len);

	if (s.len > 0)
		memcpy(data, s.data, s.len);
	return slice_of(data, s.len);
}

static void free_copy(struct slice s)
{
	free((void *)(uintptr_t)s.data);
}

static uint64_t hash_of(struct slice level)
{
	struct level_reader reader = level_reader_of(level);
	struct hashed_level read;

	level_read(&reader, &read);
	assert_int_equal(read.text.len, level.len);
	return read.hash;
}

/* Each level by itself, its end, and the hash that it has when it stands alone. */
static void check_topic(struct slice topic)
{
	struct level_reader reader = level_reader_of(topic);
	const uint8_t *at = topic.data, *end = topic.data + topic.len;

	for (;;) {
		const uint8_t *slash = at == end ? NULL : memchr(at, '/', (size_t)(end - at));
		struct slice level = slice_of(at, (size_t)((slash == NULL ? end : slash) - at));
		struct slice alone = exact_copy(level);
		struct hashed_level read;

		level_read(&reader, &read);
		assert_ptr_equal(read.text.data, level.data);
		assert_int_equal(read.text.len, level.len);
		assert_true(read.hash == hash_of(alone));
		free_copy(alone);
		if (slash == NULL) {
			assert_ptr_equal(reader.at, end);
			return;
		}
		assert_ptr_equal(reader.at, slash);
		at = reader.at = slash + 1;
	}
}

/* Bytes that differ from '/' in one bit, and those for which arithmetic on words may carry. */
static void levels_of_each_length_are_read_to_their_end(void **state)
{
	static const uint8_t fills[] = {'a', '.', '0', 0x2e, 0x6f, 0xaf, 0x80, 0xff, 0x01, ' '};

	(void)state;
	for (size_t f = 0; f < sizeof(fills); f++) {
		for (size_t first = 0; first < LEVEL_BYTES_MAX; first++) {
			for (size_t second = 0; second < LEVEL_BYTES_MAX; second++) {
				uint8_t bytes[2 * LEVEL_BYTES_MAX + 2];
				struct slice topic;

				memset(bytes, fills[f], sizeof(bytes));
				bytes[first] = '/';
				topic = exact_copy(slice_of(bytes, first + 1 + second));
				check_topic(topic);
				free_copy(topic);
			}
		}
	}
}

static void separators_in_a_row_are_empty_levels(void **state)
{
	(void)state;
	for (size_t len = 1; len < LEVEL_BYTES_MAX; len++) {
		uint8_t bytes[LEVEL_BYTES_MAX];
		struct slice topic;

		memset(bytes, '/', sizeof(bytes));
		topic = exact_copy(slice_of(bytes, len));
		check_topic(topic);
		free_copy(topic);
	}
}

static uint32_t find(const struct level_dictionary *d, const char *text)
{
	struct slice copy = exact_copy(slice_of_str(text));
	struct level_reader reader = level_reader_of(copy);
	struct hashed_level level;
	uint32_t id;

	level_read(&reader, &level);
	id = level_dictionary_find(d, &level);
	free_copy(copy);
	return id;
}

/* Texts of each length around the word's, which differ in one byte only. */
static size_t make_texts(char texts[TEXTS_MAX][LEVEL_BYTES_MAX])
{
	size_t count = 0;

	for (size_t len = 1; len < LEVEL_BYTES_MAX; len++) {
		for (size_t at = 0; at < len; at++) {
			for (int c = 'b'; c <= 'd'; c++) {
				memset(texts[count], 'a', len);
				texts[count][at] = (char)c;
				count++;
			}
		}
		memset(texts[count++], 'a', len);
	}
	return count;
}

static void each_text_has_a_number_of_its_own(void **state)
{
	static char texts[TEXTS_MAX][LEVEL_BYTES_MAX];
	size_t count = make_texts(texts);
	struct level_dictionary d;

	(void)state;
	level_dictionary_init(&d);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(find(&d, texts[i]), 0);
		assert_int_equal(level_dictionary_add(&d, slice_of_str(texts[i])), i + 1);
	}
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(find(&d, texts[i]), i + 1);
		assert_int_equal(level_dictionary_add(&d, slice_of_str(texts[i])), i + 1);
	}
	assert_int_equal(find(&d, ""), 0);
	assert_int_equal(level_dictionary_add(&d, SLICE_EMPTY), count + 1);
	assert_int_equal(find(&d, ""), count + 1);
	assert_int_equal(find(&d, "aaaaaaae"), 0);
	level_dictionary_fini(&d);
}

/* Names that are counted are what policies are full of: they must not share their places. */
static void counted_names_are_spread(void **state)
{
	static char names[2000][LEVEL_BYTES_MAX];
	struct level_dictionary d;
	unsigned longest = 0, run = 0;

	(void)state;
	level_dictionary_init(&d);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "dev%04u", i);
		level_dictionary_add(&d, slice_of_str(names[i]));
	}
	for (uint32_t i = 0; i <= d.mask; i++) {
		run = d.slots[i].id == 0 ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	assert_in_range(longest, 1, 64);
	level_dictionary_fini(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(levels_of_each_length_are_read_to_their_end),
	    cmocka_unit_test(separators_in_a_row_are_empty_levels),
	    cmocka_unit_test(each_text_has_a_number_of_its_own),
	    cmocka_unit_test(counted_names_are_spread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
