/* Its listener, and its processes, which end with this one. */
#include "null_sink.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/require.h"
#include "null_sink_serve.h"
#include "null_sink_tls.h"
#include "program/command_line.h"

enum { BACKLOG = 4096 };

/* An address of the same kind as the broker's, that the kernel picks. -1, and errno. */
static int listen_like(const struct link_settings *broker, struct link_settings *own)
{
	bool is_unix = broker->address.ss_family == AF_UNIX;
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	own->address = (struct sockaddr_storage){.ss_family = AF_UNIX};
	own->address_bytes = is_unix ? sizeof(sa_family_t) : sizeof(in4);
	if (!is_unix)
		memcpy(&own->address, &in4, sizeof(in4));
	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&own->address, own->address_bytes) == 0) {
		own->address_bytes = sizeof(own->address);
		if (listen(fd, BACKLOG) == 0 &&
		    getsockname(fd, (struct sockaddr *)&own->address, &own->address_bytes) == 0)
			return fd;
	}
	(void)close(fd);
	return -1;
}

/* False: it cannot be started. */
static bool start_process(struct null_sink *s, int listener, SSL_CTX *tls)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
			_exit(EXIT_FAILURE);
		null_sink_serve(listener, tls);
	}
	if (pid > 0)
		s->pids[s->count++] = pid;
	return pid > 0;
}

static void set_settings(struct link_settings *own, const struct link_settings *broker)
{
	*own = *broker;
	own->host = "localhost";
	own->source = own->websocket = NULL;
	own->tls = (struct mqtt_tls_options){
	    .ciphers = broker->tls.ciphers,
	    .groups = broker->tls.groups,
	    .insecure = true, /* its certificate is of its own making */
	    .tls_1_2 = broker->tls.tls_1_2,
	    .has_tickets = broker->tls.has_tickets,
	};
}

int null_sink_start(struct null_sink *s, const struct link_settings *broker, unsigned processes,
                    struct link_settings *own)
{
	SSL_CTX *tls = broker->has_tls ? null_sink_tls_new() : NULL;
	int listener, error = 0;

	REQUIRE(processes > 0 && s->pids == NULL);
	set_settings(own, broker);
	listener = listen_like(broker, own);
	if (listener < 0)
		error = errno;
	s->pids = xcalloc(processes, sizeof(*s->pids));
	while (error == 0 && s->count < processes && (tls != NULL || !broker->has_tls)) {
		if (!start_process(s, listener, tls))
			error = errno;
	}
	if (listener >= 0)
		(void)close(listener);
	SSL_CTX_free(tls);
	if (error == 0 && s->count == processes)
		return 0;
	null_sink_stop(s);
	return report_error(EXIT_FAILED, "the null sink cannot be started: %s",
	                    error != 0 ? strerror(error) : "OpenSSL makes no certificate for it");
}

void null_sink_stop(struct null_sink *s)
{
	for (unsigned i = 0; i < s->count; i++)
		(void)kill(s->pids[i], SIGKILL);
	for (unsigned i = 0; i < s->count; i++) {
		while (waitpid(s->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(s->pids);
	*s = (struct null_sink){0};
}
