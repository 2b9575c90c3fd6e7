/* broker-passwd(1).  A change has three steps: check that it makes sense, get the password and hash
 * it, and only then lock, check again and write. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/command_line.h"
#include "base/crypto.h"
#include "base/nearest.h"
#include "base/random.h"
#include "base/require.h"
#include "base/text_input.h"
#include "base/utf8.h"
#include "passwd_apply.h"
#include "passwd_file.h"
#include "passwd_prompt.h"
#include "passwd_restore.h"

enum option_bit {
	OPTION_CREATE = 1 << 0,
	OPTION_ROLE = 1 << 1,
	OPTION_NO_PASSWORD = 1 << 2,
	OPTION_STDIN = 1 << 3,
	OPTION_GENERATE = 1 << 4,
	OPTION_METHOD = 1 << 5,
	OPTION_SCRAM = 1 << 6,
	OPTION_ITERATIONS = 1 << 7,
	OPTION_DRY_RUN = 1 << 8,
	OPTION_SOCKET = 1 << 9,
	OPTION_YES = 1 << 10,
};
#define OPTIONS_PASSWORD                                                                           \
	(OPTION_STDIN | OPTION_GENERATE | OPTION_METHOD | OPTION_SCRAM | OPTION_ITERATIONS)

struct passwd_options {
	const char *path;
	const struct passwd_command *command;
	const char *user;
	const char *socket, *config; /* of the broker */
	unsigned options;            /* given */
	char **roles;
	size_t role_count;
	const char *method;
	uint32_t iterations;
};

/* What the file stores of a password. */
struct credentials {
	char *hash;
	struct scram_verifier *scram; /* NULL: not asked for */
};

/* What follows the command. */
enum passwd_words {
	WORDS_NONE,
	WORDS_USER,
	WORDS_USER_ROLES, /* one role or more */
	WORDS_CONFIG,     /* the configuration, after -c */
};

struct passwd_command {
	const char *name;
	enum passwd_words words;
	unsigned options; /* taken */
	int (*run)(const struct passwd_options *o);
};

static const char usage_text[] =
    "usage: broker-passwd [-c] FILE add USER [--role ROLE]... [--no-password]\n"
    "       broker-passwd FILE set USER\n"
    "       broker-passwd FILE grant|revoke USER ROLE...\n"
    "       broker-passwd FILE remove|lock|unlock|verify USER\n"
    "       broker-passwd FILE list\n"
    "       broker-passwd [-c] FILE apply [--dry-run]\n"
    "       broker-passwd FILE restore-ids --socket PATH [--yes]\n"
    "       broker-passwd FILE restore-ids -c broker.yaml [--yes]\n"
    "\n"
    "  -c, --create     add, apply: create FILE if it does not exist\n"
    "  --role ROLE      add: the user has this role; may be repeated\n"
    "  --no-password    add: the user has no password, only a client certificate\n"
    "  --stdin          add, set, verify: the password is the line of standard input\n"
    "  --generate       add, set: generate a password and print it\n"
    "  --dry-run        apply: only say what would change\n"
    "  --method METHOD  add, set, apply: yescrypt (the default), sha512crypt or bcrypt\n"
    "  --scram          add, set, apply: the user can also log in by SCRAM-SHA-256\n"
    "  --iterations N   with --scram: how often the client must hash (default 15000)\n"
    "  --socket PATH    restore-ids: the control socket of the running broker\n"
    "  --yes            restore-ids: do not ask\n"
    "  --trust-owner USER, --trust-group GROUP\n"
    "                   trust their files too, like the option of the broker\n";

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

