/* One timer of the worker for all of them: it compares the clock with the soonest end, and only
 * when that has come all connections are looked at, some in each turn, and those whose certificate
 * has ended are closed as after a revocation. */
#include "client/certificate_end.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/require.h"
#include "client/admission.h"
#include "client/client_list.h"
#include "session/session_user.h"

/* The wall clock may be set at any time. */
#define LOOK_MS 5000
#define SOON_S  ((int64_t)30 * 86400)
/* What a turn may cost: as for admission.c. */
#define TURN_COST  1000
#define COST_CLOSE 50

static int64_t now_s(void)
{
	return clock_wall_ms() / 1000;
}

/* At the soonest end, and before, because the clock may be set. */
static void look_later(struct worker *w)
{
	struct certificate_ends *ends = &w->clients->certificate_ends;
	int64_t left_ms = (ends->soonest_s + 1) * 1000 - clock_wall_ms();

	REQUIRE(ends->soonest_s != 0);
	executor_timer_arm(&w->executor, &ends->timer,
	                   left_ms > 0 && left_ms < LOOK_MS ? (uint64_t)left_ms : LOOK_MS);
}

static void on_look(struct timer *timer, void *executor_arg)
{
	struct worker *w = executor_arg;
	struct certificate_ends *ends = &w->clients->certificate_ends;

	(void)timer;
	if (ends->soonest_s == 0)
		return;
	/* mutant: certificate_ends_while_connected */
	if (now_s() > ends->soonest_s && !ends->is_walking) {
		ends->is_walking = true;
		ends->next = w->clients->conns;
		ends->found_s = 0;
	}
	look_later(w);
}

static void note(int64_t *soonest_s, int64_t until_s)
{
	if (*soonest_s == 0 || until_s < *soonest_s)
		*soonest_s = until_s;
}

static void log_soon(struct conn *c, int64_t until_s)
{
	struct worker *w = c->link.worker;
	int64_t left_s = until_s - now_s();
	char peer[STREAM_PEER_TEXT], date[CLOCK_TEXT_MAX], words[CLOCK_TEXT_MAX];
	struct buf certificate = {0};
	uint32_t suppressed;

	/* mutant: certificate_near_its_end_is_logged */
	if (left_s >= SOON_S || !log_limit_pass(EVENT_CONNECTED_CERTIFICATE_EXPIRES,
	                                        &w->clients->certificate_ends.log_limit,
	                                        w->executor.now_ms, 10000, 50, &suppressed))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	stream_certificate_subject(c->link.stream, &certificate);
	LOG(CONNECTED_CERTIFICATE_EXPIRES, .client_id = session_client_id(c->link.session),
	    .user = session_user(c->link.session), .peer = peer,
	    .certificate = buf_slice(&certificate), .not_after = clock_text(until_s * 1000, date),
	    .left = clock_duration(left_s, words), .suppressed = suppressed);
	buf_fini(&certificate);
}

void certificate_end_watch(struct conn *c)
{
	struct worker *w = c->link.worker;
	struct certificate_ends *ends = &w->clients->certificate_ends;
	int64_t until_s = stream_certificate_until(c->link.stream);

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->link.session != NULL);
	if (until_s == 0)
		return;
	note(&ends->soonest_s, until_s);
	note(&ends->found_s, until_s);
	ends->timer.fire = on_look;
	if (!timer_is_armed(&ends->timer))
		look_later(w);
	if (!c->is_inside)
		log_soon(c, until_s);
}

static unsigned review(struct conn *c, int64_t now, int64_t *found_s)
{
	int64_t until_s = c->state == CONN_ACCEPTED ? stream_certificate_until(c->link.stream) : 0;

	if (until_s == 0)
		return 1;
	if (now <= until_s) {
		note(found_s, until_s);
		return 1;
	}
	if (c->refusal == REFUSED_NOT) {
		c->refusal = REFUSED_CERTIFICATE;
		c->refused_why = "the client's certificate has expired";
	}
	admission_close(c);
	return COST_CLOSE;
}

bool certificate_end_turn(struct worker *w)
{
	struct certificate_ends *ends = &w->clients->certificate_ends;
	unsigned spent = 0;
	int64_t now;

	REQUIRE_EXECUTOR(&w->executor);
	if (!ends->is_walking)
		return false;
	now = now_s();
	while (ends->next != NULL && spent < TURN_COST && !w->stopping) {
		struct conn *c = ends->next;

		ends->next = c->next;
		spent += review(c, now, &ends->found_s);
	}
	if (ends->next != NULL && !w->stopping)
		return true;
	ends->is_walking = false;
	ends->next = NULL;
	ends->soonest_s = ends->found_s;
	return false;
}

void certificate_end_forget(struct conn *c)
{
	struct certificate_ends *ends = &c->link.worker->clients->certificate_ends;

	REQUIRE_OWNER(&c->link);
	if (ends->next == c)
		ends->next = c->next;
}
