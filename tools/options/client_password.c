/* Passwords never come from the command line.  A file that others may read is refused. */
#include "options/client_password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text_input.h"
#include "program/trust.h"
#include "secret.h"

#define PASSWORD_MAX ((size_t)4096)

/* All of a descriptor, as far as a password can be long; closes it. */
static int read_secret(int fd, const char *from, struct buf *out)
{
	uint8_t bytes[PASSWORD_MAX + 3];
	size_t len = 0;
	ssize_t n = 1;
	struct slice text;
	const char *why;

	while (len < sizeof(bytes) && n > 0) {
		n = read(fd, bytes + len, sizeof(bytes) - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	text = slice_of(bytes, len);
	why = n < 0 ? strerror(errno) : text_input_only_line(&text, PASSWORD_MAX);
	if (why == NULL)
		buf_put_secret(out, text);
	crypto_wipe(bytes, sizeof(bytes));
	return why == NULL ? 0 : report_error(EXIT_USAGE, "the password from %s: %s", from, why);
}

static int read_file(const char *path, struct buf *out)
{
	struct trust_request request = {.path = path, .flags = O_RDONLY, .is_secret = true};
	struct buf why = {0};
	int fd = trust_open(&request, &why), rc;

	if (fd == -EINVAL) /* a pipe: <(command) */
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = why.len > 0
		         ? report_error(EXIT_USAGE, "the password file %s cannot be used: %.*s",
		                        path, (int)why.len, (const char *)why.data)
		         : report_error(EXIT_USAGE, "cannot read the password file %s: %s", path,
		                        strerror(fd == -1 ? errno : -fd));
		buf_fini(&why);
		return rc;
	}
	rc = read_secret(fd, path, out);
	close(fd);
	return rc;
}

static int run_command(const char *command, struct buf *out)
{
	/* NOLINTNEXTLINE(cert-env33-c): a command of the shell is what the user gives. */
	FILE *pipe = popen(command, "re");
	struct buf password = {0};
	int rc, status;

	if (pipe == NULL)
		return report_error(EXIT_USAGE, "cannot start the password command '%s': %s",
		                    command, strerror(errno));
	rc = read_secret(fileno(pipe), "the password command", &password);
	status = pclose(pipe);
	if (status != 0)
		rc = report_error(EXIT_USAGE, "the password command '%s' failed with status %d",
		                  command, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	if (rc == 0)
		buf_put_secret(out, buf_slice(&password));
	buf_fini_secret(&password);
	return rc;
}

static int ask(struct buf *out)
{
	struct secret s = {.len = 0};
	int rc = secret_ask(&s, "Password: ");

	if (rc == 0)
		buf_put_secret(out, secret_slice(&s));
	secret_wipe(&s);
	return rc;
}

int client_password_get(struct client_options *o)
{
	int rc = 0;

	if (o->key_password_file != NULL)
		rc = read_file(o->key_password_file, &o->key_password);
	if (rc != 0)
		return rc;
	if ((o->password_file != NULL) + (o->password_command != NULL) + (int)o->ask_password > 1)
		return report_usage("give one of --password-file, --password-command and "
		                    "--ask-password");
	if (o->password_file != NULL)
		rc = read_file(o->password_file, &o->password);
	else if (o->password_command != NULL)
		rc = run_command(o->password_command, &o->password);
	else if (o->ask_password ||
	         (o->user != NULL && !o->has_password && o->certificate == NULL &&
	          o->socket == NULL && isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
		rc = ask(&o->password);
	if (rc == 0 && o->password.len > 0)
		o->has_password = true;
	if (rc == 0 && o->has_password && o->user == NULL)
		return report_usage("there is a password, and no user: -u USER");
	return rc;
}
