/* Who is who: what a connection brings, compared with the configuration and the identity source.
 * Answers that are the same for the client take the same time: a client with a user name and
 * without a certificate waits for a hash, even if it is a dummy (with SCRAM: gets a challenge, even
 * if no user has it). */
#include "auth/login.h"

#include "auth/client_id.h"

static enum login_verdict refuse(enum login_verdict verdict, const char *reason, const char **why)
{
	*why = reason;
	return verdict;
}

/* Checked by what the peer says alone, before the user is looked up: the answer reveals nothing
 * about the users. */
static const char *client_id_refused(const struct login *l, struct slice name)
{
	/* mutant: client_id_empty_is_not_equal */
	return client_id_misfit(l->conf->bind_client_id,
	                        l->assigned_client_id ? SLICE_EMPTY : l->client_id, name);
}

/* NULL: the source has no such user, or there is no source. What is returned points to `found`. */
static const struct identity_entry *find_entry(const struct login *l, struct slice name,
                                               struct identity_entry *found)
{
	return identity_source_find(l->source, name, found) ? found : NULL;
}

/* A certificate that names a user decides alone who the client is, however it logs in. */
static bool certificate_decides(const struct login *l)
{
	return l->has_certificate && l->conf->certificate_user != CERTIFICATE_USER_NONE;
}

static enum login_verdict decide_certificate(const struct login *l, struct identity **identity,
                                             const char **why)
{
	struct slice name = l->certificate_name;
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(l, name, &found);
	const char *bad_name, *bad_id;

	if (name.len == 0)
		return refuse(LOGIN_BAD_CREDENTIALS, "the certificate does not name one user", why);
	if (!identity_name_valid(name, &bad_name))
		return refuse(LOGIN_BAD_CREDENTIALS, bad_name, why);
	if (l->has_user_name && !slice_equal(l->user_name, name))
		return refuse(LOGIN_BAD_CREDENTIALS,
		              "the user name is not the one of the certificate", why);
	if (identity_source_exists(l->source) && entry == NULL)
		return refuse(LOGIN_BAD_CREDENTIALS, "the certificate names an unknown user", why);
	if (entry != NULL && entry->locked)
		return refuse(LOGIN_BAD_CREDENTIALS, "the user is locked", why);
	bad_id = client_id_refused(l, name);
	if (bad_id != NULL)
		return refuse(LOGIN_BAD_CLIENT_ID, bad_id, why);
	*identity = identity_new(IDENTITY_CERTIFICATE, name, entry == NULL ? 0 : entry->id, 0);
	return LOGIN_ACCEPTED;
}

/* Why this entry can never log in by password (or by SCRAM). NULL: it can. */
static const char *no_password_login(const struct identity_entry *entry, bool scram)
{
	if (entry == NULL)
		return "no such user";
	if (entry->locked)
		return "the user is locked";
	if (scram && !entry->has_scram)
		return "the user has no SCRAM verifier";
	if (!scram && !entry->has_password)
		return "the user has no password";
	return NULL;
}

static enum login_verdict decide_password(const struct login *l, struct identity **identity,
                                          const char **why)
{
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(l, l->user_name, &found);
	const char *bad_id = client_id_refused(l, l->user_name);

	if (bad_id != NULL)
		return refuse(LOGIN_BAD_CLIENT_ID, bad_id, why);
	*why = no_password_login(entry, l->scram);
	if (*why == NULL && !l->scram && (!l->has_password || l->password.len == 0))
		*why = "a user name without a password";
	if (*why == NULL) {
		*why = "wrong password";
		*identity =
		    identity_new(IDENTITY_PASSWORD, l->user_name, entry->id, entry->credential);
	}
	return LOGIN_NEEDS_PROOF;
}

enum login_verdict login_decide(const struct login *l, struct identity **identity, const char **why)
{
	*identity = NULL;
	*why = NULL;
	if (l->certificate_required && !l->has_certificate)
		return refuse(LOGIN_NOT_AUTHORIZED, "a client certificate is required", why);
	if (certificate_decides(l))
		return decide_certificate(l, identity, why);
	if (l->has_user_name)
		return decide_password(l, identity, why);
	if (!l->conf->anonymous)
		return refuse(LOGIN_NOT_AUTHORIZED,
		              "the client sent no user name, and authentication.anonymous is false",
		              why);
	*identity = identity_new(IDENTITY_ANONYMOUS, SLICE_EMPTY, 0, 0);
	return LOGIN_ACCEPTED;
}

/* A user must still have the same entry, or still none. */
static const char *entry_changed(const struct identity *id, const struct login *now,
                                 const struct identity_entry *entry)
{
	if (identity_source_exists(now->source) && entry == NULL)
		return "the user was removed";
	if ((entry == NULL ? 0 : entry->id) != id->entry_id)
		return "the user's entry is another one";
	if (entry != NULL && entry->locked)
		return "the user is locked";
	return NULL;
}

static const char *now_invalid(const struct identity *id, const struct login *now)
{
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(now, id->name, &found);
	const char *bad_id = client_id_refused(now, id->name);
	const char *changed;

	if (now->certificate_required && !now->has_certificate)
		return "a client certificate is required";
	if (certificate_decides(now) && id->kind == IDENTITY_ANONYMOUS)
		return "the certificate names a user now";
	if (certificate_decides(now) && !slice_equal(now->certificate_name, id->name))
		return "the certificate does not name this user any more";
	if (id->kind == IDENTITY_ANONYMOUS)
		return now->conf->anonymous ? NULL : "authentication.anonymous is false now";
	if (bad_id != NULL)
		return bad_id;
	changed = entry_changed(id, now, entry);
	if (certificate_decides(now))
		return changed;
	if (id->kind == IDENTITY_CERTIFICATE)
		return "certificates name no users";
	if (changed != NULL)
		return changed;
	if (entry == NULL)
		return "no such user";
	if (!entry->has_password && !entry->has_scram)
		return "the user has no password";
	/* Of hash and verifier together: a client that used either must go when one changes. */
	return entry->credential == id->credential ? NULL : "the password was changed";
}

bool login_still_valid(const struct identity *id, const struct login *now, const char **why)
{
	*why = now_invalid(id, now);
	return *why == NULL;
}
