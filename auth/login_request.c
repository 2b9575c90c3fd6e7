/* The decision first; where it needs the source, the source is asked. */
#include "auth/login_request.h"

#include "base/container.h"
#include "base/require.h"

static void take_answer(struct login_request *r)
{
	REQUIRE(r->verdict == LOGIN_NEEDS_PROOF && r->source != NULL);
	r->refuse_at_ms = r->check.refuse_at_ms;
	identity_source_unref(&r->source);
	if (r->check.is_refused_busy) {
		r->verdict = LOGIN_BUSY;
		r->why = LOGIN_BUSY_CAUSE;
	} else if (r->check.accepted && r->candidate != NULL) {
		r->verdict = LOGIN_ACCEPTED;
		r->identity = r->candidate;
		r->candidate = NULL;
	} else {
		r->verdict = LOGIN_BAD_CREDENTIALS; /* `why` is what login_decide expected */
	}
}

static void on_checked(struct identity_check *check)
{
	struct login_request *r = container_of(check, struct login_request, check);

	take_answer(r);
	r->done(r);
}

bool login_request_start(struct login_request *r, const struct login *login,
                         struct authenticator *a)
{
	struct identity *who;

	REQUIRE(r->source == NULL && r->candidate == NULL && r->identity == NULL);
	r->refuse_at_ms = 0;
	r->method = login_method(login);
	r->verdict = login_decide(login, &who, &r->why);
	if (r->verdict != LOGIN_NEEDS_PROOF) {
		r->identity = who;
		return true;
	}
	r->candidate = who;
	r->authenticator = a;
	r->source = identity_source_ref(login->source);
	r->check = (struct identity_check){
	    .executor = r->executor,
	    .done = on_checked,
	    .address = r->address,
	    .user = login_user(login),
	    .password = login->password,
	    .is_nobody = who == NULL,
	    .has_session = login->has_session,
	};
	if (!identity_source_check(r->source, a, &r->check))
		return false;
	take_answer(r);
	return true;
}

void login_request_cancel(struct login_request *r)
{
	REQUIRE(r->source != NULL);
	identity_source_cancel(r->source, r->authenticator, &r->check);
}

void login_request_fini(struct login_request *r)
{
	REQUIRE(r->source == NULL); /* it has its answer */
	identity_unref(&r->identity);
	identity_unref(&r->candidate);
}
