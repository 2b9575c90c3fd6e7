/* An entry of the journal has only fields of the broker's names, each on a line, whatever the line
 * of the log has in it; and a value that log.c has escaped is one field, the one that it belongs
 * to.  Input: a line, and the same bytes as the value of a field. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_journal.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME_MAX_BYTES 60

/* The next line of the entry, without its end. */
static struct slice take_line(struct slice *entry)
{
	const uint8_t *end = memchr(entry->data, '\n', entry->len);
	struct slice line;

	REQUIRE(end != NULL);
	line = slice_of(entry->data, (size_t)(end - entry->data));
	*entry = slice_skip(*entry, line.len + 1);
	return line;
}

static struct slice expect_name(struct slice line, const char *name)
{
	REQUIRE(slice_starts_with(line, slice_of_str(name)));
	return slice_skip(line, strlen(name));
}

static void expect_field(struct slice *entry, const char *name, struct slice value)
{
	REQUIRE(slice_equal(expect_name(take_line(entry), name), value));
}

/* PRIORITY, or a name of the broker's own. */
static void check_name(struct slice line)
{
	const uint8_t *equals = memchr(line.data, '=', line.len);
	struct slice name;

	REQUIRE(equals != NULL);
	name = slice_of(line.data, (size_t)(equals - line.data));
	if (slice_equal(name, SLICE("PRIORITY")))
		return;
	REQUIRE(slice_starts_with(name, SLICE("VAKT_")) && name.len <= NAME_MAX_BYTES);
	for (size_t i = 0; i < name.len; i++)
		REQUIRE((name.data[i] >= 'A' && name.data[i] <= 'Z') ||
		        (name.data[i] >= '0' && name.data[i] <= '9') || name.data[i] == '_');
}

/* The message is the line, or what follows its time. */
static void check_line(struct slice bytes)
{
	struct buf line = {0}, out = {0};
	struct slice entry, message;

	for (size_t i = 0; i < bytes.len; i++) /* who splits lines leaves no end within one */
		buf_put_u8(&line, bytes.data[i] == '\n' ? ' ' : bytes.data[i]);
	buf_put_u8(&line, '\n');
	log_journal_encode(buf_slice(&line), &out);
	entry = buf_slice(&out);
	message = expect_name(take_line(&entry), "MESSAGE=");
	REQUIRE(message.len < line.len);
	REQUIRE(memcmp(message.data, line.data + line.len - 1 - message.len, message.len) == 0);
	expect_field(&entry, "SYSLOG_IDENTIFIER=", SLICE("broker"));
	while (entry.len > 0)
		check_name(take_line(&entry));
	buf_fini(&out);
	buf_fini(&line);
}

static struct slice without_quotes(struct slice value)
{
	return slice_starts_with(value, SLICE("\"")) ? slice_of(value.data + 1, value.len - 2)
	                                             : value;
}

static void check_value(struct slice bytes)
{
	struct buf value = {0}, line = {0}, out = {0};
	struct slice entry;

	log_encode(&value, bytes, false);
	buf_put_slice(&line, SLICE("time=2026-12-01T12:00:00.000Z level=warning client_id="));
	buf_put_slice(&line, buf_slice(&value));
	buf_put_slice(&line, SLICE(" user=anna\n"));
	log_journal_encode(buf_slice(&line), &out);
	entry = buf_slice(&out);
	(void)expect_name(take_line(&entry), "MESSAGE=level=warning client_id=");
	expect_field(&entry, "SYSLOG_IDENTIFIER=", SLICE("broker"));
	expect_field(&entry, "PRIORITY=", SLICE("4"));
	expect_field(&entry, "VAKT_CLIENT_ID=", without_quotes(buf_slice(&value)));
	expect_field(&entry, "VAKT_USER=", SLICE("anna"));
	REQUIRE(entry.len == 0);
	buf_fini(&out);
	buf_fini(&line);
	buf_fini(&value);
}

static void check_json(struct slice bytes)
{
	struct buf line = {0}, out = {0};
	struct slice entry;

	buf_put_slice(&line, SLICE("{\"time\":\"2026-12-01T12:00:00.000Z\",\"level\":\"error\","
	                           "\"client_id\":"));
	log_encode(&line, bytes, true);
	buf_put_slice(&line, SLICE("}\n"));
	log_journal_encode(buf_slice(&line), &out);
	entry = buf_slice(&out);
	expect_field(&entry, "MESSAGE=", slice_of(line.data, line.len - 1));
	expect_field(&entry, "SYSLOG_IDENTIFIER=", SLICE("broker"));
	expect_field(&entry, "PRIORITY=", SLICE("3"));
	REQUIRE(entry.len == 0);
	buf_fini(&out);
	buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_line(slice_of(data, size));
	check_value(slice_of(data, size));
	check_json(slice_of(data, size));
	return 0;
}
