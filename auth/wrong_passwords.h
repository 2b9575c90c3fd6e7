/* The passwords that were tried for one user from one address: digests of them
 * (login_cache_digest), so that a device with an old password costs one hash and not one for each
 * attempt.  Of the newest WRONG_PASSWORDS_MAX; those that are tried again stay.  No threads here:
 * the caller's lock.  Inside auth/ only. */
#ifndef AUTH_WRONG_PASSWORDS_H
#define AUTH_WRONG_PASSWORDS_H

#include <stdint.h>

#define WRONG_PASSWORDS_MAX 32

enum tried {
	TRIED_NOT,
	TRIED_OPEN,  /* it was looked up, and waits for its answer */
	TRIED_LEFT,  /* it was looked up, and the client left before the answer */
	TRIED_WRONG, /* it is wrong */
};

struct tried_password;

/* Zero-initialised. */
struct wrong_passwords {
	struct tried_password *items; /* the longest unused first */
	uint32_t count, cap;
};

void wrong_passwords_fini(struct wrong_passwords *w);
enum tried wrong_passwords_peek(const struct wrong_passwords *w, const uint8_t digest[32]);
/* The same; it counts as used. */
enum tried wrong_passwords_find(struct wrong_passwords *w, const uint8_t digest[32]);
/* Change what is known of it, or add it; TRIED_NOT: forget it. */
void wrong_passwords_put(struct wrong_passwords *w, const uint8_t digest[32], enum tried tried);

#endif
