/* Who is who: what a connection brings, held against the configuration and the password file.
 * Answers that are alike for the peer are alike in what they cost: whoever gives a user name and
 * has no certificate waits for a hash, be it a dummy (with SCRAM: gets a challenge, be it
 * nobody's). */
#include "auth/login.h"

#include "auth/client_id.h"

static enum login_verdict refuse(enum login_verdict verdict, const char *reason, const char **why)
{
	*why = reason;
	return verdict;
}

/* Judged by what the peer says alone, before it is known whether there is such a user: the answer
 * tells nothing of the password file. */
static const char *misfit(const struct login *l, struct slice name)
{
	/* mutant: client_id_empty_is_not_equal */
	return client_id_misfit(l->conf->bind_client_id,
	                        l->assigned_client_id ? SLICE_EMPTY : l->client_id, name);
}

static const struct user *entry_of(bool has_password_file, const struct users *users,
                                   struct slice name)
{
	return has_password_file && users != NULL ? users_find(users, name) : NULL;
}

static enum login_verdict decide_anonymous(const struct login *l, struct identity **identity,
                                           const char **why)
{
	if (!l->conf->anonymous)
		return refuse(LOGIN_NOT_AUTHORIZED, "anonymous is not allowed", why);
	*identity = identity_new(IDENTITY_ANONYMOUS, SLICE_EMPTY, 0, 0);
	return LOGIN_ACCEPTED;
}

static enum login_verdict decide_certificate(const struct login *l, struct identity **identity,
                                             const char **why)
{
	struct slice name = l->certificate_name;
	const struct user *entry = entry_of(l->has_password_file, l->users, name);
	const char *bad_name, *bad_id;

	if (name.len == 0)
		return refuse(LOGIN_BAD_CREDENTIALS, "the certificate does not name one user", why);
	if (!identity_name_valid(name, &bad_name))
		return refuse(LOGIN_BAD_CREDENTIALS, bad_name, why);
	if (l->has_user_name && !slice_equal(l->user_name, name))
		return refuse(LOGIN_BAD_CREDENTIALS,
		              "the user name is not the one of the certificate", why);
	if (l->has_password_file && entry == NULL)
		return refuse(LOGIN_BAD_CREDENTIALS,
		              "the certificate's user is not in the password file", why);
	if (entry != NULL && entry->locked)
		return refuse(LOGIN_BAD_CREDENTIALS, "the user is locked", why);
	bad_id = misfit(l, name);
	if (bad_id != NULL)
		return refuse(LOGIN_BAD_CLIENT_ID, bad_id, why);
	*identity =
	    identity_new(IDENTITY_CERTIFICATE, name, entry == NULL ? 0 : entry->entry_id, 0);
	return LOGIN_ACCEPTED;
}

/* Why this entry can never log in by password (or by SCRAM); NULL where it can. */
static const char *no_password_login(const struct user *entry, bool scram)
{
	if (entry == NULL)
		return "no such user";
	if (entry->locked)
		return "the user is locked";
	if (scram && entry->scram == NULL)
		return "the user has no SCRAM verifier";
	if (!scram && entry->hash == NULL)
		return "the user has no password";
	return NULL;
}

static enum login_verdict decide_password(const struct login *l, struct identity **identity,
                                          const char **why)
{
	const struct user *entry = entry_of(l->has_password_file, l->users, l->user_name);
	const char *bad_id = misfit(l, l->user_name);

	if (bad_id != NULL)
		return refuse(LOGIN_BAD_CLIENT_ID, bad_id, why);
	*why = no_password_login(entry, l->scram);
	if (*why == NULL && !l->scram && (!l->has_password || l->password.len == 0))
		*why = "a user name without a password";
	if (*why == NULL) {
		*why = "wrong password";
		*identity = identity_new(IDENTITY_PASSWORD, l->user_name, entry->entry_id,
		                         user_credential(entry));
	}
	return LOGIN_NEEDS_PASSWORD;
}

enum login_verdict login_decide(const struct login *l, struct identity **identity, const char **why)
{
	*identity = NULL;
	*why = NULL;
	if (l->certificate_required && !l->has_certificate)
		return refuse(LOGIN_NOT_AUTHORIZED, "a client certificate is required", why);
	if (l->has_certificate && l->conf->certificate_user != CERTIFICATE_USER_NONE)
		return decide_certificate(l, identity, why);
	if (l->has_user_name)
		return decide_password(l, identity, why);
	return decide_anonymous(l, identity, why);
}

/* Who named themselves must still be the same entry, or still without one. */
static const char *entry_changed(const struct identity *id, bool has_password_file,
                                 const struct user *entry)
{
	if (has_password_file && entry == NULL)
		return "the user was removed";
	if ((entry == NULL ? 0 : entry->entry_id) != id->entry_id)
		return "the user's entry is another one";
	if (entry != NULL && entry->locked)
		return "the user is locked";
	return NULL;
}

/* Hash and verifier are one: whoever came in by either goes when it is another. */
static const char *credential_changed(const struct identity *id, const struct user *entry)
{
	if (entry == NULL)
		return "no such user";
	if (entry->hash == NULL && entry->scram == NULL)
		return "the user has no password";
	return user_credential(entry) == id->credential ? NULL : "the password was changed";
}

static const char *password_changed(const struct identity *id, bool has_password_file,
                                    const struct user *entry)
{
	const char *changed = entry_changed(id, has_password_file, entry);

	return changed != NULL ? changed : credential_changed(id, entry);
}

/* A certificate that names a user decides alone who somebody is, however they got in. */
static bool certificate_decides(const struct login *l)
{
	return l->has_certificate && l->conf->certificate_user != CERTIFICATE_USER_NONE;
}

static const char *now_invalid(const struct identity *id, const struct login *now)
{
	const struct user *entry = entry_of(now->has_password_file, now->users, id->name);
	const char *bad_id = misfit(now, id->name);

	if (now->certificate_required && !now->has_certificate)
		return "a client certificate is required";
	if (certificate_decides(now) && id->kind == IDENTITY_ANONYMOUS)
		return "the certificate names a user now";
	if (certificate_decides(now) && !slice_equal(now->certificate_name, id->name))
		return "the certificate does not name this user any more";
	if (id->kind == IDENTITY_ANONYMOUS)
		return now->conf->anonymous ? NULL : "anonymous is not allowed";
	if (bad_id != NULL)
		return bad_id;
	if (certificate_decides(now))
		return entry_changed(id, now->has_password_file, entry);
	if (id->kind == IDENTITY_CERTIFICATE)
		return "certificates name no users";
	return password_changed(id, now->has_password_file, entry);
}

bool login_still_valid(const struct identity *id, const struct login *now, const char **why)
{
	*why = now_invalid(id, now);
	return *why == NULL;
}
