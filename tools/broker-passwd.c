/* broker-passwd(1): the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"
#include "passwd/passwd_apply.h"
#include "passwd/passwd_change.h"
#include "passwd/passwd_file.h"
#include "passwd/passwd_pin.h"
#include "passwd/passwd_restore.h"
#include "passwd/passwd_show.h"
#include "program/command_line.h"

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
    "usage: broker-passwd [-c] FILE add USER [--role ROLE]... [--no-password | --assumed]\n"
    "       broker-passwd FILE set USER\n"
    "       broker-passwd FILE grant|revoke USER ROLE...\n"
    "       broker-passwd FILE remove|lock|unlock|verify USER\n"
    "       broker-passwd FILE pin USER --certificate CERTIFICATE...\n"
    "       broker-passwd FILE unpin USER --certificate CERTIFICATE... | --all\n"
    "       broker-passwd FILE list\n"
    "       broker-passwd [-c] FILE apply [--dry-run]\n"
    "       broker-passwd FILE restore-ids --socket PATH [--yes]\n"
    "       broker-passwd FILE restore-ids -c broker.yaml [--yes]\n"
    "\n"
    "  -c, --create     add, apply: create FILE if it does not exist\n"
    "  --role ROLE      add: the user has this role; may be repeated\n"
    "  --no-password    add: the user has no password, only a client certificate\n"
    "  --assumed        add: the user never logs in, it is for assume_user of a listener\n"
    "  --stdin          add, set, verify: the password is the line of standard input\n"
    "  --generate       add, set: generate a password and print it\n"
    "  --certificate CERTIFICATE\n"
    "                   pin, unpin: the key of this certificate; may be repeated\n"
    "  --pin PIN        pin, unpin: the key by its pin, sha256/BASE64; may be repeated\n"
    "  --all            unpin: certificates with any key are accepted again\n"
    "  --dry-run        apply: only say what would change\n"
    "  --method METHOD  add, set, apply: yescrypt (the default), sha512crypt or bcrypt\n"
    "  --scram          add, set, apply: the user can also log in by SCRAM-SHA-256\n"
    "  --iterations N   with --scram: how often the client must hash (default 15000)\n"
    "  --socket PATH    restore-ids: the control socket of the running broker\n"
    "  --yes            restore-ids: do not ask\n"
    "  --trust-owner USER, --trust-group GROUP\n"
    "                   trust their files too, like the option of the broker\n";
/* ---- commands of files of their own ---- */

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
    {"add", WORDS_USER,
     OPTION_CREATE | OPTION_ROLE | OPTION_NO_PASSWORD | OPTION_ASSUMED | OPTIONS_PASSWORD,
     passwd_change_add},
    {"set", WORDS_USER, OPTIONS_PASSWORD, passwd_change_set},
    {"grant", WORDS_USER_ROLES, 0, passwd_change_grant},
    {"revoke", WORDS_USER_ROLES, 0, passwd_change_revoke},
    {"remove", WORDS_USER, 0, passwd_change_remove},
    {"lock", WORDS_USER, 0, passwd_change_lock},
    {"unlock", WORDS_USER, 0, passwd_change_unlock},
    {"pin", WORDS_USER, OPTION_CERTIFICATE | OPTION_PIN, passwd_pin_add},
    {"unpin", WORDS_USER, OPTION_CERTIFICATE | OPTION_PIN | OPTION_ALL, passwd_pin_remove},
    {"list", WORDS_NONE, 0, passwd_show_list},
    {"verify", WORDS_USER, OPTION_STDIN, passwd_show_verify},
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
    {OPTION_ASSUMED, "--assumed"},
    {OPTION_STDIN, "--stdin"},
    {OPTION_GENERATE, "--generate"},
    {OPTION_METHOD, "--method"},
    {OPTION_SCRAM, "--scram"},
    {OPTION_ITERATIONS, "--iterations"},
    {OPTION_DRY_RUN, "--dry-run"},
    {OPTION_SOCKET, "--socket"},
    {OPTION_YES, "--yes"},
    {OPTION_CERTIFICATE, "--certificate"},
    {OPTION_PIN, "--pin"},
    {OPTION_ALL, "--all"},
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

static int add_key(struct passwd_options *o, const char *text, bool is_file)
{
	if (o->key_count == KEY_PINS_MAX)
		return report_error(EXIT_USAGE, "at most %d keys can be named at once",
		                    KEY_PINS_MAX);
	array_extend(o->keys, o->key_count);
	o->keys[o->key_count++] = (struct passwd_key){.text = text, .is_file = is_file};
	return 0;
}

static int take_certificate(void *arg, const char *path)
{
	struct passwd_options *o = arg;

	o->options |= OPTION_CERTIFICATE;
	return add_key(o, path, true);
}

static int take_pin(void *arg, const char *pin)
{
	struct passwd_options *o = arg;

	o->options |= OPTION_PIN;
	return add_key(o, pin, false);
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
TAKE_FLAG(assumed, OPTION_ASSUMED)
TAKE_FLAG(stdin, OPTION_STDIN)
TAKE_FLAG(generate, OPTION_GENERATE)
TAKE_FLAG(scram, OPTION_SCRAM)
TAKE_FLAG(dry_run, OPTION_DRY_RUN)
TAKE_FLAG(yes, OPTION_YES)
TAKE_FLAG(all, OPTION_ALL)

static const struct command_option command_options[] = {
    {"create", 'c', false, take_create},
    {"role", 0, true, take_role},
    {"no-password", 0, false, take_no_password},
    {"assumed", 0, false, take_assumed},
    {"stdin", 0, false, take_stdin},
    {"generate", 0, false, take_generate},
    {"method", 0, true, take_method},
    {"scram", 0, false, take_scram},
    {"iterations", 0, true, take_iterations},
    {"dry-run", 0, false, take_dry_run},
    {"socket", 0, true, take_socket},
    {"yes", 0, false, take_yes},
    {"certificate", 0, true, take_certificate},
    {"pin", 0, true, take_pin},
    {"all", 0, false, take_all},
};

static int refuse_option(const struct passwd_options *o, unsigned bit, const char *name)
{
	const char *instead = "";

	if (bit == OPTION_ROLE && o->command->run == passwd_change_set)
		instead = "; 'grant' and 'revoke' change roles";
	else if (bit == OPTION_NO_PASSWORD && o->command->run == passwd_change_set)
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
	if ((o->options & OPTION_ASSUMED) != 0 &&
	    (o->options & (OPTION_NO_PASSWORD | OPTIONS_PASSWORD)) != 0)
		return report_error(EXIT_USAGE,
		                    "--assumed cannot be combined with --no-password, --stdin, "
		                    "--generate, --method or --scram: such a user never logs in");
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
	struct passwd_file f;
	const char *why;
	bool there;

	if (!password_file_name_valid(slice_of_str(word), &why) || access(o->path, R_OK) != 0 ||
	    passwd_file_read(&f, o->path) != 0)
		return false;
	there = password_file_find(f.users, slice_of_str(word)) != NULL;
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
	free(o.keys);
	return command_line_finish(rc);
}
