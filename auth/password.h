/* crypt(5) strings: accepted methods, new hashes, checks of a password.  Thread: any. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/bytes.h"

/* Longer ones are refused (with bcrypt, those of more than 72 bytes). */
#define PASSWORD_MAX 256

/* Is this a crypt(5) string of an accepted method ($y$ $gy$ $7$ $2b$ $6$) that crypt_checksalt()
 * does not call bad? */
bool password_hash_acceptable(const char *hash);
/* The name of the method of an accepted hash: "yescrypt" ...; NULL: it has no accepted prefix. */
const char *password_method(const char *hash);
/* How many of its characters say what an accepted hash costs: method and parameters. */
size_t password_kind_len(const char *hash);

/* Is it the password of this hash? Blocking. If the hash is NULL or of no accepted method, or no
 * hash can be made of the password, the same work is done for `dummy`, an accepted hash (NULL: one
 * of the default method), and the answer is no. */
bool password_check(const char *hash, struct slice password, const char *dummy);

/* Blocking; for tools: a new hash of the method ("yescrypt", "sha512crypt", "bcrypt"), NULL where
 * it is unknown, and for a password that could never log in (empty, over 256 bytes, over 72 with
 * bcrypt, with a NUL). The caller frees. */
char *password_hash(const char *method, struct slice password);
/* Blocking. False for a wrong password, and for every hash whose method is not accepted; then, as
 * for NULL, a dummy of the usual cost is hashed. */
bool password_verify(const char *hash, struct slice password);

#endif
