/* What the file has: a table of users, and whether a password is right. */
#include "passwd/passwd_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "auth/password.h"
#include "base/require.h"
#include "base/text_input.h"
#include "base/utf8.h"
#include "passwd/passwd_file.h"
#include "program/command_line.h"
#include "secret.h"

int passwd_show_verify(const struct passwd_options *o)
{
	const struct password_entry *user;
	struct secret s = {.len = 0};
	struct passwd_file f;
	int rc = passwd_file_read(&f, o->path);

	REQUIRE(o->user != NULL);
	user = rc == 0 ? password_file_find(f.users, slice_of_str(o->user)) : NULL;
	if (rc == 0 && user == NULL)
		rc = report_error(EXIT_FAILED, "there is no user '%s' in %s", o->user, o->path);
	else if (rc == 0 && user->locked)
		rc = report_error(EXIT_FAILED, "'%s' is locked and cannot log in", o->user);
	else if (rc == 0 && user->assumed)
		rc = report_error(EXIT_FAILED,
		                  "'%s' is only for assume_user of a listener, and has no password",
		                  o->user);
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
	          user->assumed        ? "assumed"
	          : user->hash == NULL ? "none"
	                               : password_method(user->hash),
	          scram, user->locked ? "yes" : "no");
	buf_fini(&name);
	for (size_t i = 0; i < user->role_count; i++)
		printf("%s%s", i == 0 ? "" : ",", user->roles[i]);
	puts(user->role_count == 0 ? "-" : "");
	if (user->pins.is_pinned && user->pins.count == 0)
		puts("  pinned to no key");
	for (size_t i = 0; i < user->pins.count; i++) {
		struct buf pin = {0};

		key_pin_put(user->pins.items[i], &pin);
		printf("  pinned to %.*s\n", (int)pin.len, (const char *)pin.data);
		buf_fini(&pin);
	}
}

int passwd_show_list(const struct passwd_options *o)
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
