/* broker-ctl(1): queries and controls a running broker over its control socket. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/command_line.h"
#include "base/trust.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "conf/conf_load.h"
#include "ctl_table.h"

#define PATIENCE_S   60
#define ARGUMENT_MAX 65535

struct ctl_options;

struct ctl_command {
	const char *name;
	const char *member; /* that its argument becomes; NULL: it has none */
	const char *word;   /* that argument in the usage */
	const char *what;   /* that argument must be */
	bool has_user;
	const char *summary;
	const struct column *columns;
	size_t column_count;
	const char *done; /* printed at the end; NULL: nothing */
};

struct ctl_options {
	const struct ctl_command *command;
	const char *config;
	const char *argument;
	const char *user;
	bool json;
};

/* ---- tables ---- */

#define COLUMN(member, title, kind) {member, title, COLUMN_##kind},
#define PAIRS                       COLUMN("", "", TEXT) COLUMN("", "", TEXT)
#define COMMAND(name, scope, access, function, argument, word, what, second, done, summary,        \
                columns, manual)                                                                   \
	static const struct column name##_columns[] = {columns};
#include "admin/commands.def"
#undef COMMAND

static bool has_pairs(const struct ctl_command *command)
{
	return command->columns[0].member[0] == '\0';
}

/* "uptime_s" becomes "uptime s". */
static void add_pairs(struct ctl_table *t, const struct json_object *line)
{
	t->no_titles = true;
	for (size_t i = 0; i < line->count; i++) {
		char *name = slice_dup(line->members[i].name);

		for (char *c = name; (c = strchr(c, '_')) != NULL;)
			*c = ' ';
		ctl_table_add_pair(t, name, &line->members[i]);
		free(name);
	}
}

static const struct ctl_command commands[] = {
#define COMMAND(name, scope, access, function, argument, word, what, second, done, summary,        \
                columns, manual)                                                                   \
	{#name,                                                                                    \
	 argument,                                                                                 \
	 word,                                                                                     \
	 what,                                                                                     \
	 (second) != NULL,                                                                         \
	 summary,                                                                                  \
	 name##_columns,                                                                           \
	 ARRAY_LEN(name##_columns),                                                                \
	 done},
#include "admin/commands.def"
#undef COMMAND
};

static void print_usage(FILE *to)
{
	fputs("usage: broker-ctl -c broker.yaml [--json] [--user USER] COMMAND [ARGUMENT]\n\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct ctl_command *c = &commands[i];

		fprintf(to, "  %-8s %-10s %s\n", c->name, c->word == NULL ? "" : c->word,
		        c->summary);
	}
	fputs("\n"
	      "  --user     kick: the client of this user ('' is anonymous)\n"
	      "  --json     print JSON, one line for each item\n"
	      "  --trust-owner USER, --trust-group GROUP\n"
	      "             trust their files too, like the option of the broker\n",
	      to);
}

/* ---- the socket ---- */

static char *socket_path(const char *config, int *status)
{
	struct errors errors = {0};
	struct conf *conf = conf_load(config, &errors);
	char *text = errors_text(&errors), *path = NULL;

	if (conf == NULL) {
		fputs(text, stderr);
		*status = report_error(EXIT_USAGE, "%s is not used: fix the errors above", config);
	} else if (conf->control_socket == NULL) {
		*status = report_error(EXIT_USAGE,
		                       "%s names no control socket: add 'control: { socket: "
		                       "/run/broker/control.sock }' and start the broker again",
		                       config);
	} else {
		path = xstrdup(conf->control_socket);
	}
	free(text);
	errors_fini(&errors);
	conf_free(conf);
	return path;
}

static int no_permission(const char *path)
{
	const struct passwd *owner;
	struct stat st;

	if (stat(path, &st) != 0)
		return report_error(
		    EXIT_FAILED,
		    "no permission for %s: run this as the user that the broker runs "
		    "as, or as root",
		    path);
	owner = getpwuid(st.st_uid); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	if (owner != NULL)
		return report_error(EXIT_FAILED,
		                    "%s is for the user %s and root only: run this as one of them",
		                    path, owner->pw_name);
	return report_error(EXIT_FAILED,
	                    "%s is for the user id %u and root only: run this as one of them", path,
	                    (unsigned)st.st_uid);
}

