/* The compiled policy against the naive one, over many random policies from one seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "reference.h"

#define ROUNDS 3000

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void random_policies_decide_like_the_reference(void **state)
{
	const char *given = getenv("ACL_SEED");
	uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 0);

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint8_t bytes[1200];
		char *difference;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)next(&seed);
		difference = reference_compare(bytes, sizeof(bytes));
		if (difference != NULL)
			fail_msg("round %u: %s", round, difference);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_policies_decide_like_the_reference)};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
