/* A function for each question. */
#include "server/check_access.h"

#include <stdlib.h>
#include <string.h>

/* --- users and rules --- */

static void user_at(void *arg, size_t index, struct acl_listed_user *out)
{
	struct identity_entry entry;

	identity_source_at(arg, index, &entry);
	*out = (struct acl_listed_user){.name = entry.name,
	                                .roles = entry.roles,
	                                .role_count = entry.role_count,
	                                .line = entry.line};
}

static bool has_user(void *arg, const char *name)
{
	struct identity_entry entry;

	return identity_source_find(arg, slice_of_str(name), &entry);
}

static char *why_missing(void *arg, const char *name)
{
	return identity_source_why_refused(arg, name);
}

static void check_users(const struct config_snapshot *next, struct errors *errors)
{
	struct acl_user_list users = {.arg = next->identities,
	                              .path = identity_source_path(next->identities),
	                              .count = identity_source_count(next->identities),
	                              .at = user_at,
	                              .has = has_user,
	                              .why_missing = why_missing};

	if (identity_source_exists(next->identities)) {
		acl_lint_users(next->acl, &users, errors);
		acl_lint_roles(next->acl, &users, errors);
	}
	if (next->conf->acl_file == NULL)
		errors_warn(errors, next->conf->path, 0, 0,
		            "authorization.acl_file is not set: everything is denied to everybody; "
		            "write rules (acl.yaml(5)) and name their file");
}

/* --- listeners --- */

static bool names_by_certificate(const struct conf_listener *l)
{
	bool asked = l->is_unix ? l->trust_tls_fields
	                        : l->tls.client_certificates != CLIENT_CERTIFICATES_NONE;

	return asked && l->authentication.certificate_user != CERTIFICATE_USER_NONE;
}

/* Can somebody log in with a password? */
static bool has_passwords(const struct identity_source *identities)
{
	size_t count = identity_source_count(identities);

	for (size_t i = 0; i < count; i++) {
		struct identity_entry user;

		identity_source_at(identities, i, &user);
		if (!user.locked && (user.has_password || user.has_scram))
			return true;
	}
	return false;
}

/* --- users without password, by whom a listener names --- */

static void check_peer_user(const struct config_snapshot *next, const struct conf_listener *l,
                            const char *name, struct errors *errors)
{
	struct identity_entry user;
	const char *why;

	if (!identity_name_valid(slice_of_str(name), &why))
		errors_add(errors, next->conf->path, l->line, l->column, "%s: peer_users: '%s': %s",
		           l->bind, name, why);
	else if (identity_source_exists(next->identities) &&
	         !identity_source_find(next->identities, slice_of_str(name), &user))
		errors_add(errors, next->conf->path, l->line, l->column,
		           "%s: peer_users names '%s', and there is no such user in %s; to add it: "
		           "broker-passwd %s add %s --no-password",
		           l->bind, name, identity_source_path(next->identities),
		           identity_source_path(next->identities), name);
	else if (identity_source_is_assumed(next->identities, slice_of_str(name)))
		errors_add(errors, next->conf->path, l->line, l->column,
		           "%s: peer_users names '%s', which was added with --assumed and is only "
		           "for assume_user; name another user",
		           l->bind, name);
}

/* Only an entry that was made for it: nobody gets the rights of a person by a line of this file. */
static void check_assume_user(const struct config_snapshot *next, const struct conf_listener *l,
                              struct errors *errors)
{
	const char *path = identity_source_path(next->identities);
	struct identity_entry user;

	if (l->assume_user == NULL)
		return;
	if (path == NULL)
		errors_add(errors, next->conf->path, l->line, l->column,
		           "%s: assume_user needs authentication.password_file, with an entry that "
		           "was made for it: broker-passwd FILE add %s --assumed",
		           l->bind, l->assume_user);
	else if (!identity_source_find(next->identities, slice_of_str(l->assume_user), &user))
		errors_add(
		    errors, next->conf->path, l->line, l->column,
		    "%s: assume_user names '%s', and there is no such user in %s; to add it: "
		    "broker-passwd %s add %s --assumed",
		    l->bind, l->assume_user, path, path, l->assume_user);
	else if (/* mutant: assume_user_of_a_person */ !user.assumed)
		errors_add(errors, next->conf->path, l->line, l->column,
		           "%s: assume_user names '%s', who can log in (line %u of %s): everybody "
		           "without a login would have the rights of that user; add one for this: "
		           "broker-passwd %s add NAME --assumed",
		           l->bind, l->assume_user, user.line, path, path);
}