static int write_user(struct passwd_file *f, const struct password_entry *user)
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
		                                    .roles = o->roles,
		                                    .role_count = o->role_count};

		rc = write_user(&f, &user);
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
		rc = require_user(&f, o);
	if (rc == 0) {
		struct password_entry user = *find(&f, o);
		bool had_scram = user.scram != NULL;

		user.hash = c->hash;
		user.scram = c->scram;
		rc = write_user(&f, &user);
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

static int run_add(const struct passwd_options *o)
{
	static const struct credentials none = {0};
	int rc;

	if (!utf8_is_name(slice_of_str(o->user)))
		return report_error(EXIT_USAGE, "a user name must not have noncharacters of "
		                                "Unicode: MQTT forbids them in names");
	rc = check_first(o, require_no_user);
	if (rc != 0)
		return rc;
	if ((o->options & OPTION_NO_PASSWORD) != 0)
		return add_locked(o, &none);
	return with_credentials(o, add_locked);
}

static int run_set(const struct passwd_options *o)
{
	int rc = check_first(o, require_user);

	return rc == 0 ? with_credentials(o, set_locked) : rc;
}

static int run_remove(const struct passwd_options *o)
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
		rc = write_user(&f, &user);
	}
	passwd_file_close(&f);
	return rc;
}

static int run_lock(const struct passwd_options *o)
{
	return set_lock(o, true);
}

static int run_unlock(const struct passwd_options *o)
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
		rc = write_user(&f, &user);
		free(roles);
	}
	passwd_file_close(&f);
	return rc;
}

static int run_grant(const struct passwd_options *o)
{
	return change_roles(o, true);
}

static int run_revoke(const struct passwd_options *o)
{
	return change_roles(o, false);
}

static int run_verify(const struct passwd_options *o)
{
	const struct password_entry *user;
	struct secret s = {.len = 0};
	struct passwd_file f;
	int rc = passwd_file_read(&f, o->path);

	user = rc == 0 ? find(&f, o) : NULL;
	if (rc == 0 && user == NULL)
		rc = report_error(EXIT_FAILED, "there is no user '%s' in %s", o->user, o->path);
	else if (rc == 0 && user->locked)
		rc = report_error(EXIT_FAILED, "'%s' is locked and cannot log in", o->user);
	else if (rc == 0 && user->hash == NULL)
		rc = report_error(EXIT_FAILED, "'%s' has no password", o->user);
	if (rc == 0)
		rc = (o->options & OPTION_STDIN) != 0 ? secret_read(&s)
		                                      : secret_ask(&s, "Password: ");
	if (rc == 0 && text_input_line(secret_slice(&s)).len > 0)
		rc = secret_check(&s); /* an empty one is wrong, and no more */
	if (rc == 0 && user != NULL) {
		rc = password_verify(user->hash, secret_slice(&s)) ? 0 : EXIT_FAILED;
		puts(rc == 0 ? "right" : "wrong");
	}
	secret_wipe(&s);
	passwd_file_close(&f);
	return rc;
}

/* How wide it stands on the terminal, near enough: its code points. */
static int width(struct slice s)
{
	int n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += (s.data[i] & 0xc0) != 0x80;
	return n;
}

/* As it may be shown. The caller frees. */
static struct buf shown_name(const struct password_entry *user)
{
	struct buf name = {0};

	utf8_put_printable(&name, slice_of_str(user->name));
	return name;
}

static void print_row(int column, struct slice name, const char *method, const char *scram,
                      const char *locked)
{
	printf("%.*s%*s  %-13s  %-5s  %-6s  ", (int)name.len, (const char *)name.data,
	       column - width(name), "", method, scram, locked);
}

static void print_user(const struct password_entry *user, int column)
{
	char scram[16] = "-"; /* the iterations */
	struct buf name = shown_name(user);

	if (user->scram != NULL)
		(void)snprintf(scram, sizeof(scram), "%" PRIu32, user->scram->iterations);
	print_row(column, buf_slice(&name),
	          user->hash == NULL ? "none" : password_method(user->hash), scram,
	          user->locked ? "yes" : "no");
	buf_fini(&name);
	for (size_t i = 0; i < user->role_count; i++)
		printf("%s%s", i == 0 ? "" : ",", user->roles[i]);
	puts(user->role_count == 0 ? "-" : "");
}

