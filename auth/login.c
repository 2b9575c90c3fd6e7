/* Who is who: what a connection brings, compared with the configuration and the identity source.
 * Answers that are the same for the client take the same time: a client with a user name and
 * without a certificate waits for a hash, even if it is a dummy (with SCRAM: gets a challenge, even
 * if no user has it). */
#include "auth/login.h"

#include "auth/client_id.h"
#include "base/require.h"

#define ONLY_ASSUMED "the user is only for assume_user, and cannot log in"

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

/* Are certificate and password demanded together? */
static bool demands_both(const struct login *l)
{
	return l->conf->login == LOGIN_DEMANDS_BOTH;
}

/* Whose password it is. */
struct slice login_user(const struct login *l)
{
	REQUIRE(l->conf != NULL);
	return !l->has_user_name && certificate_decides(l) ? l->certificate_name : l->user_name;
}

/* Somebody else than the client says who it is: what is said where the names do not fit. */
struct naming {
	enum identity_kind kind;
	const char *other_name, *unknown;
};

static const struct naming by_certificate = {IDENTITY_CERTIFICATE,
                                             "the user name is not the one of the certificate",
                                             "the certificate names an unknown user"};
static const struct naming by_peer = {IDENTITY_PEER,
                                      "the user name is not the one that peer_users has for this "
                                      "process",
                                      "peer_users names an unknown user"};

/* NULL: the user is not pinned to keys, or the certificate has one of them. */
static const char *key_refused(const struct login *l, const struct identity_entry *entry)
{
	if (entry == NULL || !entry->pins.is_pinned)
		return NULL;
	if (!l->has_certificate_key)
		return "the user is pinned to keys, and the proxy does not say which key the "
		       "client has";
	/* mutant: pins_are_compared */
	return key_pins_have(&entry->pins, l->certificate_key)
	           ? NULL
	           : "the key of the certificate is not one that the user is pinned to";
}

static enum login_verdict decide_named(const struct login *l, struct slice name,
                                       const struct naming *naming, struct identity **identity,
                                       const char **why)
{
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(l, name, &found);
	const char *bad_name, *bad_id;

	if (!identity_name_valid(name, &bad_name))
		return refuse(LOGIN_BAD_CREDENTIALS, bad_name, why);
	if (l->has_user_name && !slice_equal(l->user_name, name))
		return refuse(LOGIN_BAD_CREDENTIALS, naming->other_name, why);
	if (identity_source_exists(l->source) && entry == NULL)
		return refuse(LOGIN_BAD_CREDENTIALS, naming->unknown, why);
	if (entry != NULL && entry->locked)
		return refuse(LOGIN_BAD_CREDENTIALS, "the user is locked", why);
	/* mutant: assumed_users_are_not_named */
	if (entry != NULL && entry->assumed)
		return refuse(LOGIN_BAD_CREDENTIALS, ONLY_ASSUMED, why);
	if (naming == &by_certificate && key_refused(l, entry) != NULL)
		return refuse(LOGIN_BAD_CREDENTIALS, key_refused(l, entry), why);
	bad_id = client_id_refused(l, name);
	if (bad_id != NULL)
		return refuse(LOGIN_BAD_CLIENT_ID, bad_id, why);
	*identity = identity_new(naming->kind, name, entry == NULL ? 0 : entry->id, 0);
	return LOGIN_ACCEPTED;
}

static enum login_verdict decide_certificate(const struct login *l, struct identity **identity,
                                             const char **why)
{
	if (l->certificate_name.len == 0)
		return refuse(LOGIN_BAD_CREDENTIALS, "the certificate does not name one user", why);
	return decide_named(l, l->certificate_name, &by_certificate, identity, why);
}

/* Of a listener with assume_user, a client without any login. */
static enum login_verdict decide_assumed(const struct login *l, struct identity **identity,
                                         const char **why)
{
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(l, l->assumed_name, &found);

	if (entry == NULL || !entry->assumed)
		return refuse(LOGIN_NOT_AUTHORIZED,
		              "assume_user names a user that was not added with --assumed", why);
	if (entry->locked)
		return refuse(LOGIN_NOT_AUTHORIZED, "the user of assume_user is locked", why);
	*identity = identity_new(IDENTITY_ASSUMED, l->assumed_name, entry->id, 0);
	return LOGIN_ACCEPTED;
}