static bool is_assumed_somewhere(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		const char *assumed = conf->listeners[i].assume_user;

		if (assumed != NULL && strcmp(assumed, name) == 0)
			return true;
	}
	return false;
}

static bool is_peer_somewhere(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_peer_users *users = &conf->listeners[i].peer_users;

		for (size_t k = 0; k < users->count; k++) {
			if (strcmp(users->items[k].user, name) == 0)
				return true;
		}
	}
	return false;
}

static void check_assumed_entries(const struct config_snapshot *next, struct errors *errors)
{
	size_t count = identity_source_count(next->identities);
	struct identity_entry user;

	for (size_t i = 0; i < count; i++) {
		identity_source_at(next->identities, i, &user);
		if (user.assumed && !is_assumed_somewhere(next->conf, user.name))
			errors_warn(errors, identity_source_path(next->identities), user.line, 0,
			            "user '%s' is only for assume_user, and no listener names it: "
			            "write assume_user: %s there, or remove the user",
			            user.name, user.name);
	}
}

/* A certificate comes by TLS, or in the header of a proxy that is believed. */
static void check_unix_certificates(const struct config_snapshot *next,
                                    const struct conf_listener *l, struct errors *errors)
{
	/* mutant: unix_without_certificates */
	if (l->is_unix && !l->trust_tls_fields &&
	    l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED)
		errors_warn(errors, next->conf->path, l->line, l->column,
		            "%s: nobody can log in here: client_certificates: required holds for "
		            "all listeners, and a Unix socket has no TLS, so its clients have no "
		            "certificate; write it under tls: of the listeners with TLS instead",
		            l->bind);
}

/* What login: certificate_and_password lacks here. True: nobody can log in with a user name. */
static bool check_both(const struct config_snapshot *next, const struct conf_listener *l,
                       struct errors *errors)
{
	if (l->authentication.login != LOGIN_DEMANDS_BOTH)
		return false;
	if (!identity_source_exists(next->identities)) {
		errors_add(errors, next->conf->path, l->line, l->column,
		           "%s: login: certificate_and_password needs authentication.%s: without "
		           "it nobody has a password",
		           l->bind, identity_source_keys());
		return true;
	}
	/* mutant: both_at_a_unix_socket */
	if (l->is_unix && !l->trust_tls_fields) {
		errors_warn(errors, next->conf->path, l->line, l->column,
		            "%s: nobody can log in here with a user name: login: "
		            "certificate_and_password holds for all listeners, and a Unix socket "
		            "has no TLS, so its clients have no certificate; set authentication: "
		            "{login: either} for this listener",
		            l->bind);
		return true;
	}
	return false;
}

static void check_listener(const struct config_snapshot *next, const struct conf_listener *l,
                           struct errors *errors)
{
	bool by_certificate = names_by_certificate(l);
	bool requires = l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED;
	const char *path = identity_source_path(next->identities);

