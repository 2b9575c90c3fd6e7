/* The broker's life: bind, start the workers, run, stop.  Thread: main. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

struct config_snapshot;
struct tls_tickets;

/* Run until SIGTERM or SIGINT: threads, listeners, the stop in its order. Returns the exit status:
 * 0; 2 where a listener could not be had; 1 for what the machine refused. */
int server_run(struct config_snapshot *snapshot, struct tls_tickets *tickets);

#endif
