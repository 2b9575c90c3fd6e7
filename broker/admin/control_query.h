/* What the files that answer commands share.
 *
 * A query is a task that goes from main to the executor that answers, which adds lines and sends it
 * back; main writes them, and sends it again while there is more and the reader keeps up.  Nobody
 * waits.  Who has the task owns everything in it but `conn`, which is main's. */
#ifndef ADMIN_CONTROL_QUERY_H
#define ADMIN_CONTROL_QUERY_H

#include "base/json.h"
#include "worker/shared.h"

struct control_conn;
struct control_query;

/* An answer of so many bytes is sent before more is added. */
#define QUERY_SLICE_BYTES ((size_t)65536)

/* Add some more lines of the answer; true: there is more. */
typedef bool query_report_fn(struct control_query *q);

enum query_scope {
	QUERY_MAIN,       /* main answers */
	QUERY_ONE_WORKER, /* a worker, any */
	QUERY_WORKERS,    /* each worker */
	QUERY_OWNER,      /* the owner of the client that "id" names */
};

struct control_command {
	const char *name;
	const char *argument; /* member that is needed; NULL: none */
	unsigned options;     /* 1 << enum control_option */
	enum query_scope scope;
	bool changes; /* something: it is logged */
	query_report_fn *report;
};

struct control_query {
	struct task task;
	struct control *control;
	struct control_conn *conn; /* NULL: it has gone */
	const struct control_command *command;
	struct json_object request;
	struct worker *worker; /* who is asked; NULL: main */
	unsigned next_worker;
	struct buf out;
	const char *error;
	bool more;
	bool commits; /* its answer waits until the worker's records are stored */
	bool travels; /* main does not have it */
	bool waits;   /* for the reader */
	/* Of the function that answers. */
	uint64_t *ids;
	size_t id_count, id_cap, id_at;
	struct retain_cursor *cursor;
	void *state;
	void (*free_state)(void *state);
};

struct control_hooks {
	void *arg;
	const struct config_snapshot *(*snapshot)(void *arg); /* the one in force, borrowed */
	bool (*accept_new_ids)(void *arg); /* false: nothing is set aside. NULL: not available */
	bool (*reload)(void *arg); /* false: refused; the log says why. NULL: not available */
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
#define COMMAND(id, name, scope, access, function, ...) query_report_fn function;
#include "admin/commands.def"

#endif
