/* The request goes out, the answer comes line by line. */
#include "ctl/ctl_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ctl/ctl_answer.h"
#include "ctl/ctl_socket.h"
#include "program/command_line.h"

static bool send_request(int fd, const struct ctl_options *o, const struct ctl_command *command)
{
	struct buf line = {0};
	struct slice left;

	ctl_command_put_request(&line, o, command);
	left = buf_slice(&line);
	while (left.len > 0) {
		ssize_t n = send(fd, left.data, left.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		left = slice_skip(left, n < 0 ? 0 : (size_t)n);
	}
	buf_fini(&line);
	return left.len == 0;
}

static enum ctl_answer_state read_answer(struct ctl_answer *a, FILE *in)
{
	enum ctl_answer_state answer = ANSWER_GOES_ON;
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	while (answer == ANSWER_GOES_ON && (len = getline(&text, &cap, in)) >= 0)
		answer = ctl_answer_take_line(a, text, (size_t)len);
	free(text);
	if (answer == ANSWER_GOES_ON)
		(void)report_error(
		    0, "the broker closed the connection before its answer was complete");
	return answer;
}

int ctl_ask(const struct ctl_options *o, const struct ctl_command *command, const char *path,
            size_t *rows)
{
	int status = EXIT_FAILED, fd = ctl_socket_connect(path, &status);
	const struct timeval forever = {.tv_sec = 0};
	struct ctl_answer a;
	enum ctl_answer_state answer = ANSWER_ERROR;
	FILE *in;

	if (fd < 0)
		return status;
	ctl_answer_init(&a, o, command);
	if (ctl_command_runs_on(command)) /* it may be silent for long */
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	if (!send_request(fd, o, command))
		(void)report_error(0, "cannot write to the broker: %s", strerror(errno));
	in = fdopen(fd, "r");
	if (in == NULL) {
		close(fd);
	} else {
		answer = read_answer(&a, in);
		(void)fclose(in);
	}
	status = answer == ANSWER_DONE ? ctl_answer_print(&a) : EXIT_FAILED;
	if (rows != NULL)
		*rows = a.rows;
	ctl_answer_fini(&a);
	return status;
}
