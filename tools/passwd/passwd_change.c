/* A change has three steps: check that it makes sense, get the password and hash it, and only then
 * lock, check again and write. */
#include "passwd/passwd_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "base/utf8.h"
#include "passwd/passwd_file.h"
#include "program/command_line.h"
#include "secret.h"

/* What the file stores of a password. */
struct credentials {
	char *hash;
	struct scram_verifier *scram; /* NULL: not asked for */
};
/* ---- finding users ---- */

static const struct password_entry *find(const struct passwd_file *f,
                                         const struct passwd_options *o)
{
	return password_file_find(f->users, slice_of_str(o->user));
}

static int require_user(const struct passwd_file *f, const struct passwd_options *o)
{
	if (find(f, o) != NULL)
		return 0;
	return report_error(EXIT_USAGE, "there is no user '%s' in %s; 'list' shows all users",
	                    o->user, o->path);
}

/* Who may have a password, or a certificate. */
int passwd_change_require(const struct passwd_file *f, const struct passwd_options *o)
{
	int rc = require_user(f, o);

	if (rc == 0 && find(f, o)->assumed)
		return report_error(EXIT_USAGE,
		                    "'%s' is only for assume_user of a listener and never logs in; "
		                    "'remove' it, then 'add' it without --assumed, if it shall log "
		                    "in itself",
		                    o->user);
	return rc;
}

static int require_no_user(const struct passwd_file *f, const struct passwd_options *o)
{
	if (find(f, o) == NULL)
		return 0;
	return report_error(EXIT_USAGE,
	                    "there is a user '%s' in %s; use 'set' for a new password, or 'remove' "
	                    "first",
	                    o->user, o->path);
}

/* Before the password is asked for. */
static int check_first(const struct passwd_options *o,
                       int (*require)(const struct passwd_file *f, const struct passwd_options *o))
{
	struct passwd_file f;
	int rc = passwd_file_check(&f, o->path, (o->options & OPTION_CREATE) != 0);

	if (rc == 0)
		rc = require(&f, o);
	passwd_file_close(&f);
	return rc;
}

/* ---- passwords ---- */

static int ask_twice(struct secret *s, const char *user)
{
	struct secret again;
	char *prompt = xasprintf("New password for %s: ", user);
	int rc = secret_ask(s, prompt);

	free(prompt);
	if (rc == 0)
		rc = secret_check(s);
	if (rc != 0)
		return rc;
	rc = secret_ask(&again, "Repeat password: ");
	if (rc == 0)
		rc = secret_check(&again);
	if (rc == 0 && !slice_equal(secret_slice(s), secret_slice(&again)))
		rc = report_error(EXIT_USAGE, "the passwords differ; nothing was changed");
	secret_wipe(&again);
	return rc;
}

static int new_secret(const struct passwd_options *o, struct secret *s)
{
	int rc = 0;

	if ((o->options & OPTION_GENERATE) != 0)
		secret_generate(s);
	else if ((o->options & OPTION_STDIN) != 0)
		rc = secret_read(s);
	else
		rc = ask_twice(s, o->user);
	if (rc == 0)
		rc = secret_check(s);
	if (rc == 0 && strcmp(o->method, "bcrypt") == 0 && s->len > 72)
		rc = report_error(EXIT_USAGE, "bcrypt uses 72 bytes only; use a shorter password");
	if (rc == 0 && (o->options & OPTION_SCRAM) != 0 &&
	    scram_password_refused(secret_slice(s)) != NULL)
		rc = report_error(EXIT_USAGE, "%s", scram_password_refused(secret_slice(s)));
	return rc;
}

static struct scram_verifier *new_verifier(const struct passwd_options *o, const struct secret *s)
{
	struct scram_verifier *v = xnew(v);

	v->iterations = o->iterations;
	v->salt_len = SCRAM_SALT_DEFAULT;
	random_bytes(v->salt, v->salt_len);
	scram_verifier_derive(v, secret_slice(s));
	return v;
}

static int new_credentials(const struct passwd_options *o, struct secret *s, struct credentials *c)
{
	int rc = new_secret(o, s);

	if (rc != 0)
		return rc;
	c->hash = password_hash(o->method, secret_slice(s));
	if (c->hash == NULL)
		return report_error(EXIT_FAILED, "the password cannot be hashed with %s",
		                    o->method);
	if ((o->options & OPTION_SCRAM) != 0)
		c->scram = new_verifier(o, s);
	return 0;
}

/* ---- the commands ---- */

int passwd_change_write(struct passwd_file *f, const struct password_entry *user)
{
	struct buf line = {0};
	int rc;

	password_file_format(user, &line);
	rc = passwd_file_change(f, user->line, buf_slice(&line));
	crypto_wipe(line.data, line.len);
	buf_fini(&line);
	return rc;
}

static int add_locked(const struct passwd_options *o, const struct credentials *c)
{
	struct passwd_file f;
	int rc = passwd_file_lock(&f, o->path, (o->options & OPTION_CREATE) != 0);

	if (rc == 0)
		rc = require_no_user(&f, o);
	if (rc == 0) {
		char *name = xstrdup(o->user);
		const struct password_entry user = {.name = name,
		                                    .hash = c->hash,
		                                    .scram = c->scram,
		                                    .entry_id = passwd_file_new_id(f.users),
		                                    .assumed = (o->options & OPTION_ASSUMED) != 0,
		                                    .roles = o->roles,
		                                    .role_count = o->role_count};

		rc = passwd_change_write(&f, &user);
		free(name);
	}
	passwd_file_close(&f);
	return rc;
}

