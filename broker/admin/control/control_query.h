/* Commands, and the path of a query through the executors: what the files that answer share, and
 * what those do that pass requests on (control_socket.h: broker-ctl on this machine;
 * control_remote.h: MQTT clients).
 *
 * A query is a task that goes from main to the executor that answers, which adds lines and sends it
 * back; main gives them to the sink, and sends it again while there is more and the reader keeps
 * up.  Nobody waits.  Who has the task owns everything in it but `sink`, which is main's. */
#ifndef ADMIN_CONTROL_QUERY_H
#define ADMIN_CONTROL_QUERY_H

#include "base/json.h"
#include "conf/errors.h"
#include "worker/shared.h"

struct control_query;
struct control_remote;
struct control_sink;

/* An answer of so many bytes is sent before more is added. */
#define QUERY_SLICE_BYTES ((size_t)65536)

/* --- what answers --- */

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
	struct control_sink *sink; /* NULL: nobody waits for the answer any more */
	const struct control_command *command;
	struct json_object request;
	bool is_local;         /* asked on the control socket: by root or the broker's user */
	struct worker *worker; /* who is asked; NULL: main */
	unsigned next_worker;
	struct buf out;
	const char *error;
	bool more;
	bool commits; /* its answer waits until the worker's records are stored */
	bool travels; /* main does not have it */
	bool waits;   /* for the reader */
	/* An answer that runs on: with `more`, ask again after so long (0: at once). The function
	 * sets it each time. What it collects meanwhile is bounded by itself. */
	uint64_t again_ms;
	struct timer again_timer;
	/* Of the function that answers. */
	uint64_t *ids;
	size_t id_count, id_cap, id_at;
	struct retain_cursor *cursor;
	void *state;
	void (*free_state)(void *state);
	/* The state belongs to the executor that answers (not with QUERY_WORKERS): it is freed
	 * there, also when the reader has gone. */
	bool state_stays;
};

/* --- who asks.  Thread: main's --- */

struct control_sink_ops {
	/* Some whole lines of the answer; borrowed. */
	void (*write)(struct control_sink *sink, struct slice lines);
	/* Does the reader have to take what was written first? Then control_query_go_on follows. */
	bool (*is_full)(struct control_sink *sink);
	/* The answer is complete, or ended with an error (NULL: none). The query has gone. */
	void (*finish)(struct control_sink *sink, const char *error);
};

/* Embedded in what passes requests on. */
struct control_sink {
	const struct control_sink_ops *ops;
	struct control_query *query; /* under way; else NULL */
};

/* Who it is, for the log. */
struct control_asker {
	const char *peer;
	struct slice user, client_id; /* of an MQTT client; empty on the control socket */
	bool is_local;
};

/* What `command` answers to this request goes to the sink, beginning inside this call perhaps.
 * Takes what *request owns. NULL, or what is wrong with the request: then nothing happened. */
const char *control_query_start(struct control *c, struct control_sink *sink,
                                const struct control_asker *asker, struct slice command,
                                struct json_object *request);
/* The reader has taken what made the sink full. Without effect where nothing waits for it. */
void control_query_go_on(struct control_sink *sink);
/* Nobody waits for the answer any more; `finish` does not follow. What was begun is done. */
void control_query_leave(struct control_sink *sink);

/* NULL: there is no command of this name. Any thread. */
const struct control_command *control_query_find(struct slice name);
/* The last line of an answer; error NULL: it is complete. */
void control_query_put_end(struct buf *out, const char *error);

/* --- main's --- */

/* "user changed", "anna", "locked": borrowed. */
typedef void control_change_fn(void *to, const char *what, const char *name, const char *detail);

struct control_hooks {
	void *arg;
	const struct config_snapshot *(*snapshot)(void *arg); /* the one in force, borrowed */
	bool (*accept_new_ids)(void *arg); /* false: nothing is set aside. NULL: not available */
	bool (*reload)(void *arg); /* false: refused; the log says why. NULL: not available */
	/* Each change that a reload would make, to `change`. False: there are errors. NULL: not
	 * available. */
	bool (*preview)(void *arg, control_change_fn *change, void *to, struct errors *errors);
};

struct control {
	struct executor *executor;
	struct shared *shared;
	struct control_hooks hooks;
	uint64_t started_ms;
	/* Requests of MQTT clients (control_remote.h); utlist DL. */
	struct control_remote *remotes;
	bool stopped; /* no more of those */
};

void control_query_init(struct control *c, struct executor *executor, struct shared *shared,
                        const struct control_hooks *hooks);

/* The functions of the commands. */
#define COMMAND(id, name, scope, access, function, ...) query_report_fn function;
#include "admin/control/commands.def"

#endif
