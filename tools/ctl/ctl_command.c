/* Tables from the rows, and a request from what is asked. */
#include "ctl/ctl_command.h"

#include "base/array.h"
#include "base/json.h"

#define COLUMN(member, title, kind) {member, title, COLUMN_##kind},
#define PAIRS                       COLUMN("", "", TEXT) COLUMN("", "", TEXT)
#define LINES                       COLUMN("", "", TEXT)
#define COMMAND(id, name, scope, access, function, argument, word, what, options, done, summary,   \
                columns, manual)                                                                   \
	static const struct column id##_columns[] = {columns};
#include "admin/control/commands.def"

#define TAKES(id)  (1U << OPTION_##id)
#define NO_OPTIONS 0U
const struct ctl_command ctl_commands[COMMAND_COUNT] = {
#define COMMAND(id, name, scope, access, function, argument, word, what, options, done, summary,   \
                columns, manual)                                                                   \
	{name, argument, word, what, options, summary, id##_columns, ARRAY_LEN(id##_columns), done},
#include "admin/control/commands.def"
};

const struct ctl_option_row ctl_option_rows[OPTION_COUNT] = {
#define OPTION(id, name, word, member, text) {name, word, member, text},
#include "admin/control/commands.def"
};

bool ctl_command_has_pairs(const struct ctl_command *command)
{
	return command->columns[0].member[0] == '\0' && command->column_count == 2;
}

bool ctl_command_runs_on(const struct ctl_command *command)
{
	return command->columns[0].member[0] == '\0' && command->column_count == 1;
}

void ctl_command_put_takers(struct buf *out, size_t option, const char *last)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		count += (ctl_commands[i].options >> option) & 1U;
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if ((ctl_commands[i].options & 1U << option) == 0)
			continue;
		buf_printf(out, "%s%s",
		           at == 0           ? ""
		           : at + 1 == count ? last
		                             : ", ",
		           ctl_commands[i].name);
		at++;
	}
}

static void put_members(struct buf *line, const struct ctl_options *o,
                        const struct ctl_command *command)
{
	if (command->member != NULL)
		json_text(line, command->member, buf_slice(&o->sent_argument));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *member = ctl_option_rows[i].member;

		if (member == NULL || (command->options & 1U << i) == 0)
			continue;
		if (ctl_is_given(o, i))
			json_text(line, member, buf_slice(&o->sent_values[i]));
		else if (i == OPTION_payload && ctl_is_given(o, OPTION_raw))
			json_str(line, member, "");
	}
}

void ctl_command_put_request(struct buf *line, const struct ctl_options *o,
                             const struct ctl_command *command)
{
	json_open(line);
	json_str(line, "command", command->name);
	put_members(line, o, command);
	json_close(line);
}

void ctl_command_put_members(struct buf *line, const struct ctl_options *o,
                             const struct ctl_command *command)
{
	json_open(line);
	put_members(line, o, command);
	json_close(line);
}
