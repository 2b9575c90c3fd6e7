/* The password file as an identity source.  Its data is a struct password_file. */
#ifndef AUTH_PASSWORD_BACKEND_H
#define AUTH_PASSWORD_BACKEND_H

#include "auth/identity_backend.h"

/* The check of its table, without a file: refuses, and takes as long as with one. */
bool password_backend_check(const void *data, struct authenticator *a,
                            struct identity_check *check);
void password_backend_cancel(struct authenticator *a, struct identity_check *check);

#endif
