/* How long it takes to log in all users of a password file once, as after a restart: there is no
 * cache then.  Measured on this machine. */
#ifndef AUTH_LOGIN_COST_H
#define AUTH_LOGIN_COST_H

#include <stddef.h>
#include <stdint.h>

struct password_file;

struct login_cost {
	size_t users;        /* who log in by a hash */
	uint64_t all_ms;     /* their hashes, one after the other */
	uint64_t slowest_ms; /* the slowest of them */
};

/* Blocking: two hashes of each kind. All 0 where there are so few users that it does not matter. */
void login_cost_measure(const struct password_file *file, struct login_cost *out);

#endif
