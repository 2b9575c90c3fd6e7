/* What the requests of scripts have in common.  Thread: the worker's. */
#ifndef SCRIPT_SCRIPT_REQUEST_H
#define SCRIPT_SCRIPT_REQUEST_H

#include "http/http_types.h"
#include "proto/reason.h"

/* True: there is a fault, and it is answered. `x` may be gone. */
bool script_request_fails(struct http_exchange *x, struct http_fault fault);
/* May the user do that? Where not, the rule in words is in *why. */
bool script_request_is_allowed(const struct http_exchange *x, const struct acl_request *request,
                               struct buf *why);

/* How HTTP says what MQTT says. */
unsigned script_request_status(enum reason reason);
/* The answer for a reason of MQTT; for 200, too. `cause` may be empty. */
void script_request_answer(struct http_exchange *x, enum reason reason, struct slice cause);
/* 429: the request may come again in so long. */
void script_request_too_early(struct http_exchange *x, uint64_t wait_ms);
/* For a page of an origin that is listed (CORS): headers, at most 3; how many. */
size_t script_request_cors(const struct http_exchange *x, struct http_header headers[3]);

/* Keys of the routes. */
const struct conf_strings *script_request_origins(const struct conf_listener *l);

#endif
