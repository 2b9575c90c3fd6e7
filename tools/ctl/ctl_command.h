/* The commands and their options, as broker-ctl knows them: from admin/control/commands.def.  Pure.
 */
#ifndef CTL_CTL_COMMAND_H
#define CTL_CTL_COMMAND_H

#include "base/bytes.h"
#include "ctl/ctl_table.h"

enum ctl_option {
#define OPTION(id, ...) OPTION_##id,
#include "admin/control/commands.def"
	OPTION_COUNT
};

enum ctl_command_id {
#define COMMAND(id, ...) COMMAND_##id,
#include "admin/control/commands.def"
	COMMAND_COUNT
};

struct ctl_command {
	const char *name;
	const char *member; /* that its argument becomes; NULL: it has none */
	const char *word;   /* that argument in the usage */
	const char *what;   /* that argument must be */
	unsigned options;   /* 1 << enum ctl_option */
	const char *summary;
	const struct column *columns;
	size_t column_count;
	const char *done; /* printed at the end; NULL: nothing */
};

struct ctl_option_row {
	const char *name, *word, *member, *text;
};

extern const struct ctl_command ctl_commands[COMMAND_COUNT];
extern const struct ctl_option_row ctl_option_rows[OPTION_COUNT];

struct ctl_top;

/* What is asked. */
struct ctl_options {
	const struct ctl_command *command;
	const char *config;
	const char *socket;
	const char *argument;             /* as given */
	unsigned given;                   /* 1 << enum ctl_option */
	const char *values[OPTION_COUNT]; /* as given */
	bool json;
	struct ctl_top *top; /* the answer is shown again and again; NULL: once */
	bool escaped;
	/* What is sent. */
	struct buf sent_argument;
	struct buf sent_values[OPTION_COUNT];
};

static inline bool ctl_is_given(const struct ctl_options *o, size_t option)
{
	return (o->given & 1U << option) != 0;
}

/* Are the lines of its answer shown as pairs of name and value? */
bool ctl_command_has_pairs(const struct ctl_command *command);
/* Does its answer run on, and is shown line by line? */
bool ctl_command_runs_on(const struct ctl_command *command);
/* Append "kick and delete-session": who takes this option. `last`: between the last two. */
void ctl_command_put_takers(struct buf *out, size_t option, const char *last);
/* The same without the name of the command, for a control topic, which has it. */
void ctl_command_put_members(struct buf *line, const struct ctl_options *o,
                             const struct ctl_command *command);
/* Append the request: a line of JSON. */
void ctl_command_put_request(struct buf *line, const struct ctl_options *o,
                             const struct ctl_command *command);

#endif
