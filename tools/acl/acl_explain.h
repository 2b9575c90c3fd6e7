/* The answer of `broker-acl explain` on standard output.  Thread: main. */
#ifndef ACL_ACL_EXPLAIN_H
#define ACL_ACL_EXPLAIN_H

#include "acl_context.h"

struct question {
	bool anonymous;
	const char *user;
	const char *client_id; /* NULL: not given */
	const char *topic;     /* as given, $share and all */
	struct acl_request request;
};

/* The exit status: 0 allow, EXIT_DENIED. */
int explain(const struct context *h, const struct question *q);

#endif
