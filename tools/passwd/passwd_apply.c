/* The input has the lines of a password file, where `password=` may stand in the place of a hash
 * and the id may be missing.  So each line becomes a line of a password file (the password is cut
 * off, an id is added), and the parser of that file says what is wrong with it.  The passwords are
 * read before the lock is taken: whoever writes them may be slow. */
#include "passwd/passwd_apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "base/text_input.h"
#include "passwd/passwd_file.h"
#include "program/command_line.h"

#define PASSWORD_FIELD ":password="

/* What standard input says. */
struct wanted {
	struct buf bytes;            /* as it came: with passwords */
	struct buf lines;            /* the lines of a password file */
	struct slice *passwords;     /* by line number; NULL data: none is given */
	bool *has_id;                /* by line number */
	size_t line_count, line_cap; /* of both; line 0 does not exist */
	struct password_file *users;
};

enum outcome {
	OUTCOME_KEPT,
	OUTCOME_ADDED,
	OUTCOME_CHANGED,
	OUTCOME_REMOVED,
	OUTCOMES,
};

struct change {
	const struct passwd_apply *apply;
	const struct wanted *wanted;
	struct passwd_file file;
	struct buf out; /* the new file */
	struct buf report;
	size_t counts[OUTCOMES];
};

/* --- standard input --- */

static int read_input(struct buf *bytes)
{
	ssize_t n = 1;

	while (n > 0 && bytes->len <= PASSWORD_FILE_MAX) {
		uint8_t part[4096];

		n = read(STDIN_FILENO, part, sizeof(part));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return report_error(EXIT_FAILED, "standard input: %s", strerror(errno));
		else
			buf_put_slice(bytes, slice_of(part, (size_t)n));
		crypto_wipe(part, sizeof(part));
	}
	if (text_input_encoding(buf_slice(bytes)) != NULL)
		return report_error(EXIT_USAGE, "standard input: %s",
		                    text_input_encoding(buf_slice(bytes)));
	return 0;
}

/* Where the text stands in the line; its length: nowhere. */
static size_t find_text(struct slice line, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at + len <= line.len; at++) {
		if (memcmp(line.data + at, text, len) == 0)
			return at;
	}
	return line.len;
}

static void add_line(struct wanted *in, struct slice line)
{
	size_t end = find_text(line, PASSWORD_FIELD), number = ++in->line_count;
	struct slice fields = slice_of(line.data, end);
	bool is_user = line.len > 0 && line.data[0] != '#';

	if (number >= in->line_cap) {
		in->line_cap = number * 2 + 16;
		in->passwords = xrealloc_array(in->passwords, in->line_cap, sizeof(*in->passwords));
		in->has_id = xrealloc_array(in->has_id, in->line_cap, sizeof(*in->has_id));
	}
	in->passwords[number] = SLICE_EMPTY;
	in->has_id[number] = find_text(fields, ":id=") < end;
	if (!is_user) {
		buf_put_slice(&in->lines, line);
	} else {
		buf_put_slice(&in->lines, fields);
		if (end < line.len)
			in->passwords[number] = slice_skip(line, end + strlen(PASSWORD_FIELD));
		if (!in->has_id[number])
			buf_printf(&in->lines, ":id=%016" PRIx64, random_u64() | 1);
	}
	buf_put_slice(&in->lines, SLICE("\n"));
}

static int check_password(const struct passwd_apply *apply, const struct wanted *in,
                          const struct password_entry *user)
{
	const char *why = NULL, *fault;
	struct slice password;

	REQUIRE(in->passwords != NULL && user->line <= in->line_count);
	password = in->passwords[user->line];
	if (password.data == NULL)
		return 0;
	if (user->hash != NULL || user->scram != NULL)
		why = "give hash= and scram=, or password=, not both";
	else if (user->assumed)
		why = "a user that is 'assumed' has no password";
	else if (password.len > PASSWORD_MAX)
		why = "the password is longer than 256 bytes";
	else if ((fault = text_input_only_line(&password, PASSWORD_MAX)) != NULL)
		why = fault;
	else if (strcmp(apply->method, "bcrypt") == 0 && password.len > 72)
		why = "bcrypt uses 72 bytes only; use a shorter password";
	else if (apply->scram)
		why = scram_password_refused(password);
	return why == NULL ? 0
	                   : report_error(EXIT_USAGE, "standard input:%u: user '%s': %s",
	                                  user->line, user->name, why);
}

