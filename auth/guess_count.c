/* The numbers of the rule. */
#include "auth/guess_count.h"

#include "base/require.h"

void guess_count_pass(struct guess_count *c, uint64_t now_ms)
{
	uint64_t due;

	if (c->wrong == 0 || now_ms < c->since_ms)
		return;
	due = (now_ms - c->since_ms) / GUESS_GIVEN_BACK_MS;
	/* mutant: guesses_are_given_back */
	c->wrong = due >= c->wrong ? 0 : c->wrong - (uint32_t)due;
	c->since_ms += due * GUESS_GIVEN_BACK_MS;
}

bool guess_count_add(struct guess_count *c, uint64_t now_ms)
{
	guess_count_pass(c, now_ms);
	REQUIRE(c->wrong <= GUESSES_MAX);
	if (c->wrong == 0)
		c->since_ms = now_ms;
	if (c->wrong < GUESSES_MAX)
		c->wrong++;
	else
		return false;
	return c->wrong == GUESSES_FREE;
}

void guess_count_take_back(struct guess_count *c)
{
	if (c->wrong > 0)
		c->wrong--;
}

uint64_t guess_count_delay_ms(const struct guess_count *c)
{
	uint64_t delay_ms = GUESS_DELAY_LEAST_MS;

	/* mutant: guesses_are_delayed */
	if (c->wrong < GUESSES_FREE)
		return 0;
	for (uint32_t i = GUESSES_FREE; i < c->wrong && delay_ms < GUESS_DELAY_MOST_MS; i++)
		delay_ms *= 2;
	return delay_ms;
}
