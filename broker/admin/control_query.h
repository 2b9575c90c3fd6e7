/* The inside of the control socket, for the files that answer its commands.
 *
 * A query goes from home to home as a task: main sends it to the executor that is to tell
 * something, which adds lines and sends it back; main writes them, and sends it out again while
 * there is more to tell and the reader keeps up.  Nobody waits.  Whoever holds the task owns
 * everything but `conn`, which is main's. */
#ifndef ADMIN_CONTROL_QUERY_H
#define ADMIN_CONTROL_QUERY_H

#include "admin/control_socket.h"
#include "base/json.h"
#include "worker/shared.h"

struct control_conn;
struct query;
struct usage;

/* Lines told at a time: enough when there are so many bytes of them. */
#define QUERY_SLICE_BYTES ((size_t)65536)

/* Add lines for some more of what is to be told; true: there is more. */
typedef bool query_report_fn(struct query *q);

enum query_scope {
	QUERY_MAIN,    /* main answers */
	QUERY_WORKERS, /* each worker */
	QUERY_OWNER,   /* the owner of the client that "id" names */
};

struct command {
	const char *name;
	const char *members[2]; /* besides "command"; the first is needed where there is one */
	enum query_scope scope;
	bool changes; /* something: it is logged */
	query_report_fn *report;
};

struct query {
	struct task task;
	struct control *control;
	struct control_conn *conn; /* NULL: it has gone */
	const struct command *command;
	struct json_object request;
	struct worker *worker; /* who is asked; NULL: main */
	unsigned next_worker;
	struct buf out;
	const char *error;
	bool more;
	bool travels; /* out of main's hands */
	bool waits;   /* for the reader */
	/* what is to be told by the one who is asked */
	uint64_t *ids;
	size_t id_count, id_cap, id_at;
	struct retain_cursor *cursor;
	struct usage *usage;
};

struct control {
	struct loop *loop;
	struct executor *executor;
	struct shared *shared;
	struct control_hooks hooks;
	struct conf_listener address;
	struct listener *listener;
	struct control_conn *conns; /* utlist DL */
	unsigned conn_count;
	uint64_t started_ms;
};

/* The functions of the commands. */
#define COMMAND(name, scope, access, function, ...) query_report_fn function;
#include "admin/commands.def"
#undef COMMAND

void control_usage_free(struct usage *u);

#endif