static int parse_input(const struct passwd_apply *apply, struct wanted *in)
{
	struct slice rest = text_input_start(buf_slice(&in->bytes));
	int rc = 0;

	while (rest.len > 0) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.len);

		if (newline == NULL)
			return report_error(EXIT_USAGE,
			                    "standard input:%zu: the last line does not end with a "
			                    "newline: it was cut short, or end it with one; "
			                    "nothing was changed",
			                    in->line_count + 1);
		add_line(in, text_input_line(slice_of(rest.data, (size_t)(newline - rest.data))));
		rest = slice_skip(rest, (size_t)(newline - rest.data) + 1);
	}
	in->users = passwd_file_parse("standard input", buf_slice(&in->lines));
	if (in->users == NULL)
		return EXIT_USAGE;
	if (password_file_count(in->users) == 0)
		/* mutant: passwd_apply_refuses_nothing */
		return report_error(EXIT_USAGE, "standard input lists no user, and all would be "
		                                "removed; nothing was changed");
	for (size_t i = 0; i < password_file_count(in->users) && rc == 0; i++)
		rc = check_password(apply, in, password_file_at(in->users, i));
	return rc;
}

static void wanted_fini(struct wanted *in)
{
	password_file_unref(&in->users);
	crypto_wipe(in->bytes.data, in->bytes.len);
	crypto_wipe(in->lines.data, in->lines.len);
	buf_fini(&in->bytes);
	buf_fini(&in->lines);
	free(in->passwords);
	free(in->has_id);
}

/* --- one user --- */

static struct scram_verifier *new_verifier(const struct passwd_apply *apply,
                                           const struct scram_verifier *before,
                                           struct slice password)
{
	struct scram_verifier *v = xnew(v);

	v->iterations = before != NULL ? before->iterations : apply->iterations;
	v->salt_len = SCRAM_SALT_DEFAULT;
	random_bytes(v->salt, v->salt_len);
	scram_verifier_derive(v, password);
	return v;
}

/* Hash and verifier of a password that is given: those that are there, where they are of it. The
 * caller frees what is not in `before`. */
static int make_credentials(const struct passwd_apply *apply, const struct password_entry *before,
                            struct slice password, struct password_entry *user)
{
	const struct scram_verifier *old = before == NULL ? NULL : before->scram;
	bool is_same =
	    before != NULL && before->hash != NULL && password_verify(before->hash, password);

	user->hash = is_same ? before->hash : password_hash(apply->method, password);
	if (user->hash == NULL)
		return report_error(EXIT_FAILED, "the password of '%s' cannot be hashed with %s",
		                    user->name, apply->method);
	if (is_same && (old != NULL || !apply->scram)) {
		user->scram = before->scram;
		return 0;
	}
	if (apply->scram || (old != NULL && scram_password_refused(password) == NULL))
		user->scram = new_verifier(apply, old, password);
	return 0;
}

/* No password is given: what is not said stays, but a verifier goes with the hash of its password.
 */
static void keep_credentials(const struct password_entry *before, struct password_entry *user)
{
	bool nothing = user->hash == NULL && user->scram == NULL;
	bool same =
	    user->hash != NULL && before->hash != NULL && strcmp(user->hash, before->hash) == 0;

	if (nothing)
		user->hash = before->hash;
	if (nothing || (same && user->scram == NULL))
		user->scram = before->scram;
}

static void report(struct change *c, enum outcome outcome, const char *name, const char *what)
{
	static const char *const words[OUTCOMES] = {"kept", "added", "changed", "removed"};

	c->counts[outcome]++;
	buf_printf(&c->report, "%-8s %s%s%s\n", words[outcome], name, what[0] == '\0' ? "" : ": ",
	           what);
}

static void put_user(struct change *c, const struct password_entry *before,
                     const struct password_entry *user)
{
	char what[64] = "";
	size_t len = 0;

	password_file_format(user, &c->out);
	if (before == NULL) {
		report(c, OUTCOME_ADDED, user->name, "");
		return;
	}
	if (password_file_credential(before) != password_file_credential(user))
		len += (size_t)snprintf(what, sizeof(what), "password");
	if (!identity_roles_equal(before->roles, before->role_count, user->roles, user->role_count))
		len += (size_t)snprintf(what + len, sizeof(what) - len, "%sroles",
		                        len > 0 ? ", " : "");
	if (!key_pins_equal(&before->pins, &user->pins))
		len +=
		    (size_t)snprintf(what + len, sizeof(what) - len, "%spins", len > 0 ? ", " : "");
	if (before->locked != user->locked)
		len += (size_t)snprintf(what + len, sizeof(what) - len, "%slocked",
		                        len > 0 ? ", " : "");
	report(c, len > 0 ? OUTCOME_CHANGED : OUTCOME_KEPT, user->name, what);
}

static bool has_id(const struct password_file *users, uint64_t id)
{
	for (size_t i = 0; i < password_file_count(users); i++) {
		if (password_file_at(users, i)->entry_id == id)
			return true;
	}
	return false;
}

