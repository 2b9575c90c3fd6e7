/* The command line of broker-pub, broker-sub and broker-rr: options of their own, of all clients
 * (client_options.h), of those that publish one payload, and of those that write messages to
 * standard output.  Thread: main. */
#ifndef PUBSUB_CLIENT_COMMAND_H
#define PUBSUB_CLIENT_COMMAND_H

#include "options/client_options.h"
#include "pubsub/message_output.h"
#include "pubsub/payload_source.h"

/* The first member of a tool's own options. */
struct message_options {
	struct client_options client; /* first */
	uint8_t qos;
	bool retain;
	struct payload_source source;
	struct message_output output;
	uint64_t count; /* 0: not given */
};

struct client_command {
	const char *program;
	void (*print_usage)(FILE *to);
	/* Its own options, for a struct that begins with message_options. */
	const struct command_option *options;
	size_t option_count;
	/* It has the options of those who publish one payload, of those who write messages. */
	bool publishes, prints;
	/* There are no arguments: "filters are given with -t". */
	const char *instead_of_arguments;
};

/* First of all; *command is there to the end of the process. */
void client_command_start(const struct client_command *command);
/* Read the command line into `o` (its tool's struct). -1: go on. */
int client_command_read(struct message_options *o, int argc, char **argv);

#endif
