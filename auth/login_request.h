/* A login from a client's credentials or certificate to an identity or a refusal.  The answer may
 * come later.  Thread: that of the executor. */
#ifndef AUTH_LOGIN_REQUEST_H
#define AUTH_LOGIN_REQUEST_H

#include "auth/identity_backend.h"
#include "auth/login.h"

struct login_request;
typedef void login_done_fn(struct login_request *request);

/* Lives in an object of the caller's that stays until the answer. */
struct login_request {
	/* Set by the caller. The address is text that names the source of the connection,
	 * borrowed until start returns. */
	struct executor *executor;
	login_done_fn *done;
	struct slice address;

	/* Known from the start. */
	enum login_method method;
	/* The answer: never LOGIN_NEEDS_PROOF. */
	enum login_verdict verdict;
	struct identity *identity; /* NULL unless LOGIN_ACCEPTED; the caller may take it */
	const char *why;           /* as login_decide */
	/* When a refusal is to be reported, also one that the caller finds although the source
	 * accepted. 0: at once. */
	uint64_t refuse_at_ms;

	/* Private. */
	struct identity_source *source;
	struct authenticator *authenticator;
	struct identity *candidate;
	struct identity_check check;
};

/* True: answered at once, `done` is not called. False: it is called later, always exactly once. */
bool login_request_start(struct login_request *r, const struct login *login,
                         struct authenticator *a);
/* The client has gone. `done` still follows. */
void login_request_cancel(struct login_request *r);
void login_request_fini(struct login_request *r);

#endif
