/* Each line where it belongs. */
#include "ctl/ctl_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "base/utf8.h"
#include "ctl/ctl_top.h"
#include "program/command_line.h"

void ctl_answer_init(struct ctl_answer *a, const struct ctl_options *o,
                     const struct ctl_command *command)
{
	REQUIRE(command->column_count > 0);
	*a = (struct ctl_answer){.options = o,
	                         .command = command,
	                         .table = {.columns = command->columns,
	                                   .column_count = command->column_count,
	                                   .hides_payload = !ctl_is_given(o, OPTION_payload)}};
}

void ctl_answer_fini(struct ctl_answer *a)
{
	ctl_table_fini(&a->table);
	buf_fini(&a->payload);
}

static bool is_shown(const struct json_member *m)
{
	return !slice_equal(m->name, SLICE("key")) && !slice_equal(m->name, SLICE("about"));
}

/* "uptime_s" becomes "uptime s". The caller frees. */
static char *words_of(struct slice name)
{
	char *words = slice_dup(name);

	for (char *c = words; (c = strchr(c, '_')) != NULL;)
		*c = ' ';
	return words;
}

/* "2026-12-01T03:00:00Z packet-received packet=PUBLISH topic=a": names of members, and values as
 * far as there are any. */
static void print_line(const struct json_object *line)
{
	struct buf out = {0};

	for (size_t i = 0; i < line->count; i++) {
		const struct json_member *m = &line->members[i];
		bool is_bare =
		    slice_equal(m->name, SLICE("time")) || slice_equal(m->name, SLICE("event"));

		if (slice_equal(m->name, SLICE("msg")) || slice_equal(m->name, SLICE("level")) ||
		    m->kind == JSON_NULL || (m->kind == JSON_TEXT && m->text.len == 0))
			continue;
		if (out.len > 0)
			buf_put_u8(&out, ' ');
		if (!is_bare)
			buf_printf(&out, "%.*s=", (int)m->name.len, (const char *)m->name.data);
		if (m->kind == JSON_TEXT)
			utf8_put_printable(&out, m->text);
		else if (m->kind == JSON_BOOL)
			buf_put_slice(&out, m->number != 0 ? SLICE("yes") : SLICE("no"));
		else
			buf_printf(&out, "%llu", (unsigned long long)m->number);
	}
	buf_put_u8(&out, '\n');
	fwrite(out.data, 1, out.len, stdout);
	(void)fflush(stdout);
	buf_fini(&out);
}

static void add_pairs(struct ctl_table *t, const struct json_object *line)
{
	for (size_t i = 0; i < line->count; i++) {
		char *name;

		if (!is_shown(&line->members[i]))
			continue;
		name = words_of(line->members[i].name);
		ctl_table_add_pair(t, name, &line->members[i]);
		free(name);
	}
}

/* "filter a/#, qos 1": what it has, in one line. */
static void put_summary(struct buf *out, const struct json_object *line)
{
	for (size_t i = 0; i < line->count; i++) {
		const struct json_member *m = &line->members[i];
		char *name;

		if (!is_shown(m) || m->kind == JSON_NULL ||
		    (m->kind == JSON_BOOL && m->number == 0))
			continue;
		name = words_of(m->name);
		buf_printf(out, "%s%s", out->len > 0 ? ", " : "", name);
		if (m->kind == JSON_NUMBER)
			buf_printf(out, " %llu", (unsigned long long)m->number);
		else if (m->kind == JSON_TEXT)
			buf_printf(out, " %.*s", (int)m->text.len, (const char *)m->text.data);
		free(name);
	}
}

/* Of several things the first one is told at length, each of the others in a line. */
static void add_about(struct ctl_answer *a, const struct json_object *line)
{
	struct slice about = json_text_of(line, "about");
	struct json_member value = {.kind = JSON_TEXT};
	struct buf summary = {0};
	char *name;

	a->table.no_titles = true;
	if (about.len == 0 || a->rows == 1) {
		add_pairs(&a->table, line);
		return;
	}
	name = slice_dup(about);
	put_summary(&summary, line);
	value.text = buf_slice(&summary);
	ctl_table_add_pair(&a->table, name, &value);
	buf_fini(&summary);
	free(name);
}

