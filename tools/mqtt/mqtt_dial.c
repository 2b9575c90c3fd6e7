/* getaddrinfo in libuv's pool, and sockets that connect. */
#include "mqtt/mqtt_dial.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define PORT_TEXT 8

struct mqtt_attempt *mqtt_attempt_new(struct mqtt_connection *c)
{
	struct mqtt_attempt *a = xnew(a);

	a->c = c;
	return a;
}

struct buf *mqtt_attempt_words(struct mqtt_connection *c)
{
	if (c->attempt == NULL)
		c->attempt = mqtt_attempt_new(c);
	return &c->attempt->words;
}

void mqtt_attempt_free(struct mqtt_attempt *a)
{
	if (a == NULL)
		return;
	a->c = NULL;
	if (a->looks_up) {
		(void)uv_cancel((uv_req_t *)&a->lookup);
		return;
	}
	if (a->list != NULL)
		freeaddrinfo(a->list);
	buf_fini(&a->problem.words);
	buf_fini(&a->words);
	free(a);
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct mqtt_attempt *a = request->data;

	REQUIRE(a->looks_up && a->list == NULL);
	a->looks_up = false;
	a->list = a->next = list;
	if (a->c == NULL)
		mqtt_attempt_free(a);
	else
		a->looked_up(a->c, status);
}

void mqtt_attempt_lookup(struct mqtt_attempt *a, mqtt_lookup_fn *done)
{
	const struct mqtt_endpoint *e = a->c->endpoint;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	char port[PORT_TEXT];
	int rc;

	REQUIRE(!a->looks_up && a->list == NULL && (e->host != NULL || e->socket_path != NULL));
	(void)snprintf(port, sizeof(port), "%u", e->port);
	if (e->socket_path != NULL || getaddrinfo(e->host, port, &hints, &a->list) == 0) {
		a->next = a->list;
		done(a->c, 0);
		return;
	}
	a->list = NULL;
	hints.ai_flags = AI_ADDRCONFIG;
	a->lookup.data = a;
	a->looked_up = done;
	rc = uv_getaddrinfo(a->c->socket.loop, &a->lookup, on_lookup, e->host, port, &hints);
	a->looks_up = rc == 0;
	if (rc != 0)
		done(a->c, rc);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un address;
	struct mqtt_target target = {.address = (const struct sockaddr *)&address,
	                             .address_bytes = sizeof(address)};

	return mqtt_target_unix(path, &address) ? mqtt_transport_dial(&target) : -ENAMETOOLONG;
}

static int connect_tcp(const struct addrinfo *to, const char *source)
{
	return mqtt_transport_dial(&(struct mqtt_target){
	    .address = to->ai_addr, .address_bytes = to->ai_addrlen, .source = source});
}

int mqtt_attempt_dial(struct mqtt_attempt *a)
{
	const struct mqtt_endpoint *e = a->c->endpoint;

	REQUIRE(!a->looks_up);
	if (e->socket_path != NULL)
		return connect_unix(e->socket_path);
	while (a->next != NULL) {
		int fd = connect_tcp(a->next, e->source);

		a->next = a->next->ai_next;
		if (fd >= 0)
			return fd;
		a->last_error = -fd;
	}
	return a->last_error == 0 ? -EADDRNOTAVAIL : -a->last_error;
}

bool mqtt_attempt_has_next(const struct mqtt_attempt *a)
{
	return a->next != NULL;
}

/* ---- words ---- */

static const char *remedy_of(int error, bool is_unix)
{
	switch (error) {
	case ECONNREFUSED:
		return is_unix
		           ? ": the socket is there, and no broker listens on it: is it running?"
		           : ": nothing listens there: is the broker running, and is it this port?";
	case ENOENT:
		return ": there is no such socket: is the broker running, and is it this path?";
	case EACCES:
	case EPERM:
		return is_unix ? ": this user may not use the socket: see its mode and group" : "";
	case ETIMEDOUT:
		return ": no answer: is the host on, and does a firewall let the port through?";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return ": there is no way to that address: is it the right network?";
	case EAGAIN:
		return ": too many connections wait there";
	default:
		return "";
	}
}

void mqtt_dial_describe(const struct mqtt_endpoint *e, int error, struct buf *out)
{
	REQUIRE(e->host != NULL || e->socket_path != NULL);
	if (e->socket_path != NULL)
		buf_printf(out, "cannot connect to %s: %s%s", e->socket_path, strerror(error),
		           remedy_of(error, true));
	else
		buf_printf(out, "cannot connect to %s port %u: %s%s", e->host, e->port,
		           strerror(error), remedy_of(error, false));
}

void mqtt_dial_describe_lookup(const struct mqtt_endpoint *e, int status, struct buf *out)
{
	buf_printf(out, "cannot find the host %s: %s%s", e->host, uv_strerror(status),
	           status == UV_EAI_NONAME || status == UV_EAI_NODATA
	               ? ": is the name spelled right?"
	               : "");
}