static int cannot_connect(const char *path, int error)
{
	if (error == ENOENT || error == ECONNREFUSED)
		return report_error(EXIT_FAILED,
		                    "nobody listens at %s: the broker is not running, or was "
		                    "started before control.socket was set",
		                    path);
	if (error == EACCES || error == EPERM)
		return no_permission(path);
	return report_error(EXIT_FAILED, "%s: %s", path, strerror(error));
}

/* A copy of the path, up to its last slash; the caller frees. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* Nobody else could put a socket there. *owner: of the directory. */
static bool believes_directory(const char *path, uid_t *owner)
{
	char *directory = directory_of(path);
	struct trust_request request = {
	    .path = directory, .flags = O_PATH | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	struct stat st = {0};
	int fd = trust_open(&request, &why);

	if (fd >= 0 && fstat(fd, &st) == 0)
		*owner = st.st_uid;
	if (fd >= 0)
		close(fd);
	if (why.len > 0)
		(void)report_error(0, "the directory of %s: %.*s", path, (int)why.len,
		                   (const char *)why.data);
	free(directory);
	buf_fini(&why);
	return fd >= 0 || fd != -EACCES;
}

/* And whoever listens is the broker's user: root, who looks at the broker of another user, believes
 * the owner of the directory. */
static bool believes_listener(const char *path, int fd, uid_t directory_owner)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (trust_is_owner(peer.uid) || (geteuid() == 0 && peer.uid == directory_owner)))
		return true;
	(void)report_error(
	    0,
	    "another user listens at %s (user id %u); if that is the broker, give --trust-owner %u",
	    path, (unsigned)peer.uid, (unsigned)peer.uid);
	return false;
}