/* `before` NULL: the file does not have this name. */
static int apply_user(struct change *c, const struct password_entry *before,
                      const struct password_entry *given)
{
	struct slice password = c->wanted->passwords[given->line];
	struct password_entry user = *given;
	int rc = 0;

	/* mutant: passwd_apply_keeps_assumed */
	if (before != NULL && before->assumed != given->assumed)
		return report_error(
		    EXIT_USAGE,
		    "standard input:%u: user '%s' is %s in the file: leave it out of "
		    "the list once, then add it anew; nothing was changed",
		    given->line, given->name,
		    before->assumed ? "only for assume_user ('assumed')"
				    : "no user for assume_user");
	user.credential = 0;
	/* mutant: passwd_apply_keeps_ids */
	if (before != NULL)
		user.entry_id = before->entry_id;
	else if (!c->wanted->has_id[given->line] || has_id(c->file.users, given->entry_id))
		user.entry_id = passwd_file_new_id(c->file.users);
	/* A lock is somebody's decision: what a script knows of users does not end it. */
	if (before != NULL && before->locked)
		user.locked = true;
	/* Nor does it end that keys are pinned, by not naming them. */
	/* mutant: passwd_apply_keeps_pins */
	if (before != NULL && !user.pins.is_pinned)
		user.pins = before->pins;
	if (password.data != NULL)
		rc = make_credentials(c->apply, before, password, &user);
	else if (before != NULL)
		keep_credentials(before, &user);
	if (rc == 0)
		put_user(c, before, &user);
	if (user.hash != given->hash && (before == NULL || user.hash != before->hash))
		free(user.hash);
	if (user.scram != NULL && user.scram != given->scram &&
	    (before == NULL || user.scram != before->scram)) {
		crypto_wipe(user.scram, sizeof(*user.scram));
		free(user.scram);
	}
	return rc;
}

/* --- the file --- */

static const struct password_entry *user_on(const struct password_file *users, size_t *next,
                                            unsigned line)
{
	if (*next >= password_file_count(users) || password_file_at(users, *next)->line != line)
		return NULL;
	return password_file_at(users, (*next)++);
}

/* The lines that are there, in their order. */
static int apply_old(struct change *c)
{
	struct slice rest = buf_slice(&c->file.bytes);
	size_t next = 0;
	int rc = 0;

	for (unsigned number = 1; rest.len > 0 && rc == 0; number++) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.len);
		struct slice line = slice_of(rest.data, (size_t)(newline - rest.data) + 1);
		const struct password_entry *user = user_on(c->file.users, &next, number);
		const struct password_entry *given =
		    user == NULL ? NULL
				 : password_file_find(c->wanted->users, slice_of_str(user->name));

		if (user == NULL)
			buf_put_slice(&c->out, line);
		else if (given == NULL)
			report(c, OUTCOME_REMOVED, user->name, "");
		else
			rc = apply_user(c, user, given);
		rest = slice_skip(rest, line.len);
	}
	return rc;
}

static int apply_new(struct change *c)
{
	int rc = 0;

	for (size_t i = 0; i < password_file_count(c->wanted->users) && rc == 0; i++) {
		const struct password_entry *given = password_file_at(c->wanted->users, i);

		if (password_file_find(c->file.users, slice_of_str(given->name)) == NULL)
			rc = apply_user(c, NULL, given);
	}
	return rc;
}

static void print_report(const struct change *c)
{
	printf("%.*s%s%zu added, %zu changed, %zu removed, %zu kept\n", (int)c->report.len,
	       (const char *)c->report.data,
	       c->apply->dry_run ? "nothing was changed; it would be: " : "",
	       c->counts[OUTCOME_ADDED], c->counts[OUTCOME_CHANGED], c->counts[OUTCOME_REMOVED],
	       c->counts[OUTCOME_KEPT]);
}

static int change_file(struct change *c)
{
	bool differs;
	int rc = apply_old(c);

	if (rc == 0)
		rc = apply_new(c);
	differs = c->counts[OUTCOME_KEPT] != password_file_count(c->file.users) ||
	          c->counts[OUTCOME_ADDED] > 0;
	if (rc == 0 && !c->apply->dry_run && differs)
		rc = passwd_file_replace(&c->file, buf_slice(&c->out));
	if (rc == 0)
		print_report(c);
	return rc;
}

int passwd_apply(const struct passwd_apply *apply)
{
	struct wanted in = {.users = NULL};
	struct change c = {.apply = apply, .wanted = &in};
	int rc = read_input(&in.bytes);

	if (rc == 0)
		rc = parse_input(apply, &in);
	if (rc == 0) {
		rc = apply->dry_run ? passwd_file_check(&c.file, apply->path, apply->create)
		                    : passwd_file_lock(&c.file, apply->path, apply->create);
		if (rc == 0)
			rc = change_file(&c);
		passwd_file_close(&c.file);
	}
	crypto_wipe(c.out.data, c.out.len);
	buf_fini(&c.out);
	buf_fini(&c.report);
	wanted_fini(&in);
	return rc;
}
