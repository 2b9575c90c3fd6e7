/* Filling and wiping a request. */
#include "auth/auth_request.h"

#include <stdlib.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/crypto.h"

void auth_request_fill(struct auth_request *r, struct slice user, const struct user *entry,
                       struct slice password)
{
	bool may_log_in = entry != NULL && !entry->locked && entry->hash != NULL;

	r->accepted = false;
	r->refuse_at_ms = 0;
	r->user = slice_dup(user);
	r->hash = may_log_in ? xstrdup(entry->hash) : NULL;
	r->password = NULL;
	r->password_len = 0;
	if (password.len > 0 && password.len <= PASSWORD_MAX) {
		r->password = xalloc(password.len);
		memcpy(r->password, password.data, password.len);
		r->password_len = password.len;
	}
}

void auth_request_wipe_password(struct auth_request *r)
{
	/* mutant: password_of_a_hash_is_wiped */
	crypto_wipe(r->password, r->password_len);
	free(r->password);
	r->password = NULL;
	r->password_len = 0;
}

void auth_request_fini(struct auth_request *r)
{
	auth_request_wipe_password(r);
	free(r->user);
	if (r->hash != NULL)
		crypto_wipe(r->hash, strlen(r->hash));
	free(r->hash);
	r->user = NULL;
	r->hash = NULL;
}
