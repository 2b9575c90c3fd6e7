/* What the administrator sees of logins that are delayed, because a user is guessed from an
 * address.
 */
#ifndef AUTH_LOGIN_DELAY_H
#define AUTH_LOGIN_DELAY_H

#include <stdint.h>

#include "base/bytes.h"

/* A pair of user and address whose logins are delayed. Borrowed for the call. */
struct login_delay {
	struct slice user; /* empty: all names that no user has */
	struct slice address;
	uint32_t wrong; /* passwords that count */
	uint64_t delay_ms;
	uint32_t waiting; /* logins */
};

typedef void login_delay_fn(void *arg, const struct login_delay *delay);
#endif
