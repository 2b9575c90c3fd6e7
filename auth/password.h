/* What the layer and its tools know of passwords besides authenticator.h.  Thread: any. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

/* Longer ones are refused. (With bcrypt, that ends at 72 bytes, already more than 72.) */
#define PASSWORD_MAX 256

/* The name of the method of an accepted hash: "yescrypt" ...; NULL where it has no accepted
 * prefix. */
const char *password_method(const char *hash);

#endif
