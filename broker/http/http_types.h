/* A route, a request with its answer, and what an answer consists of.  Thread: the worker's. */
#ifndef HTTP_HTTP_TYPES_H
#define HTTP_HTTP_TYPES_H

#include "auth/identity.h"
#include "http/http_request.h"
#include "net/stream.h"
#include "worker/worker.h"

struct http_exchange;

/* --- routes --- */

struct http_route {
	/* It exists where the listener serves this (enum conf_service). */
	unsigned service;
	/* enum http_request_method bits; HEAD comes with GET. */
	unsigned methods;
	/* Where: the path that the listener has for it. */
	const char *(*path)(const struct conf_listener *l);
	/* And all paths below it: /publish and /publish/x. */
	bool below;
	/* Somebody must log in first (http_login_start); a refusal is answered by it. */
	bool needs_login;
	/* 403, before the login, for what a page of another origin makes a browser send, unless
	 * these list the origin (as websocket.origins). NULL: anybody may ask. */
	const struct conf_strings *(*origins)(const struct conf_listener *l);
	/* Bytes that a body may have; NULL: none. */
	size_t (*body_max)(const struct conf_listener *l);
	/* The request is whole. It has to be answered, now or later. */
	void (*handle)(struct http_exchange *x);
};

/* --- a request and its answer --- */

struct http_exchange_events {
	/* What was written has left, or half of it (as stream_events.on_drained). May be NULL. */
	void (*on_drained)(struct http_exchange *x);
	/* The last call: the answer is complete, or the connection ended before. Whatever
	 * `state` holds is freed here. May be NULL. */
	void (*on_end)(struct http_exchange *x);
};

struct http_exchange {
	struct worker *worker;
	const struct http_route *route;
	/* Valid until the answer is complete; the body, too. */
	struct http_request request;
	/* For stream_peer_text, stream_has_certificate, stream_tls_version, stream_listener, ... */
	struct stream *stream;
	/* Who is logged in; NULL: nobody. */
	struct identity *identity;
	/* The handler's own, set by it in `handle`. */
	void *state;
	const struct http_exchange_events *events;
};

struct http_header {
	struct slice name, value;
};

struct http_answer {
	unsigned status;
	/* NULL: no body. */
	const char *content_type;
	struct slice body;
	/* Further headers, borrowed for the call. Security headers, Date, Content-Length,
	 * Cache-Control: no-store are added. */
	const struct http_header *headers;
	size_t header_count;
	/* Why, for the log: where the status is 400 or more. NULL: the words of the status. */
	const char *cause;
};

#endif
