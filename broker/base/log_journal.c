/* A line of the log is read back: its fields are known to be well formed, for log.c wrote them. */
#include "base/log_journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log_output.h"

#define NAME_MAX_BYTES 60 /* the journal has a limit of 64, with the prefix */

struct field {
	struct slice name, value;
};

static int journal_fd = -1;

/* --- fields of a line --- */

/* The length of a value: a word, or all up to the quote that ends it. */
static size_t value_length(struct slice s)
{
	size_t i = 0;

	if (s.len == 0 || s.data[0] != '"') {
		while (i < s.len && s.data[i] != ' ')
			i++;
		return i;
	}
	for (i = 1; i < s.len && s.data[i] != '"'; i++)
		/* mutant: journal_quotes */
		i += s.data[i] == '\\';
	return i < s.len ? i + 1 : s.len;
}

static struct slice without_quotes(struct slice value)
{
	if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
		return slice_of(value.data + 1, value.len - 2);
	return value;
}

/* The next `name=value` of the line; false: there is none. */
static bool next_field(struct slice *line, struct field *field)
{
	const uint8_t *equals;
	size_t len;

	while (line->len > 0 && line->data[0] == ' ')
		*line = slice_skip(*line, 1);
	equals = line->len == 0 ? NULL : memchr(line->data, '=', line->len);
	if (equals == NULL)
		return false;
	field->name = slice_of(line->data, (size_t)(equals - line->data));
	*line = slice_skip(*line, field->name.len + 1);
	len = value_length(*line);
	field->value = without_quotes(slice_of(line->data, len));
	*line = slice_skip(*line, len);
	return true;
}

/* --- the entry --- */

static void put_field(struct buf *out, const char *name, struct slice value)
{
	buf_put_slice(out, slice_of_str(name));
	buf_put_u8(out, '=');
	buf_put_slice(out, value);
	buf_put_u8(out, '\n');
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
			return false;
	}
	return name.len > 0 && name.len <= NAME_MAX_BYTES - strlen("VAKT_");
}

static void put_own_field(struct buf *out, const struct field *field)
{
	char name[NAME_MAX_BYTES + 1] = "VAKT_";
	size_t len = strlen(name);

	if (!is_name(field->name))
		return;
	for (size_t i = 0; i < field->name.len; i++) {
		uint8_t c = field->name.data[i];

		name[len++] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	name[len] = '\0';
	put_field(out, name, field->value);
}

/* Of syslog. */
static struct slice priority_of(struct slice level)
{
	if (slice_equal(level, SLICE("error")))
		return SLICE("3");
	if (slice_equal(level, SLICE("warning")))
		return SLICE("4");
	return slice_equal(level, SLICE("debug")) ? SLICE("7") : SLICE("6");
}

static void put_fields(struct buf *out, struct slice line)
{
	struct field field;

	while (next_field(&line, &field)) {
		if (slice_equal(field.name, SLICE("level")))
			put_field(out, "PRIORITY", priority_of(field.value));
		else
			put_own_field(out, &field);
	}
}

/* {"time":"...","level":"error",... */
static void put_priority_of_json(struct buf *out, struct slice line)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	const char mark[] = "\"level\":\"";
	const uint8_t *at = memmem(line.data, line.len, mark, strlen(mark));

	for (size_t i = 0; at != NULL && i < 4; i++) {
		struct slice rest = slice_skip(line, (size_t)(at - line.data) + strlen(mark));

		if (slice_starts_with(rest, slice_of_str(levels[i])))
			put_field(out, "PRIORITY", priority_of(slice_of_str(levels[i])));
	}
}

void log_journal_encode(struct slice line, struct buf *out)
{
	bool json = line.len > 0 && line.data[0] == '{';
	struct slice rest = line;
	struct field time;

	if (line.len > 0 && line.data[line.len - 1] == '\n')
		rest = line = slice_of(line.data, line.len - 1);
	if (!json && next_field(&rest, &time) && slice_equal(time.name, SLICE("time")))
		line = rest.len > 0 ? slice_skip(rest, 1) : rest;
	put_field(out, "MESSAGE", line);
	put_field(out, "SYSLOG_IDENTIFIER", SLICE("broker"));
	if (json)
		put_priority_of_json(out, line);
	else
		put_fields(out, line);
}

/* --- the journal --- */

/* "DEVICE:INODE", of the stream that the manager has opened. */
bool log_journal_has(int fd)
{
	const char *said =
	    getenv("JOURNAL_STREAM"); /* NOLINT(concurrency-mt-unsafe): nobody changes it */
	char own[64];
	struct stat st;

	if (said == NULL || fstat(fd, &st) != 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(said, own) == 0;
}

int log_journal_start(const char *socket_path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, failed = 0;

	if (strlen(socket_path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)(const void *)&to, sizeof(to)) != 0) {
		failed = -errno;
		close(fd);
		return failed;
	}
	journal_fd = fd;
	return 0;
}

void log_journal_stop(void)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

static bool send_entry(struct slice line)
{
	struct buf entry = {0};
	ssize_t n;

	log_journal_encode(line, &entry);
	do
		n = send(journal_fd, entry.data, entry.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	buf_fini(&entry);
	return n >= 0;
}

struct slice log_journal_write(int fd, struct slice lines)
{
	while (lines.len > 0) {
		const uint8_t *end = memchr(lines.data, '\n', lines.len);
		size_t len = end == NULL ? lines.len : (size_t)(end - lines.data) + 1;
		struct slice line = slice_of(lines.data, len);

		/* mutant: journal_falls_back */
		if (!send_entry(line) && log_output_write_bytes(fd, line).len > 0)
			break;
		lines = slice_skip(lines, len);
	}
	return lines;
}
