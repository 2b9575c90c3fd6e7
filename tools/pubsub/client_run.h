/* What the clients do alike: the loop, the connection and its end, signals, --wait, and a standard
 * output that somebody closed.  Thread: main. */
#ifndef PUBSUB_CLIENT_RUN_H
#define PUBSUB_CLIENT_RUN_H

#include "pubsub/client_scram.h"

struct client_run;

/* What a tool does at events; `tool` is the argument. */
struct client_hooks {
	/* CONNACK: the session of before is there, or not. */
	void (*on_open)(void *tool, bool session_present);
	bool (*on_message)(void *tool, const struct publish *message);
	void (*on_answer)(void *tool, const struct mqtt_answer *answer);
	/* Answers and messages of one turn are over. May be NULL. */
	void (*on_turn)(void *tool);
	/* Bytes that waited were written. May be NULL. */
	void (*on_drained)(void *tool);
	/* --wait has run out, or a signal asks to end: the exit status, and words if it is no
	 * success. */
	int (*on_deadline)(void *tool);
	int (*on_signal)(void *tool);
};

struct client_run {
	const struct client_options *options;
	const struct client_hooks *hooks;
	void *tool;
	uv_loop_t loop;
	struct mqtt_connection connection;
	struct mqtt_endpoint endpoint;
	struct mqtt_options mqtt;
	struct mqtt_connection_events events;
	struct client_scram scram;
	struct mqtt_tls *tls;
	uv_timer_t deadline, output_watch;
	uv_signal_t interrupt, terminate;
	int status;
	bool was_open, has_ended;
};

/* Before anything else: 0 or the exit status. */
int client_run_init(struct client_run *r, const struct client_options *options,
                    const struct client_hooks *hooks, void *tool);
/* Connect, and return when it is over: the exit status. The caller ends the process with it. */
int client_run_loop(struct client_run *r);
/* Say DISCONNECT and end with `status`. The first call counts. */
void client_run_end(struct client_run *r, int status);
/* The same without DISCONNECT, and nothing more is acknowledged. */
void client_run_abort(struct client_run *r, int status);
/* Flush standard output. False: it is broken, and the run ends: quietly with success where a reader
 * has closed its pipe. */
bool client_run_flush(struct client_run *r);
/* "what: Not authorized (0x87): words of the server". Returns the exit status for it. */
int client_run_report(enum reason reason, const struct properties *p, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Why a message was not taken. Returns the exit status for it. */
int client_run_report_result(enum mqtt_result result, const char *topic);
/* All output is written, also the last of it; then the process ends here. Libraries' threads may
 * wait for standard input for ever. */
_Noreturn void client_run_exit(int status);

#endif