static int set_locked(const struct passwd_options *o, const struct credentials *c)
{
	struct passwd_file f;
	int rc = passwd_file_lock(&f, o->path, false);

	if (rc == 0)
		rc = passwd_change_require(&f, o);
	if (rc == 0) {
		struct password_entry user = *find(&f, o);
		bool had_scram = user.scram != NULL;

		user.hash = c->hash;
		user.scram = c->scram;
		rc = passwd_change_write(&f, &user);
		if (rc == 0 && had_scram && user.scram == NULL)
			(void)report_error(0,
			                   "note: '%s' cannot log in by SCRAM any more: set the "
			                   "password again with --scram to make a verifier of it",
			                   o->user);
		if (rc == 0 && user.locked)
			(void)report_error(0, "note: '%s' is still locked", o->user);
	}
	passwd_file_close(&f);
	return rc;
}

/* Before it is stored: what could not be printed must not be anybody's password. */
static int print_generated(const struct secret *s)
{
	printf("%.*s\n", (int)s->len, (const char *)s->bytes);
	/* mutant: generated_password_is_shown_first */
	return command_line_finish(0);
}

static int with_credentials(const struct passwd_options *o,
                            int (*change)(const struct passwd_options *o,
                                          const struct credentials *c))
{
	struct secret s = {.len = 0};
	struct credentials c = {0};
	int rc = new_credentials(o, &s, &c);

	if (rc == 0 && (o->options & OPTION_GENERATE) != 0)
		rc = print_generated(&s);
	/* mutant: passwd_wipes_before_it_waits */
	secret_wipe(&s); /* a change may have to wait for the file */
	if (rc == 0)
		rc = change(o, &c);
	free(c.hash);
	if (c.scram != NULL)
		crypto_wipe(c.scram, sizeof(*c.scram));
	free(c.scram);
	return rc;
}

int passwd_change_add(const struct passwd_options *o)
{
	static const struct credentials none = {0};
	int rc;

	REQUIRE(o->user != NULL);
	if (!utf8_is_name(slice_of_str(o->user)))
		return report_error(EXIT_USAGE, "a user name must not have noncharacters of "
		                                "Unicode: MQTT forbids them in names");
	rc = check_first(o, require_no_user);
	if (rc != 0)
		return rc;
	if ((o->options & (OPTION_NO_PASSWORD | OPTION_ASSUMED)) != 0)
		return add_locked(o, &none);
	return with_credentials(o, add_locked);
}

int passwd_change_set(const struct passwd_options *o)
{
	int rc = check_first(o, passwd_change_require);

	return rc == 0 ? with_credentials(o, set_locked) : rc;
}

int passwd_change_remove(const struct passwd_options *o)
{
	struct passwd_file f;
	int rc = passwd_file_lock(&f, o->path, false);

	if (rc == 0)
		rc = require_user(&f, o);
	if (rc == 0)
		rc = passwd_file_change(&f, find(&f, o)->line, SLICE_EMPTY);
	passwd_file_close(&f);
	return rc;
}

static int set_lock(const struct passwd_options *o, bool locked)
{
	struct passwd_file f;
	int rc = passwd_file_lock(&f, o->path, false);

	if (rc == 0)
		rc = require_user(&f, o);
	if (rc == 0) {
		struct password_entry user = *find(&f, o);

		user.locked = locked;
		rc = passwd_change_write(&f, &user);
	}
	passwd_file_close(&f);
	return rc;
}

int passwd_change_lock(const struct passwd_options *o)
{
	return set_lock(o, true);
}

int passwd_change_unlock(const struct passwd_options *o)
{
	return set_lock(o, false);
}

/* ---- roles ---- */

static bool is_among(char *const *roles, size_t count, const char *role)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(roles[i], role) == 0)
			return true;
	}
	return false;
}

/* The roles of the user with those of the command line, or without them. `out` borrows the names
 * and has space for all. */
static size_t changed_roles(const struct password_entry *user, const struct passwd_options *o,
                            bool granted, char **out)
{
	size_t count = 0;

	for (size_t i = 0; i < user->role_count; i++) {
		if (granted || !is_among(o->roles, o->role_count, user->roles[i]))
			out[count++] = user->roles[i];
	}
	for (size_t i = 0; granted && i < o->role_count; i++) {
		if (!is_among(user->roles, user->role_count, o->roles[i]))
			out[count++] = o->roles[i];
	}
	REQUIRE(count <= user->role_count + o->role_count);
	return count;
}

/* Password, id and the rest of the entry stay. */
static int change_roles(const struct passwd_options *o, bool granted)
{
	struct passwd_file f;
	int rc = passwd_file_lock(&f, o->path, false);

	if (rc == 0)
		rc = require_user(&f, o);
	if (rc == 0) {
		struct password_entry user = *find(&f, o);
		char **roles = xcalloc(user.role_count + o->role_count, sizeof(*roles));

		user.role_count = changed_roles(find(&f, o), o, granted, roles);
		user.roles = roles;
		rc = passwd_change_write(&f, &user);
		free(roles);
	}
	passwd_file_close(&f);
	return rc;
}

int passwd_change_grant(const struct passwd_options *o)
{
	return change_roles(o, true);
}

int passwd_change_revoke(const struct passwd_options *o)
{
	return change_roles(o, false);
}