/* Why this entry can never log in by password (or by SCRAM). NULL: it can. */
static const char *no_password_login(const struct identity_entry *entry, bool scram)
{
	if (entry == NULL)
		return "no such user";
	if (entry->locked)
		return "the user is locked";
	if (entry->assumed)
		return ONLY_ASSUMED;
	if (scram && !entry->has_scram)
		return "the user has no SCRAM verifier";
	if (!scram && !entry->has_password)
		return "the user has no password";
	return NULL;
}

static enum login_verdict ask_for_password(const struct login *l, enum identity_kind kind,
                                           struct identity **identity, const char **why)
{
	struct slice name = login_user(l);
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(l, name, &found);
	const char *bad_id = client_id_refused(l, name);

	if (bad_id != NULL)
		return refuse(LOGIN_BAD_CLIENT_ID, bad_id, why);
	*why = no_password_login(entry, l->scram);
	if (*why == NULL && !l->scram && (!l->has_password || l->password.len == 0))
		*why = kind == IDENTITY_CERTIFICATE ? "a certificate without a password: "
		                                      "login: certificate_and_password demands both"
		                                    : "a user name without a password";
	if (*why == NULL && kind == IDENTITY_CERTIFICATE)
		*why = key_refused(l, entry);
	if (*why == NULL) {
		*why = "wrong password";
		*identity = identity_new(kind, name, entry->id, entry->credential);
	}
	return LOGIN_NEEDS_PROOF;
}

/* What depends on the certificate alone is said at once; all else takes the time of a password. */
static enum login_verdict decide_both(const struct login *l, struct identity **identity,
                                      const char **why)
{
	const char *bad_name;

	/* mutant: password_without_a_certificate */
	if (!certificate_decides(l))
		return refuse(LOGIN_NOT_AUTHORIZED,
		              "login: certificate_and_password demands both, and the client has no "
		              "certificate",
		              why);
	if (l->certificate_name.len == 0)
		return refuse(LOGIN_BAD_CREDENTIALS, "the certificate does not name one user", why);
	if (!identity_name_valid(l->certificate_name, &bad_name))
		return refuse(LOGIN_BAD_CREDENTIALS, bad_name, why);
	if (l->has_user_name && !slice_equal(l->user_name, l->certificate_name))
		return refuse(LOGIN_BAD_CREDENTIALS, by_certificate.other_name, why);
	return ask_for_password(l, IDENTITY_CERTIFICATE, identity, why);
}

/* In the order of login_decide. */
enum login_method login_method(const struct login *l)
{
	REQUIRE(l->conf != NULL);
	if (certificate_decides(l) || (l->certificate_required && !l->has_certificate))
		return LOGIN_BY_CERTIFICATE;
	if (l->peer_name.len > 0)
		return LOGIN_BY_PEER;
	if (l->has_user_name)
		return l->scram ? LOGIN_BY_SCRAM : LOGIN_BY_PASSWORD;
	return l->assumed_name.len > 0 ? LOGIN_BY_ASSUMED : LOGIN_BY_NOTHING;
}

enum login_result login_result(enum login_verdict verdict)
{
	REQUIRE(verdict != LOGIN_NEEDS_PROOF);
	/* mutant: refused_logins_are_counted */
	if (verdict == LOGIN_ACCEPTED)
		return LOGIN_RESULT_ACCEPTED;
	return verdict == LOGIN_BUSY ? LOGIN_RESULT_BUSY : LOGIN_RESULT_REFUSED;
}

