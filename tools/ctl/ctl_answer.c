/* Each line where it belongs. */
#include "ctl/ctl_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"
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

static void take_row(struct ctl_answer *a, const struct json_object *line, struct slice text)
{
	a->rows++;
	if (ctl_is_given(a->options, OPTION_raw))
		take_payload(a, line);
	else if (a->options->json)
		fwrite(text.data, 1, text.len, stdout);
	else if (ctl_command_has_pairs(a->command))
		add_pairs(&a->table, line);
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
	if (error.len > 0) {
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

	if (a->table.cell_count > 0 || !ctl_command_has_pairs(a->command))
		ctl_table_print(&a->table, &out);
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
}

int ctl_answer_print(const struct ctl_answer *a)
{
	if (ctl_is_given(a->options, OPTION_raw))
		return print_payload(a);
	if (!a->options->json)
		print_table(a);
	if (!a->options->json && a->command->done != NULL)
		puts(a->command->done);
	return 0;
}
