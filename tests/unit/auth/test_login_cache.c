/* What makes two logins the same, and how long the cache remembers one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/login_cache.h"
#include "base/hash.h"

static void digest(const struct login_cache *cache, const char *user, const char *hash,
                   const char *password, uint8_t out[LOGIN_CACHE_DIGEST])
{
	struct hash_request q = {.exists = true};

	hash_request_fill(&q, slice_of_str(user), hash, slice_of_str(password));
	login_cache_digest(cache, &q, out);
	hash_request_fini(&q);
}

/* A locked user has no hash here. */
static void digest_differs_when_an_entry_is_added_locked_or_changed(void **state)
{
	uint8_t digests[4][LOGIN_CACHE_DIGEST];
	struct hash_request q = {0};
	struct login_cache cache;

	(void)state;
	login_cache_init(&cache);
	hash_request_fill(&q, SLICE("anna"), NULL, SLICE("secret"));
	login_cache_digest(&cache, &q, digests[0]);
	hash_request_fini(&q);
	digest(&cache, "anna", NULL, "secret", digests[1]);
	digest(&cache, "anna", "$6$one", "secret", digests[2]);
	digest(&cache, "anna", "$6$two", "secret", digests[3]);
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(digests[i], digests[j], LOGIN_CACHE_DIGEST);
	}
	login_cache_fini(&cache);
}

static void digest_differs_with_user_hash_password_and_key(void **state)
{
	static const struct {
		const char *user, *hash, *password;
	} rows[] = {
	    {"ab", "c", "d"}, {"a", "bc", "d"}, {"ab", "cd", ""},
	    {"", "abcd", ""}, {"ab", "c", "e"},
	};
	uint8_t digests[5][LOGIN_CACHE_DIGEST], other[LOGIN_CACHE_DIGEST];
	struct login_cache cache, another;

	(void)state;
	login_cache_init(&cache);
	login_cache_init(&another);
	for (size_t i = 0; i < 5; i++) {
		digest(&cache, rows[i].user, rows[i].hash, rows[i].password, digests[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(digests[i], digests[j], LOGIN_CACHE_DIGEST);
	}
	digest(&another, rows[0].user, rows[0].hash, rows[0].password, other);
	assert_memory_not_equal(digests[0], other, LOGIN_CACHE_DIGEST);
	login_cache_fini(&another);
	login_cache_fini(&cache);
}

static void cache_drops_old_and_surplus_entries(void **state)
{
	uint8_t one[LOGIN_CACHE_DIGEST] = {1}, two[LOGIN_CACHE_DIGEST] = {2},
		many[LOGIN_CACHE_DIGEST] = {3};
	struct login_cache cache;

	(void)state;
	login_cache_init(&cache);
	login_cache_put(&cache, one, 0);
	login_cache_put(&cache, two, 10);
	assert_true(login_cache_find(&cache, one, LOGIN_CACHE_LIFETIME_MS - 1));
	assert_false(login_cache_find(&cache, one, LOGIN_CACHE_LIFETIME_MS));
	assert_true(login_cache_find(&cache, two, LOGIN_CACHE_LIFETIME_MS));
	assert_int_equal(login_cache_count(&cache), 1);
	login_cache_put(&cache, one, 20);
	login_cache_put(&cache, two, 30); /* now the younger of the two */
	for (uint32_t i = 0; i < LOGIN_CACHE_MAX - 1; i++) {
		memcpy(many + 1, &i, sizeof(i));
		login_cache_put(&cache, many, 40);
	}
	assert_int_equal(login_cache_count(&cache), LOGIN_CACHE_MAX);
	assert_false(login_cache_find(&cache, one, 50));
	assert_true(login_cache_find(&cache, two, 50));
	login_cache_fini(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digest_differs_when_an_entry_is_added_locked_or_changed),
	    cmocka_unit_test(digest_differs_with_user_hash_password_and_key),
	    cmocka_unit_test(cache_drops_old_and_surplus_entries),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
