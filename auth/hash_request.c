/* Filling and wiping a request. */
#include "auth/hash_request.h"

#include <stdlib.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/crypto.h"

void hash_request_fill(struct hash_request *r, struct slice user, const char *hash,
                       struct slice password)
{
	r->accepted = false;
	r->is_refused_busy = false;
	r->refuse_at_ms = 0;
	r->user = slice_dup(user);
	r->hash = hash == NULL ? NULL : xstrdup(hash);
	r->password = NULL;
	r->password_len = 0;
	if (password.len > 0 && password.len <= PASSWORD_MAX) {
		r->password = xalloc(password.len);
		memcpy(r->password, password.data, password.len);
		r->password_len = password.len;
	}
}

void hash_request_wipe_password(struct hash_request *r)
{
	/* mutant: password_of_a_hash_is_wiped */
	crypto_wipe(r->password, r->password_len);
	free(r->password);
	r->password = NULL;
	r->password_len = 0;
}

void hash_request_fini(struct hash_request *r)
{
	hash_request_wipe_password(r);
	free(r->user);
	if (r->hash != NULL)
		crypto_wipe(r->hash, strlen(r->hash));
	free(r->hash);
	r->user = NULL;
	r->hash = NULL;
}
