/* What the layer and its tools know of passwords besides authenticator.h.  Thread: any. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/bytes.h"

/* Longer ones are refused. (With bcrypt, that ends at 72 bytes, already more than 72.) */
#define PASSWORD_MAX 256

/* The name of the method of an accepted hash: "yescrypt" ...; NULL where it has no accepted
 * prefix. */
const char *password_method(const char *hash);
/* How many of its characters say what an accepted hash costs: method and parameters. */
size_t password_kind_len(const char *hash);

/* Is it the password of this hash? Blocking. Where the hash is NULL or of no accepted method, and
 * where the password is none that could be right, as much work is done for `dummy`, an accepted
 * hash (NULL: one of the default method), and the answer is no. */
bool password_check(const char *hash, struct slice password, const char *dummy);

#endif
