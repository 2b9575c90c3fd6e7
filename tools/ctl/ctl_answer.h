/* The answer of the broker: lines of JSON, shown as they are, as a table, or as one payload.  Where
 * they come from is its caller's.  Thread: main. */
#ifndef CTL_CTL_ANSWER_H
#define CTL_CTL_ANSWER_H

#include "base/json.h"
#include "ctl/ctl_command.h"

enum ctl_answer_state {
	ANSWER_GOES_ON,
	ANSWER_DONE,
	ANSWER_ERROR, /* it was printed */
};

struct ctl_answer {
	const struct ctl_options *options;
	const struct ctl_command *command;
	struct ctl_table table;
	size_t rows;
	struct buf payload; /* with --raw */
};

void ctl_answer_init(struct ctl_answer *a, const struct ctl_options *o,
                     const struct ctl_command *command);
void ctl_answer_fini(struct ctl_answer *a);
/* A line, newline included. */
enum ctl_answer_state ctl_answer_take_line(struct ctl_answer *a, const char *text, size_t len);
/* Once it is complete. Returns the exit status. */
int ctl_answer_print(const struct ctl_answer *a);

#endif