static int connect_to(const char *path, int *status)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	uid_t owner = 0;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		*status =
		    report_error(EXIT_USAGE, "%s: the path is too long for a unix socket", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	*status = EXIT_FAILED;
	if (!believes_directory(path, &owner))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		/* mutant: trust_who_listens */
		if (believes_listener(path, fd, owner))
			return fd;
	} else {
		*status = cannot_connect(path, errno);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_request(int fd, const struct ctl_options *o)
{
	struct buf line = {0};
	struct slice left;

	json_open(&line);
	json_str(&line, "command", o->command->name);
	if (o->command->member != NULL)
		json_str(&line, o->command->member, o->argument);
	if (o->user != NULL)
		json_str(&line, "user", o->user);
	json_close(&line);
	left = buf_slice(&line);
	while (left.len > 0) {
		ssize_t n = send(fd, left.data, left.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		left = slice_skip(left, n < 0 ? 0 : (size_t)n);
	}
	buf_fini(&line);
	return left.len == 0;
}

/* ---- the answer ---- */

enum answer {
	ANSWER_GOES_ON,
	ANSWER_DONE,
	ANSWER_ERROR,
};

static enum answer take_line(const struct ctl_options *o, struct ctl_table *t, const char *text,
                             size_t len)
{
	enum answer answer = ANSWER_GOES_ON;
	struct json_object line;
	struct slice error;

	if (len == 0 || text[len - 1] != '\n' || !json_parse(slice_of(text, len - 1), &line)) {
		(void)report_error(
		    0, "the answer is invalid: broker and broker-ctl may have different versions");
		return ANSWER_ERROR;
	}
	error = json_text_of(&line, "error");
	if (error.len > 0) {
		(void)report_error(0, "%.*s", (int)error.len, (const char *)error.data);
		answer = ANSWER_ERROR;
	} else if (json_find(&line, "done") != NULL) {
		answer = ANSWER_DONE;
	} else if (o->json) {
		fwrite(text, 1, len, stdout);
	} else if (has_pairs(o->command)) {
		add_pairs(t, &line);
	} else {
		ctl_table_add(t, &line);
	}
	json_fini(&line);
	return answer;
}

static enum answer read_answer(const struct ctl_options *o, struct ctl_table *t, FILE *in)
{
	enum answer answer = ANSWER_GOES_ON;
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	while (answer == ANSWER_GOES_ON && (len = getline(&text, &cap, in)) >= 0)
		answer = take_line(o, t, text, (size_t)len);
	free(text);
	if (answer == ANSWER_GOES_ON)
		(void)report_error(
		    0, "the broker closed the connection before its answer was complete");
	return answer;
}

static void print_answer(const struct ctl_options *o, const struct ctl_table *t)
{
	struct buf out = {0};

	if (t->cell_count > 0 || !has_pairs(o->command))
		ctl_table_print(t, &out);
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
	if (o->command->done != NULL)
		puts(o->command->done);
}

static int talk(const struct ctl_options *o, int fd)
{
	struct ctl_table t = {.columns = o->command->columns,
	                      .column_count = o->command->column_count};
	enum answer answer = ANSWER_ERROR;
	FILE *in;

	if (!send_request(fd, o)) {
		close(fd);
		return report_error(
		    EXIT_FAILED, "the broker accepts no request: there may be too many at a time");
	}
	in = fdopen(fd, "r");
	if (in != NULL) {
		answer = read_answer(o, &t, in);
		(void)fclose(in);
	}
	if (answer == ANSWER_DONE && !o->json)
		print_answer(o, &t);
	ctl_table_fini(&t);
	if (fflush(stdout) != 0)
		return report_error(EXIT_FAILED, "cannot write: %s", strerror(errno));
	return answer == ANSWER_DONE ? 0 : EXIT_FAILED;
}

static int check_text(const char *what, const char *text)
{
	if (text == NULL || (strlen(text) <= ARGUMENT_MAX && utf8_valid(slice_of_str(text))))
		return 0;
	return report_error(EXIT_USAGE, "%s must be UTF-8, at most %d bytes", what, ARGUMENT_MAX);
}

static int read_words(struct ctl_options *o, char **words, int count)
{
	if (count == 0)
		return report_usage("a command is needed");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(words[0], commands[i].name) == 0)
			o->command = &commands[i];
	}
	if (o->command == NULL) {
		(void)report_error(0, "there is no command '%s'", words[0]);
		return report_usage("unknown command");
	}
	if (o->config == NULL)
		return report_usage("name the broker's configuration with -c broker.yaml");
	if (o->command->member != NULL && count < 2) {
		(void)report_error(0, "%s needs %s", o->command->name, o->command->what);
		return report_usage("an argument is missing");
	}
	if (count > (o->command->member != NULL ? 2 : 1))
		return report_usage("unexpected argument");
	if (o->user != NULL && !o->command->has_user)
		return report_usage("--user is for kick only");
	o->argument = words[1];
	if (check_text(o->command->what, o->argument) != 0 || check_text("--user", o->user) != 0)
		return EXIT_USAGE;
	return 0;
}

static int run(const struct ctl_options *o)
{
	int status = EXIT_FAILED, fd;
	char *path = socket_path(o->config, &status);

	if (path == NULL)
		return status;
	fd = connect_to(path, &status);
	free(path);
	return fd < 0 ? status : talk(o, fd);
}

#define TAKE(name, assignment)                                                                     \
	static int take_##name(void *arg, const char *value)                                       \
	{                                                                                          \
		struct ctl_options *o = arg;                                                       \
                                                                                                   \
		(void)value;                                                                       \
		assignment;                                                                        \
		return 0;                                                                          \
	}
TAKE(config, o->config = value)
TAKE(user, o->user = value)
TAKE(json, o->json = true)

static const struct command_option command_options[] = {
    {"config", 'c', true, take_config},
    {"user", 0, true, take_user},
    {"json", 0, false, take_json},
};

int main(int argc, char **argv)
{
	static const struct command_line line = {.program = "broker-ctl",
	                                         .print_usage = print_usage,
	                                         .options = command_options,
	                                         .option_count = ARRAY_LEN(command_options)};
	struct ctl_options o = {.config = NULL};
	int status;

	command_line_start(&line);
	status = command_line_read(&o, argc, argv);
	if (status != -1)
		return status;
	status = read_words(&o, argv + optind, argc - optind);
	return status != 0 ? status : run(&o);
}
