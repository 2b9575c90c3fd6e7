/* How what serves requests over HTTPS answers them: at once, or later; http_chunked.h for answers
 * without an end.  The connection, its limits, deadlines and headers are http_conn.c's.  Thread:
 * the worker's that accepted the connection; it does not move. */
#ifndef HTTP_HTTP_EXCHANGE_H
#define HTTP_HTTP_EXCHANGE_H

#include "http/http_types.h"

/* The listener; NULL: a reload removed it. */
const struct conf_listener *http_exchange_listener(const struct http_exchange *x);

/* The whole answer, once. `x` may be freed after it. */
void http_exchange_answer(struct http_exchange *x, const struct http_answer *answer);
/* {"status":"...","cause":"..."}: the usual answer for 400 and above. */
void http_exchange_refuse(struct http_exchange *x, unsigned status, const char *cause);

/* A line for an answer that needs none in the log but to find faults. */
void http_exchange_log(struct http_exchange *x, unsigned status);

#endif