static int run_list(const struct passwd_options *o)
{
	struct passwd_file f;
	int column = width(SLICE("USER"));
	int rc = passwd_file_read(&f, o->path);

	for (size_t i = 0; rc == 0 && i < password_file_count(f.users); i++) {
		struct buf name = shown_name(password_file_at(f.users, i));

		if (width(buf_slice(&name)) > column)
			column = width(buf_slice(&name));
		buf_fini(&name);
	}
	if (rc == 0) {
		print_row(column, SLICE("USER"), "PASSWORD", "SCRAM", "LOCKED");
		puts("ROLES");
		for (size_t i = 0; i < password_file_count(f.users); i++)
			print_user(password_file_at(f.users, i), column);
	}
	passwd_file_close(&f);
	return rc;
}

static int run_apply(const struct passwd_options *o)
{
	const struct passwd_apply apply = {.path = o->path,
	                                   .method = o->method,
	                                   .iterations = o->iterations,
	                                   .create = (o->options & OPTION_CREATE) != 0,
	                                   .scram = (o->options & OPTION_SCRAM) != 0,
	                                   .dry_run = (o->options & OPTION_DRY_RUN) != 0};

	return passwd_apply(&apply);
}

static int run_restore(const struct passwd_options *o)
{
	const struct passwd_restore restore = {.path = o->path,
	                                       .socket = o->socket,
	                                       .config = o->config,
	                                       .yes = (o->options & OPTION_YES) != 0};

	if ((o->socket == NULL) == (o->config == NULL))
		return report_error(EXIT_USAGE,
		                    "name the socket of the running broker with --socket PATH, or "
		                    "the configuration of a stopped one with -c broker.yaml after "
		                    "'restore-ids'");
	return passwd_restore(&restore);
}

/* ---- the command line ---- */

static const struct passwd_command commands[] = {
    {"add", WORDS_USER, OPTION_CREATE | OPTION_ROLE | OPTION_NO_PASSWORD | OPTIONS_PASSWORD,
     run_add},
    {"set", WORDS_USER, OPTIONS_PASSWORD, run_set},
    {"grant", WORDS_USER_ROLES, 0, run_grant},
    {"revoke", WORDS_USER_ROLES, 0, run_revoke},
    {"remove", WORDS_USER, 0, run_remove},
    {"lock", WORDS_USER, 0, run_lock},
    {"unlock", WORDS_USER, 0, run_unlock},
    {"list", WORDS_NONE, 0, run_list},
    {"verify", WORDS_USER, OPTION_STDIN, run_verify},
    {"apply", WORDS_NONE,
     OPTION_CREATE | OPTION_DRY_RUN | OPTION_METHOD | OPTION_SCRAM | OPTION_ITERATIONS, run_apply},
    {"restore-ids", WORDS_CONFIG, OPTION_CREATE | OPTION_SOCKET | OPTION_YES, run_restore},
};

static const struct {
	unsigned bit;
	const char *name;
} option_bits[] = {
    {OPTION_CREATE, "-c"},
    {OPTION_ROLE, "--role"},
    {OPTION_NO_PASSWORD, "--no-password"},
    {OPTION_STDIN, "--stdin"},
    {OPTION_GENERATE, "--generate"},
    {OPTION_METHOD, "--method"},
    {OPTION_SCRAM, "--scram"},
    {OPTION_ITERATIONS, "--iterations"},
    {OPTION_DRY_RUN, "--dry-run"},
    {OPTION_SOCKET, "--socket"},
    {OPTION_YES, "--yes"},
};

static int add_role(struct passwd_options *o, const char *role)
{
	if (!password_file_role_valid(slice_of_str(role)))
		return report_error(EXIT_USAGE, "a role's name is 1 to 256 bytes of UTF-8 without "
		                                "blanks, ',', ':' and control characters");
	for (size_t i = 0; i < o->role_count; i++) {
		if (strcmp(o->roles[i], role) == 0)
			return 0;
	}
	array_extend(o->roles, o->role_count);
	o->roles[o->role_count++] = xstrdup(role);
	return 0;
}

