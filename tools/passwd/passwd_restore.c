/* The running broker says what is set aside; of a stopped one its store is read, as a start would
 * read it.  Only the file is changed: the broker does the rest when it takes it over. */
#include "passwd/passwd_restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/json.h"
#include "conf/conf_load.h"
#include "ctl/ctl_socket.h"
#include "durability/user_inventory.h"
#include "passwd/passwd_file.h"
#include "program/command_line.h"

#define REQUEST "{\"command\":\"set-aside\"}\n"

struct former_id {
	char *name;
	uint64_t id;
	uint64_t sessions, retained;
};

struct former_ids {
	struct former_id *rows;
	size_t count, cap;
};

static void add(struct former_ids *ids, struct slice name, uint64_t id, uint64_t sessions,
                uint64_t retained)
{
	array_reserve(ids->rows, ids->cap, ids->count + 1);
	ids->rows[ids->count++] = (struct former_id){
	    .name = slice_dup(name), .id = id, .sessions = sessions, .retained = retained};
}

static void former_ids_fini(struct former_ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		free(ids->rows[i].name);
	free(ids->rows);
}

/* --- of a running broker --- */

static bool read_id(struct slice text, uint64_t *id)
{
	char *copy = slice_dup(text), *end;

	*id = strtoull(copy, &end, 16);
	end = text.len == 16 && *end == '\0' && *id != 0 ? end : NULL;
	free(copy);
	return end != NULL;
}

static uint64_t number_of(const struct json_object *line, const char *name)
{
	const struct json_member *member = json_find(line, name);

	return member == NULL || member->kind != JSON_NUMBER ? 0 : member->number;
}

/* Those that came later end by themselves. */
static bool is_first(const struct json_object *line)
{
	const struct json_member *end = json_find(line, "ends_in_s");

	return end != NULL && end->kind == JSON_NULL;
}

/* 0: the last line; -1: there is more; otherwise the exit status. */
static int take_line(struct former_ids *ids, struct slice text)
{
	struct json_object line;
	struct slice error;
	uint64_t id;
	int rc = -1;

	if (!json_parse(text, &line))
		return report_error(EXIT_FAILED, "the answer is invalid: broker and broker-passwd "
		                                 "may have different versions");
	error = json_text_of(&line, "error");
	if (error.len > 0)
		rc = report_error(EXIT_FAILED, "%.*s", (int)error.len, (const char *)error.data);
	else if (json_find(&line, "done") != NULL)
		rc = 0;
	else if (is_first(&line) && read_id(json_text_of(&line, "id"), &id))
		add(ids, json_text_of(&line, "user"), id, number_of(&line, "sessions"),
		    number_of(&line, "retained"));
	json_fini(&line);
	return rc;
}

static int read_answer(struct former_ids *ids, FILE *in)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = -1;

	while (rc == -1 && (len = getline(&text, &cap, in)) > 0)
		rc = take_line(ids, slice_of(text, (size_t)len - 1));
	free(text);
	return rc == -1 ? report_error(EXIT_FAILED, "the broker closed the connection before its "
	                                            "answer was complete")
	                : rc;
}

static int ask_broker(const char *path, struct former_ids *ids)
{
	int status = EXIT_FAILED, fd = ctl_socket_connect(path, &status);
	FILE *in;

	if (fd < 0)
		return status;
	if (send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) != (ssize_t)strlen(REQUEST) ||
	    (in = fdopen(fd, "r")) == NULL) {
		close(fd);
		return report_error(EXIT_FAILED, "the broker accepts no request: %s",
		                    strerror(errno));
	}
	status = read_answer(ids, in);
	(void)fclose(in);
	return status;
}

/* --- of a stopped one --- */

static int read_inventory(const struct conf *conf, struct former_ids *ids)
{
	struct errors errors = {0};
	struct identity_source *source = identity_source_load(conf, &errors);
	char said[STORE_ERROR_TEXT] = "", *text = errors_text(&errors);
	struct user_inventory *v = NULL;
	int rc = 0;

	if (source == NULL)
		fputs(text, stderr);
	else
		v = user_inventory_read(conf->persistence_directory, source, said);
	if (v == NULL)
		rc = report_error(EXIT_FAILED, "%s: %s", conf->persistence_directory,
		                  source == NULL ? "fix the errors above" : said);
	for (size_t i = 0; v != NULL && i < user_inventory_count(v); i++) {
		const struct user_inventory_row *row = user_inventory_at(v, i);

		if (!row->user->has_limit)
			add(ids, row->user->name, row->user->id, row->sessions, row->retained);
	}
	user_inventory_free(v);
	identity_source_unref(&source);
	free(text);
	errors_fini(&errors);
	return rc;
}

