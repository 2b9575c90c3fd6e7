/* The login of a request.  Thread: the worker's. */
#ifndef HTTP_HTTP_LOGIN_H
#define HTTP_HTTP_LOGIN_H

#include "http/http_types.h"

/* Who sent it, by client certificate or Basic authentication (a user name needs its password), as
 * for a CONNECT: same guess limits, same time for every failure. No credentials: anonymous, where
 * the listener permits it. `done` comes once, perhaps from inside the call: x->identity is set. A
 * refusal is answered (401, 403, 429, 503) and `done` does not come. */
typedef void http_login_fn(struct http_exchange *x);
void http_login_start(struct http_exchange *x, http_login_fn *done);
/* The token of "Authorization: Bearer TOKEN"; empty: none. */
struct slice http_login_bearer_token(const struct http_exchange *x);
/* The login under way, if there is one, is of no interest any more. */
void http_login_forget(struct http_exchange *x);
/* Would the configuration in force still let this connection and its user in? Costs a comparison
 * while the configuration is the same. False: write nothing more; it is being closed, on_end comes.
 * A reload looks at all of them by itself. */
bool http_login_is_admitted(struct http_exchange *x);

#endif