static int take_role(void *arg, const char *role)
{
	struct passwd_options *o = arg;

	o->options |= OPTION_ROLE;
	return add_role(o, role);
}

static int take_iterations(void *arg, const char *text)
{
	struct passwd_options *o = arg;
	char *end;
	long n = strtol(text, &end, 10);

	o->options |= OPTION_ITERATIONS;
	if (*text < '0' || *text > '9' || *end != '\0' || n < SCRAM_ITERATIONS_MIN ||
	    n > SCRAM_ITERATIONS_MAX)
		return report_error(EXIT_USAGE, "--iterations is a number from %d to %d",
		                    SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
	o->iterations = (uint32_t)n;
	return 0;
}

static int take_socket(void *arg, const char *value)
{
	struct passwd_options *o = arg;

	o->options |= OPTION_SOCKET;
	o->socket = value;
	return 0;
}

static int take_method(void *arg, const char *value)
{
	struct passwd_options *o = arg;

	o->options |= OPTION_METHOD;
	o->method = value;
	return 0;
}

#define TAKE_FLAG(name, bit)                                                                       \
	static int take_##name(void *arg, const char *value)                                       \
	{                                                                                          \
		struct passwd_options *o = arg;                                                    \
                                                                                                   \
		(void)value;                                                                       \
		o->options |= (bit);                                                               \
		return 0;                                                                          \
	}
TAKE_FLAG(create, OPTION_CREATE)
TAKE_FLAG(no_password, OPTION_NO_PASSWORD)
TAKE_FLAG(stdin, OPTION_STDIN)
TAKE_FLAG(generate, OPTION_GENERATE)
TAKE_FLAG(scram, OPTION_SCRAM)
TAKE_FLAG(dry_run, OPTION_DRY_RUN)
TAKE_FLAG(yes, OPTION_YES)

static const struct command_option command_options[] = {
    {"create", 'c', false, take_create},
    {"role", 0, true, take_role},
    {"no-password", 0, false, take_no_password},
    {"stdin", 0, false, take_stdin},
    {"generate", 0, false, take_generate},
    {"method", 0, true, take_method},
    {"scram", 0, false, take_scram},
    {"iterations", 0, true, take_iterations},
    {"dry-run", 0, false, take_dry_run},
    {"socket", 0, true, take_socket},
    {"yes", 0, false, take_yes},
};

static int refuse_option(const struct passwd_options *o, unsigned bit, const char *name)
{
	const char *instead = "";

	if (bit == OPTION_ROLE && o->command->run == run_set)
		instead = "; 'grant' and 'revoke' change roles";
	else if (bit == OPTION_NO_PASSWORD && o->command->run == run_set)
		instead = "; 'lock' keeps a user out";
	return report_error(EXIT_USAGE, "'%s' does not take %s%s", o->command->name, name, instead);
}

static int check_options(const struct passwd_options *o)
{
	static const char *const methods[] = {"yescrypt", "sha512crypt", "bcrypt"};

	for (size_t i = 0; i < ARRAY_LEN(option_bits); i++) {
		if ((o->options & ~o->command->options & option_bits[i].bit) != 0)
			return refuse_option(o, option_bits[i].bit, option_bits[i].name);
	}
	if ((o->options & OPTION_NO_PASSWORD) != 0 && (o->options & OPTIONS_PASSWORD) != 0)
		return report_error(EXIT_USAGE, "--no-password cannot be combined with --stdin, "
		                                "--generate, --method or --scram");
	if ((o->options & OPTION_STDIN) != 0 && (o->options & OPTION_GENERATE) != 0)
		return report_error(EXIT_USAGE, "give --stdin or --generate, not both");
	if ((o->options & OPTION_ITERATIONS) != 0 && (o->options & OPTION_SCRAM) == 0)
		return report_error(EXIT_USAGE, "--iterations needs --scram");
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(o->method, methods[i]) == 0)
			return 0;
	}
	return report_error(EXIT_USAGE, "--method is yescrypt, sha512crypt or bcrypt");
}

