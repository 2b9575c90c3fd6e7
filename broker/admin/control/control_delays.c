/* Whose logins are delayed, because their password is guessed from an address; and the end of it.
 * Thread: main's. */
#include "admin/control/control_query.h"

static void put_delay(void *arg, const struct login_delay *delay)
{
	struct buf *out = arg;

	json_open(out);
	if (delay->user.len == 0)
		json_str(out, "user", NULL);
	else
		json_text(out, "user", delay->user);
	json_text(out, "address", delay->address);
	json_number(out, "wrong_passwords", delay->wrong);
	json_number(out, "delay_s", delay->delay_ms / 1000);
	json_number(out, "waiting", delay->waiting);
	json_close(out);
}

bool control_delays_report(struct control_query *q)
{
	struct authenticator *a = q->control->shared->authenticator;

	if (a != NULL)
		authenticator_visit_delays(a, put_delay, &q->out);
	return false;
}

bool control_delays_forgive(struct control_query *q)
{
	struct authenticator *a = q->control->shared->authenticator;

	/* mutant: control_forgives */
	if (a == NULL || authenticator_forgive(a, json_text_of(&q->request, "user"),
	                                       json_text_of(&q->request, "address")) == 0)
		q->error = "no logins of this user are delayed there; see 'broker-ctl delays'";
	return false;
}
