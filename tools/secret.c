/* Signals are blocked while the echo is off, except during the wait for a key, so that none arrives
 * between the check and the wait. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "base/text_input.h"
#include "program/command_line.h"

static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
#define SIGNAL_COUNT ARRAY_LEN(signals)

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* What must be restored. */
struct terminal {
	int fd;
	struct termios before;
	struct sigaction actions[SIGNAL_COUNT];
	sigset_t mask;
};

static int terminal_open(struct terminal *t)
{
	t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->fd < 0)
		return report_error(
		    EXIT_USAGE,
		    "there is no terminal to read the password from; use --stdin or --generate");
	if (tcgetattr(t->fd, &t->before) == 0)
		return 0;
	close(t->fd);
	return report_error(EXIT_FAILED, "cannot read from the terminal");
}

static void terminal_quiet(struct terminal *t)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct termios quiet = t->before;
	sigset_t block;

	sigemptyset(&action.sa_mask);
	sigemptyset(&block);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaddset(&block, signals[i]);
	sigprocmask(SIG_BLOCK, &block, &t->mask);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		sigaction(signals[i], NULL, &t->actions[i]);
		if (t->actions[i].sa_handler != SIG_IGN) /* as nohup(1) does */
			sigaction(signals[i], &action, NULL);
	}
	caught = 0;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	(void)tcsetattr(t->fd, TCSAFLUSH, &quiet);
}

static void terminal_restore(struct terminal *t)
{
	(void)tcsetattr(t->fd, TCSAFLUSH, &t->before);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &t->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &t->mask, NULL);
}

/* One line, without its newline. Bytes that do not fit the buffer are discarded; the line then
 * counts as too long. False: a signal, or the end of the input. */
static bool read_line(struct terminal *t, struct secret *s)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	uint8_t c;

	s->len = 0;
	for (;;) {
		if (ppoll(&p, 1, NULL, &t->mask) < 0 || read(t->fd, &c, 1) != 1)
			return false;
		if (c == '\n')
			return true;
		if (s->len < sizeof(s->bytes))
			s->bytes[s->len++] = c;
	}
}

static void print_text(const struct terminal *t, const char *text)
{
	ssize_t ignored = write(t->fd, text, strlen(text));

	(void)ignored;
}

int secret_ask(struct secret *s, const char *prompt)
{
	struct terminal t;
	bool complete = false;
	int rc = terminal_open(&t);

	if (rc != 0)
		return rc;
	do {
		terminal_quiet(&t);
		print_text(&t, prompt);
		complete = read_line(&t, s);
		print_text(&t, "\n");
		terminal_restore(&t);
		if (caught != 0) {
			/* mutant: passwd_wipes_at_a_stop */
			secret_wipe(s); /* it may be stopped for long */
			(void)raise(caught);
		}
	} while (caught == SIGTSTP); /* continued: ask again */
	close(t.fd);
	return complete ? 0 : report_error(EXIT_FAILED, "no password was given");
}

/* Is there more after the line? Whoever keeps the pipe open is not waited for. */
static bool has_more(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	uint8_t c;

	while (poll(&p, 1, 0) == 1 && read(STDIN_FILENO, &c, 1) == 1) {
		if (c != '\n' && c != '\r')
			return true;
	}
	return false;
}

int secret_read(struct secret *s)
{
	s->len = 0;
	while (s->len < sizeof(s->bytes)) {
		ssize_t n = read(STDIN_FILENO, s->bytes + s->len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return report_error(EXIT_FAILED, "standard input: %s", strerror(errno));
		if (n == 0)
			break;
		if (s->bytes[s->len++] != '\n')
			continue;
		/* UTF-16 has a NUL after its newline, and is named as what it is. */
		if (text_input_encoding(secret_slice(s)) == NULL && has_more())
			return report_error(EXIT_USAGE, "standard input has more than one line: "
			                                "give the password alone");
		break;
	}
	return 0;
}

void secret_generate(struct secret *s)
{
	static const char alphabet[32] = "abcdefghijkmnpqrstuvwxyz23456789";

	s->len = 24;
	random_bytes(s->bytes, s->len);
	for (size_t i = 0; i < s->len; i++)
		s->bytes[i] = (uint8_t)alphabet[s->bytes[i] & 31];
}

int secret_check(struct secret *s)
{
	struct slice text = secret_slice(s);
	const char *why = text_input_only_line(&text, PASSWORD_MAX);

	REQUIRE(s->len <= sizeof(s->bytes));
	if (s->len > 0 && text.len > 0 && text.data != s->bytes)
		memmove(s->bytes, text.data, text.len);
	s->len = text.len;
	if (why == NULL)
		return 0;
	if (text_input_encoding(text) == NULL && text.len > PASSWORD_MAX)
		return report_error(EXIT_USAGE, "the password is longer than %d bytes",
		                    PASSWORD_MAX);
	return report_error(EXIT_USAGE, "the password cannot be used: %s", why);
}

void secret_wipe(struct secret *s)
{
	crypto_wipe(s, sizeof(*s));
}
