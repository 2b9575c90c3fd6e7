/* What the command line says to a command of broker-passwd(1). */
#ifndef PASSWD_PASSWD_COMMAND_H
#define PASSWD_PASSWD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct passwd_command;

enum passwd_option_bit {
	OPTION_CREATE = 1 << 0,
	OPTION_ROLE = 1 << 1,
	OPTION_NO_PASSWORD = 1 << 2,
	OPTION_STDIN = 1 << 3,
	OPTION_GENERATE = 1 << 4,
	OPTION_METHOD = 1 << 5,
	OPTION_SCRAM = 1 << 6,
	OPTION_ITERATIONS = 1 << 7,
	OPTION_DRY_RUN = 1 << 8,
	OPTION_SOCKET = 1 << 9,
	OPTION_YES = 1 << 10,
	OPTION_ASSUMED = 1 << 11,
	OPTION_CERTIFICATE = 1 << 12,
	OPTION_PIN = 1 << 13,
	OPTION_ALL = 1 << 14,
};
#define OPTIONS_PASSWORD                                                                           \
	(OPTION_STDIN | OPTION_GENERATE | OPTION_METHOD | OPTION_SCRAM | OPTION_ITERATIONS)

/* A key on the command line: a certificate that has it, or its pin. */
struct passwd_key {
	const char *text;
	bool is_file;
};

struct passwd_options {
	const char *path;
	const struct passwd_command *command;
	const char *user;
	const char *socket, *config; /* of the broker */
	unsigned options;            /* given */
	char **roles;
	size_t role_count;
	struct passwd_key *keys;
	size_t key_count;
	const char *method;
	uint32_t iterations;
};

#endif