	for (size_t i = 0; i < l->peer_users.count; i++)
		check_peer_user(next, l, l->peer_users.items[i].user, errors);
	check_assume_user(next, l, errors);
	check_unix_certificates(next, l, errors);
	if (check_both(next, l, errors))
		return;
	if (l->server_reference != NULL || l->peer_users.count > 0 || l->assume_user != NULL)
		return; /* nobody shall, or somebody can for sure */
	/* mutant: listener_without_login */
	if (!l->authentication.anonymous && !has_passwords(next->identities) &&
	    (!by_certificate || l->authentication.login == LOGIN_DEMANDS_BOTH ||
	     identity_source_admitted(next->identities, by_certificate, 1) == 0))
		errors_warn(errors, next->conf->path, l->line, l->column,
		            "%s: nobody can log in here: %s%s; add users with broker-passwd%s",
		            l->bind,
		            path == NULL ? "authentication.password_file is not set"
		                         : "there is no unlocked user with a password in ",
		            path == NULL ? "" : path,
		            l->authentication.login == LOGIN_DEMANDS_BOTH
		                ? ""
		                : ", or let certificates name them "
		                  "(authentication.certificate_user)");
	if (l->authentication.anonymous && requires && by_certificate)
		errors_warn(errors, next->conf->path, l->line, l->column,
		            "%s: anonymous: true does nothing here: each client must have a "
		            "certificate, and certificate_user takes its name from that; remove "
		            "one of the two",
		            l->bind);
	else if (l->authentication.anonymous && requires)
		errors_warn(
		    errors, next->conf->path, l->line, l->column,
		    "%s: anonymous: true with client_certificates: required: clients need a "
		    "certificate, and are nobody all the same; set certificate_user to "
		    "know them by it",
		    l->bind);
	if (l->authentication.anonymous && next->conf->acl_file != NULL &&
	    !acl_allows_anonymous(next->acl))
		errors_warn(errors, next->conf->path, l->line, l->column,
		            "%s: anonymous clients can log in here, and everything is denied to "
		            "them: write rules under anonymous: in %s, or set anonymous: false",
		            l->bind, next->conf->acl_file);
}

/* Has no password, and no listener takes names from certificates. */
static void check_passwords(const struct config_snapshot *next, struct errors *errors)
{
	size_t count = identity_source_count(next->identities), found = 0;
	struct identity_entry user, first = {0};

	for (size_t i = 0; i < next->conf->listener_count; i++) {
		if (names_by_certificate(&next->conf->listeners[i]))
			return;
	}
	for (size_t i = 0; i < count; i++) {
		identity_source_at(next->identities, i, &user);
		if (user.locked || user.has_password || user.has_scram || user.assumed ||
		    is_peer_somewhere(next->conf, user.name))
			continue;
		if (found++ == 0)
			first = user;
	}
	if (found == 1)
		errors_warn(errors, identity_source_path(next->identities), first.line, 0,
		            "user '%s' has no password, and no listener takes names from "
		            "certificates: it cannot log in; give it one: 'broker-passwd FILE set "
		            "NAME'",
		            first.name);
	else if (found > 1)
		errors_warn(errors, identity_source_path(next->identities), first.line, 0,
		            "user '%s' and %zu more have no password, and no listener takes names "
		            "from certificates: they cannot log in; give them one: 'broker-passwd "
		            "FILE set NAME'",
		            first.name, found - 1);
}

/* Pinned to keys, and no listener looks at them; or to none, without another way in. */
static void check_pins(const struct config_snapshot *next, struct errors *errors)
{
	size_t count = identity_source_count(next->identities);
	const char *path = identity_source_path(next->identities);
	bool named = false;
	struct identity_entry user;

	for (size_t i = 0; i < next->conf->listener_count; i++)
		named = named || names_by_certificate(&next->conf->listeners[i]);
	for (size_t i = 0; i < count; i++) {
		identity_source_at(next->identities, i, &user);
		if (user.pins.is_pinned && !named)
			errors_warn(errors, path, user.line, 0,
			            "user '%s' is pinned to keys, and no listener takes names from "
			            "certificates: set client_certificates and certificate_user, "
			            "or 'broker-passwd FILE unpin %s --all'",
			            user.name, user.name);
		else if (user.pins.is_pinned && user.pins.count == 0 && !user.locked &&
		         !user.has_password && !user.has_scram)
			errors_warn(errors, path, user.line, 0,
			            "user '%s' is pinned to no key and has no password: it cannot "
			            "log in; 'broker-passwd FILE pin %s --certificate "
			            "CERTIFICATE' lets that one in",
			            user.name, user.name);
	}
}

void check_access(const struct config_snapshot *next, struct errors *errors)
{
	check_users(next, errors);
	for (size_t i = 0; i < next->conf->listener_count; i++)
		check_listener(next, &next->conf->listeners[i], errors);
	check_passwords(next, errors);
	check_pins(next, errors);
	check_assumed_entries(next, errors);
}
