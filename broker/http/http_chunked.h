/* Answers whose length is not known when they begin.  Thread: the worker's. */
#ifndef HTTP_HTTP_CHUNKED_H
#define HTTP_HTTP_CHUNKED_H

#include "http/http_types.h"

/* In place of http_exchange_answer: the head. */
void http_chunked_begin(struct http_exchange *x, const struct http_answer *head);
/* What is written leaves at the end of the turn. Nothing bounds it but the handler, who looks at
 * the backlog and holds back or drops. */
void http_chunked_write(struct http_exchange *x, struct slice bytes);
size_t http_chunked_backlog(const struct http_exchange *x);
/* `x` may be freed after it. */
void http_chunked_end(struct http_exchange *x);
/* The connection has it no more at hand: what was written in this turn goes out. For
 * http_server.c. */
void http_chunked_flush(struct http_exchange *x);

#endif