static int read_store(const char *config, struct former_ids *ids)
{
	struct errors errors = {0};
	struct conf *conf = conf_load(config, &errors);
	char *text = errors_text(&errors);
	int rc;

	if (conf == NULL) {
		fputs(text, stderr);
		rc = report_error(EXIT_USAGE, "%s is not used: fix the errors above", config);
	} else if (conf->persistence_directory == NULL) {
		rc = report_error(EXIT_USAGE, "%s has no persistence.directory: nothing is stored",
		                  config);
	} else {
		rc = read_inventory(conf, ids);
	}
	free(text);
	errors_fini(&errors);
	conf_free(conf);
	return rc;
}

/* --- the file --- */

static bool is_taken(const struct password_file *users, const struct former_id *former)
{
	for (size_t i = 0; i < password_file_count(users); i++) {
		const struct password_entry *user = password_file_at(users, i);

		if (user->entry_id == former->id && strcmp(user->name, former->name) != 0)
			return true;
	}
	return false;
}

/* The id that this user gets; NULL: it keeps its own. */
static const struct former_id *former_of(const struct former_ids *ids,
                                         const struct password_file *users,
                                         const struct password_entry *user)
{
	for (size_t i = 0; i < ids->count; i++) {
		const struct former_id *former = &ids->rows[i];

		if (strcmp(former->name, user->name) == 0 && former->id != user->entry_id &&
		    !is_taken(users, former))
			return former;
	}
	return NULL;
}

static size_t list(const struct former_ids *ids, const struct password_file *users)
{
	size_t count = 0;

	for (size_t i = 0; i < password_file_count(users); i++) {
		const struct password_entry *user = password_file_at(users, i);
		const struct former_id *former = former_of(ids, users, user);

		if (former == NULL)
			continue;
		count++;
		printf("%s: id %016" PRIx64 " instead of %016" PRIx64 ", with %" PRIu64
		       " sessions and %" PRIu64 " retained messages\n",
		       user->name, former->id, user->entry_id, former->sessions, former->retained);
	}
	return count;
}

static bool confirmed(const struct passwd_restore *r, size_t count)
{
	char answer[8] = "";

	if (r->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		(void)report_error(0, "nothing was changed; give --yes to do it");
		return false;
	}
	printf("Give %zu user%s the former id again? [y/N] ", count, count == 1 ? "" : "s");
	(void)fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return true;
	(void)report_error(0, "nothing was changed");
	return false;
}

static void put_lines(const struct passwd_file *f, const struct former_ids *ids, struct buf *out)
{
	struct slice rest = buf_slice(&f->bytes);
	size_t next = 0;

	for (unsigned number = 1; rest.len > 0; number++) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.len);
		struct slice line = slice_of(rest.data, (size_t)(newline - rest.data) + 1);
		const struct former_id *former = NULL;
		struct password_entry user;

		if (next < password_file_count(f->users) &&
		    password_file_at(f->users, next)->line == number) {
			user = *password_file_at(f->users, next++);
			former = former_of(ids, f->users, &user);
		}
		if (former == NULL) {
			buf_put_slice(out, line);
		} else {
			user.entry_id = former->id;
			password_file_format(&user, out);
		}
		rest = slice_skip(rest, line.len);
	}
}

static int change_file(const struct passwd_restore *r, const struct former_ids *ids)
{
	struct passwd_file f;
	struct buf out = {0};
	int rc = passwd_file_lock(&f, r->path, false);

	if (rc == 0) {
		put_lines(&f, ids, &out);
		rc = passwd_file_replace(&f, buf_slice(&out));
		crypto_wipe(out.data, out.len);
		buf_fini(&out);
	}
	passwd_file_close(&f);
	if (rc == 0)
		puts(r->socket != NULL ? "the file has the former ids; the broker takes it over in "
		                         "a second"
		                       : "the file has the former ids; the broker takes it over "
		                         "when it starts");
	return rc;
}

int passwd_restore(const struct passwd_restore *r)
{
	struct former_ids ids = {.rows = NULL};
	struct passwd_file f;
	size_t count = 0;
	int rc = r->socket != NULL ? ask_broker(r->socket, &ids) : read_store(r->config, &ids);

	if (rc == 0) {
		rc = passwd_file_read(&f, r->path);
		if (rc == 0)
			count = list(&ids, f.users);
		passwd_file_close(&f);
	}
	if (rc == 0 && count == 0)
		puts("nobody has another id than before: there is nothing to restore");
	else if (rc == 0)
		rc = confirmed(r, count) ? change_file(r, &ids) : EXIT_FAILED;
	former_ids_fini(&ids);
	return rc;
}
