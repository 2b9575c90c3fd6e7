/* How many different wrong passwords were tried for one user from one address, and how long its
 * next login waits for that.  Each counts for a while: one is given back each six minutes.  No
 * clock here: the caller passes the time.  Inside auth/ only. */
#ifndef AUTH_GUESS_COUNT_H
#define AUTH_GUESS_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#define GUESSES_FREE         10U
#define GUESS_DELAY_LEAST_MS UINT64_C(1000)
#define GUESS_DELAY_MOST_MS  UINT64_C(8000)
#define GUESS_GIVEN_BACK_MS  UINT64_C(360000)
/* More are not counted: the delay grows no further, and all is forgotten so much later. */
#define GUESSES_MAX 13U

/* Zero-initialised. */
struct guess_count {
	uint32_t wrong;
	uint64_t since_ms; /* when the last was given back, or the first one counted */
};

/* Give back what is due. */
void guess_count_pass(struct guess_count *c, uint64_t now_ms);
/* One more. True: it begins the delay. */
bool guess_count_add(struct guess_count *c, uint64_t now_ms);
/* One less: it was the right one. */
void guess_count_take_back(struct guess_count *c);
/* 0: there is no delay. */
uint64_t guess_count_delay_ms(const struct guess_count *c);

#endif
