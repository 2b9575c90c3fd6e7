/* Which pages may make a browser send this request? A browser names the page's origin, or says how
 * it relates to ours; programs say nothing.  Pure.  Thread: any. */
#ifndef HTTP_HTTP_ORIGIN_H
#define HTTP_HTTP_ORIGIN_H

#include "conf/conf.h"
#include "http/http_request.h"

/* `allowed`: items are "same", "any", or an origin. NULL: it may be sent; else the cause. */
const char *http_origin_refused(const struct http_request *r, const struct conf_strings *allowed);
/* The same, and Sec-Fetch-Site counts too: for what takes credentials that a browser sends by
 * itself, and is no WebSocket. */
const char *http_origin_refused_fetch(const struct http_request *r,
                                      const struct conf_strings *allowed);

#endif