static void take_payload(struct ctl_answer *a, const struct json_object *line)
{
	const struct json_member *text = json_find(line, "payload");
	struct slice hex = json_text_of(line, "payload_hex");

	if (text != NULL)
		buf_put_slice(&a->payload, text->text);
	for (; hex.len >= 2; hex = slice_skip(hex, 2)) {
		char digits[3] = {(char)hex.data[0], (char)hex.data[1], '\0'};

		buf_put_u8(&a->payload, (uint8_t)strtoul(digits, NULL, 16));
	}
}

static void print_json(const struct ctl_answer *a, struct slice text)
{
	fwrite(text.data, 1, text.len, stdout);
	if (ctl_command_runs_on(a->command))
		(void)fflush(stdout);
}

/* A text of lines: as it is, for other programs. */
static void put_line(const struct json_object *line, const char *member)
{
	struct slice text = json_text_of(line, member);

	for (size_t i = 0; i < text.len; i++)
		putchar(text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i]);
	putchar('\n');
}

static void take_row(struct ctl_answer *a, const struct json_object *line, struct slice text)
{
	a->rows++;
	if (a->options->top != NULL)
		ctl_top_take(a->options->top, line, clock_monotonic_ms());
	else if (ctl_is_given(a->options, OPTION_raw))
		take_payload(a, line);
	else if (a->options->json)
		print_json(a, text);
	else if (ctl_command_runs_on(a->command))
		print_line(line);
	else if (a->command->columns[0].kind == COLUMN_LINE)
		put_line(line, a->command->columns[0].member);
	else if (ctl_command_has_pairs(a->command))
		add_about(a, line);
	else
		ctl_table_add(&a->table, line);
}

enum ctl_answer_state ctl_answer_take_line(struct ctl_answer *a, const char *text, size_t len)
{
	enum ctl_answer_state answer = ANSWER_GOES_ON;
	struct json_object line;
	struct slice error;

	if (len == 0 || text[len - 1] != '\n' || !json_parse(slice_of(text, len - 1), &line)) {
		(void)report_error(
		    0, "the answer is invalid: broker and broker-ctl may have different versions");
		return ANSWER_ERROR;
	}
	error = json_text_of(&line, "error");
	/* An event of the log may have an error, too, and is not the end. */
	if (error.len > 0 && json_find(&line, "event") == NULL) {
		(void)report_error(0, "%.*s", (int)error.len, (const char *)error.data);
		answer = ANSWER_ERROR;
	} else if (json_find(&line, "done") != NULL) {
		answer = ANSWER_DONE;
	} else {
		take_row(a, &line, slice_of(text, len));
	}
	json_fini(&line);
	return answer;
}

/* The one payload, or why there is not one. */
static int print_payload(const struct ctl_answer *a)
{
	const char *filter = a->options->argument;

	if (a->rows == 0)
		return report_error(EXIT_FAILED, "nothing is retained at '%s'", filter);
	if (a->rows > 1)
		return report_error(EXIT_FAILED,
		                    "'%s' matches %zu retained messages: --raw is for one", filter,
		                    a->rows);
	fwrite(a->payload.data, 1, a->payload.len, stdout);
	return 0;
}

static void print_table(const struct ctl_answer *a)
{
	struct buf out = {0};

	if (a->command->columns[0].kind == COLUMN_LINE)
		return;
	if (a->table.cell_count > 0 || !ctl_command_has_pairs(a->command))
		ctl_table_print(&a->table, &out);
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
}

int ctl_answer_print(const struct ctl_answer *a)
{
	if (a->options->top != NULL) {
		ctl_top_show(a->options->top, a->command->columns, a->command->column_count);
		return 0;
	}
	if (ctl_is_given(a->options, OPTION_raw))
		return print_payload(a);
	if (!a->options->json && !ctl_command_runs_on(a->command))
		print_table(a);
	if (!a->options->json && a->command->done != NULL)
		puts(a->command->done);
	return 0;
}
