/* Entries of the journal: what a line becomes, and who gets it. The journal is a socket of this
 * test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/log_journal.h"

static char directory[] = "/tmp/vakt-journal-XXXXXX";
static char path[64];

static void expect_entry(const char *line, const char *want)
{
	struct buf out = {0};

	log_journal_encode(slice_of_str(line), &out);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.data, want, out.len);
	buf_fini(&out);
}

static void fields_of_a_line_are_fields_of_the_entry(void **state)
{
	(void)state;
	expect_entry(
	    "time=2026-12-01T12:00:00.000Z level=warning event=wrong-password msg=\"a login "
	    "failed\" "
	    "address=::1 client_id=\"a \\\"b\\\" c\\\\\" empty=\"\" n=5\n",
	    "MESSAGE=level=warning event=wrong-password msg=\"a login failed\" address=::1 "
	    "client_id=\"a \\\"b\\\" c\\\\\" empty=\"\" n=5\n"
	    "SYSLOG_IDENTIFIER=broker\nPRIORITY=4\nVAKT_EVENT=wrong-password\n"
	    "VAKT_MSG=a login failed\nVAKT_ADDRESS=::1\nVAKT_CLIENT_ID=a \\\"b\\\" c\\\\\n"
	    "VAKT_EMPTY=\nVAKT_N=5\n");
	expect_entry("level=error\n",
	             "MESSAGE=level=error\nSYSLOG_IDENTIFIER=broker\nPRIORITY=3\n");
	expect_entry("level=info", "MESSAGE=level=info\nSYSLOG_IDENTIFIER=broker\nPRIORITY=6\n");
	expect_entry("level=debug", "MESSAGE=level=debug\nSYSLOG_IDENTIFIER=broker\nPRIORITY=7\n");
}

/* A value cannot pretend to be a field, nor end the entry. */
static void value_stays_a_value(void **state)
{
	static const char evil[] = "x\" level=error event=ready\nMESSAGE=forged\n\\";
	char line[400];
	struct buf value = {0};

	(void)state;
	log_encode(&value, slice_of_str(evil), false);
	snprintf(line, sizeof(line), "level=info client_id=%.*s user=anna\n", (int)value.len,
	         (const char *)value.data);
	buf_fini(&value);
	expect_entry(line, "MESSAGE=level=info client_id=\"x\\\" level=error "
	                   "event=ready\\nMESSAGE=forged\\n\\\\\" user=anna\n"
	                   "SYSLOG_IDENTIFIER=broker\nPRIORITY=6\n"
	                   "VAKT_CLIENT_ID=x\\\" level=error "
	                   "event=ready\\nMESSAGE=forged\\n\\\\\nVAKT_USER=anna\n");
}

static void json_is_a_message_with_its_priority(void **state)
{
	(void)state;
	expect_entry("{\"time\":\"2026\",\"level\":\"error\",\"event\":\"x\"}\n",
	             "MESSAGE={\"time\":\"2026\",\"level\":\"error\",\"event\":\"x\"}\n"
	             "SYSLOG_IDENTIFIER=broker\nPRIORITY=3\n");
	expect_entry("{}\n", "MESSAGE={}\nSYSLOG_IDENTIFIER=broker\n");
}

/* Whatever a line is, the entry is well formed: each of its lines is NAME=value. */
static void strange_lines_are_entries_too(void **state)
{
	static const char *const lines[] = {"\n",        "",      " ",      "=",         "a",
	                                    "a=",        "a=\"",  "a=\"\\", "a=\"b\\\"", "=x y=1",
	                                    "A=1 b c=2", "time=", "time=1"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct buf out = {0};
		const char *at, *end;

		log_journal_encode(slice_of_str(lines[i]), &out);
		buf_put_u8(&out, '\0');
		for (at = (const char *)out.data; *at != '\0'; at = end + 1) {
			end = strchr(at, '\n');
			assert_non_null(end);
			assert_in_range(*at, 'A', 'Z');
			assert_true(memchr(at, '=', (size_t)(end - at)) != NULL);
		}
		buf_fini(&out);
	}
}

static int journal_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)),
	                 0);
	return fd;
}

static void expect_datagram(int journal, const char *begin)
{
	char got[512];
	ssize_t n = recv(journal, got, sizeof(got), MSG_DONTWAIT);

	assert_true(n >= (ssize_t)strlen(begin));
	assert_memory_equal(got, begin, strlen(begin));
}

static void each_line_is_a_datagram(void **state)
{
	int journal = journal_socket();
	char got[64];

	(void)state;
	assert_int_equal(log_journal_start(path), 0);
	assert_int_equal(log_journal_write(-1, SLICE("level=info a=1\nlevel=info a=2\n")).len, 0);
	expect_datagram(journal, "MESSAGE=level=info a=1\n");
	expect_datagram(journal, "MESSAGE=level=info a=2\n");
	assert_int_equal(recv(journal, got, sizeof(got), MSG_DONTWAIT), -1);
	log_journal_stop();
	close(journal);
	unlink(path);
}

/* The stream to the journal is still there when its socket is not. */
static void without_the_socket_the_stream_has_the_lines(void **state)
{
	int journal = journal_socket(), ends[2];
	char got[64];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(log_journal_start(path), 0);
	close(journal);
	assert_int_equal(log_journal_write(ends[1], SLICE("level=info a=1\nlevel=info a=2\n")).len,
	                 0);
	n = read(ends[0], got, sizeof(got));
	assert_int_equal(n, strlen("level=info a=1\nlevel=info a=2\n"));
	assert_memory_equal(got, "level=info a=1\nlevel=info a=2\n", (size_t)n);
	/* Neither takes it: it is not lost without being counted. */
	assert_int_equal(log_journal_write(-1, SLICE("level=info a=1\nlevel=info a=2\n")).len, 30);
	log_journal_stop();
	close(ends[0]);
	close(ends[1]);
	unlink(path);
	assert_true(log_journal_start(path) < 0);
}

static void set_stream(const struct stat *st, const char *behind)
{
	char text[64];

	snprintf(text, sizeof(text), "%ju:%ju%s", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
	         behind);
	setenv("JOURNAL_STREAM", text, 1);
}

static void only_the_stream_that_the_manager_opened_is_the_journal(void **state)
{
	struct stat st;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fstat(ends[1], &st), 0);
	unsetenv("JOURNAL_STREAM");
	assert_false(log_journal_has(ends[1]));
	set_stream(&st, "");
	assert_true(log_journal_has(ends[1]));
	set_stream(&st, "0");
	assert_false(log_journal_has(ends[1]));
	set_stream(&st, "");
	close(ends[0]);
	close(ends[1]);
	assert_false(log_journal_has(ends[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_of_a_line_are_fields_of_the_entry),
	    cmocka_unit_test(value_stays_a_value),
	    cmocka_unit_test(json_is_a_message_with_its_priority),
	    cmocka_unit_test(strange_lines_are_entries_too),
	    cmocka_unit_test(each_line_is_a_datagram),
	    cmocka_unit_test(without_the_socket_the_stream_has_the_lines),
	    cmocka_unit_test(only_the_stream_that_the_manager_opened_is_the_journal),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