enum login_verdict login_decide(const struct login *l, struct identity **identity, const char **why)
{
	*identity = NULL;
	*why = NULL;
	if (l->certificate_required && !l->has_certificate)
		return refuse(LOGIN_NOT_AUTHORIZED, "a client certificate is required", why);
	/* mutant: certificate_without_a_password */
	if (demands_both(l) && (certificate_decides(l) || l->has_user_name || l->peer_name.len > 0))
		return decide_both(l, identity, why);
	if (certificate_decides(l))
		return decide_certificate(l, identity, why);
	if (l->peer_name.len > 0)
		return decide_named(l, l->peer_name, &by_peer, identity, why);
	if (l->has_user_name)
		return ask_for_password(l, IDENTITY_PASSWORD, identity, why);
	if (l->assumed_name.len > 0)
		return decide_assumed(l, identity, why);
	if (l->has_peer_users)
		return refuse(LOGIN_NOT_AUTHORIZED,
		              "peer_users does not name this process, which sent no user name: add "
		              "its user id or group, or let it send user name and password",
		              why);
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

/* What says who the client is, says so now, and of whom? NULL: it is no matter, or this user. */
static const char *named_otherwise(const struct identity *id, const struct login *now)
{
	bool unnamed = identity_has_no_login(id);

	if (certificate_decides(now) && unnamed)
		return "the certificate names a user now";
	if (certificate_decides(now) && !slice_equal(now->certificate_name, id->name))
		return "the certificate does not name this user any more";
	if (certificate_decides(now))
		return NULL;
	if (now->peer_name.len > 0 && unnamed)
		return "peer_users names a user for this process now";
	if (now->peer_name.len > 0 && !slice_equal(now->peer_name, id->name))
		return "peer_users names another user for this process now";
	if (id->kind == IDENTITY_CERTIFICATE)
		return "certificates name no users";
	if (id->kind == IDENTITY_PEER && now->peer_name.len == 0)
		return "peer_users does not name this process any more";
	return NULL;
}

/* Of one that came without login. */
static const char *without_login_now(const struct identity *id, const struct login *now,
                                     const struct identity_entry *entry)
{
	const char *changed;

	if (id->kind == IDENTITY_ANONYMOUS && now->assumed_name.len > 0)
		return "clients without login are the user of assume_user now";
	if (id->kind == IDENTITY_ANONYMOUS && now->has_peer_users)
		return "peer_users does not name this process";
	if (id->kind == IDENTITY_ANONYMOUS)
		return now->conf->anonymous ? NULL : "authentication.anonymous is false now";
	if (!slice_equal(now->assumed_name, id->name))
		return "assume_user does not name this user any more";
	changed = entry_changed(id, now, entry);
	if (changed == NULL && (entry == NULL || !entry->assumed))
		changed = "the user was not added with --assumed";
	return changed;
}

/* Did it show its certificate and the password that is in force? */
static const char *not_both(const struct identity *id, const struct login *now,
                            const struct identity_entry *entry)
{
	if (!certificate_decides(now))
		return "login: certificate_and_password demands both now, and the client has no "
		       "certificate";
	if (id->credential == 0)
		return "login: certificate_and_password demands both now, and the client logged in "
		       "by its certificate alone";
	/* Of hash and verifier together: a client that used either must go when one changes. */
	if (entry == NULL || entry->credential != id->credential)
		return "the password was changed";
	return NULL;
}

static const char *now_invalid(const struct identity *id, const struct login *now)
{
	struct identity_entry found;
	const struct identity_entry *entry = find_entry(now, id->name, &found);
	const char *bad_id = client_id_refused(now, id->name);
	const char *changed = named_otherwise(id, now);

	if (now->certificate_required && !now->has_certificate)
		return "a client certificate is required";
	if (changed != NULL)
		return changed;
	if (identity_has_no_login(id))
		return without_login_now(id, now, entry);
	if (entry != NULL && entry->assumed)
		return ONLY_ASSUMED;
	if (bad_id != NULL)
		return bad_id;
	changed = entry_changed(id, now, entry);
	/* mutant: pins_on_reload */
	if (changed == NULL && certificate_decides(now))
		changed = key_refused(now, entry);
	/* mutant: both_on_reload */
	if (changed == NULL && demands_both(now))
		changed = not_both(id, now, entry);
	if (changed != NULL || id->kind == IDENTITY_PEER || certificate_decides(now))
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