/* `broker-passwd FILE USER`, as mosquitto_passwd has it: the command that does what is meant.
 * False: the word is no name of a user. */
static bool suggest_command(const struct passwd_options *o, const char *word)
{
	struct passwd_options asked = {.path = o->path, .user = word};
	struct passwd_file f;
	const char *why;
	bool there;

	if (!password_file_name_valid(slice_of_str(word), &why) || access(o->path, R_OK) != 0 ||
	    passwd_file_read(&f, o->path) != 0)
		return false;
	there = find(&f, &asked) != NULL;
	passwd_file_close(&f);
	(void)report_error(
	    EXIT_USAGE, "a command is missing before '%s', a user %s: 'broker-passwd %s %s %s' %s",
	    word, there ? "of this file" : "whom this file does not have", o->path,
	    there ? "set" : "add", word, there ? "gives a new password" : "makes the user");
	return true;
}

static const struct passwd_command *find_command(const struct passwd_options *o, const char *word,
                                                 bool alone)
{
	const char *names[ARRAY_LEN(commands)];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(word, commands[i].name) == 0)
			return &commands[i];
		names[i] = commands[i].name;
	}
	if (!alone || nearest_word(word, names, ARRAY_LEN(commands)) != NULL ||
	    !suggest_command(o, word))
		(void)report_unknown("command", word, names, ARRAY_LEN(commands));
	return NULL;
}

/* FILE COMMAND [USER [ROLE...]] */
static int take_words(struct passwd_options *o, int count, char **words)
{
	const char *why;
	int taken = 2;

	if (count == 0)
		return report_usage("a file and a command are needed");
	o->path = words[0];
	if (count == 1)
		return report_usage("a command after '%s' is needed", o->path);
	o->command = find_command(o, words[1], count == 2);
	if (o->command == NULL)
		return EXIT_USAGE;
	if (o->command->words == WORDS_CONFIG) {
		/* -c has no value elsewhere: its word stands among the others. */
		if ((o->options & OPTION_CREATE) != 0 && taken < count)
			o->config = words[taken++];
	} else if (o->command->words != WORDS_NONE) {
		if (count < 3)
			return report_usage("'%s' needs a user", o->command->name);
		o->user = words[taken++];
	}
	if (o->command->words == WORDS_USER_ROLES && count == taken)
		return report_usage("'%s' needs a role after '%s'", o->command->name, o->user);
	while (o->command->words == WORDS_USER_ROLES && taken < count) {
		if (add_role(o, words[taken++]) != 0)
			return EXIT_USAGE;
	}
	if (taken < count)
		return report_excess(words[taken]);
	if (o->user != NULL && !password_file_name_valid(slice_of_str(o->user), &why))
		return report_error(EXIT_USAGE, "%s", why);
	return check_options(o);
}

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
}

int main(int argc, char **argv)
{
	static const struct foreign_option foreign[] = {
	    {'b', "others see passwords on a command line; --stdin reads one"},
	    {'D', "'broker-passwd FILE remove USER' removes a user"},
	    {'U', "hashes of another broker cannot be used; give each user a new password"},
	    {0, NULL},
	};
	static const struct command_line line = {.program = "broker-passwd",
	                                         .foreign = foreign,
	                                         .print_usage = print_usage,
	                                         .options = command_options,
	                                         .option_count = ARRAY_LEN(command_options)};
	struct passwd_options o = {.method = "yescrypt", .iterations = SCRAM_ITERATIONS_DEFAULT};
	int rc;

	command_line_start(&line);
	rc = command_line_read(&o, argc, argv);
	if (rc == -1) {
		rc = take_words(&o, argc - optind, argv + optind);
		if (rc == 0)
			rc = o.command->run(&o);
	}
	for (size_t i = 0; i < o.role_count; i++)
		free(o.roles[i]);
	free(o.roles);
	return command_line_finish(rc);
}
