/* See plan.h. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "chance.h"

static const char *const kind_names[STEP_KINDS] = {
    [STEP_CONNECT] = "connects",
    [STEP_TAKE_OVER] = "connects over the old connection",
    [STEP_HANG_UP] = "connects and hangs up",
    [STEP_DROP] = "breaks",
    [STEP_FINISH] = "closes without DISCONNECT",
    [STEP_LEAVE] = "leaves",
    [STEP_LEAVE_WITH_WILL] = "leaves with will",
    [STEP_LEAVE_EXPIRY] = "leaves, session expiry",
    [STEP_SUBSCRIBE] = "subscribes",
    [STEP_SHARE] = "joins",
    [STEP_UNSUBSCRIBE] = "unsubscribes",
    [STEP_PUBLISH] = "publishes",
    [STEP_PING] = "pings",
    [STEP_REAUTHENTICATE] = "authenticates again",
    [STEP_STALL] = "stops or begins to read",
    [STEP_SLOW] = "acknowledges late, or not any more",
    [STEP_CATCH_UP] = "acknowledges",
    [STEP_ILLEGAL] = "breaks the rules",
    [STEP_RELOAD] = "other rules",
    [STEP_RELOAD_USERS] = "other rules and users",
    [STEP_ADVANCE] = "time goes on",
    [STEP_PAUSE] = "the process stands still",
    [STEP_FREEZE] = "some threads stand still",
    [STEP_QUIET] = "quiet",
    [STEP_CATCH_UP_ALL] = "everybody reads and acknowledges",
    [STEP_CRASH] = "the broker crashes",
    [STEP_STOP] = "the broker is stopped and started",
    [STEP_DISK_FULL] = "the disk is full for a while",
    [STEP_LOW_SPACE] = "the store has no space for more until it is quiet",
};

/* How often: of connected clients, of others, and of the world itself. */
static const uint8_t weights_up[STEP_KINDS] = {
    [STEP_TAKE_OVER] = 2,
    [STEP_DROP] = 4,
    [STEP_FINISH] = 1,
    [STEP_LEAVE] = 2,
    [STEP_LEAVE_WITH_WILL] = 1,
    [STEP_LEAVE_EXPIRY] = 1,
    [STEP_SUBSCRIBE] = 12,
    [STEP_SHARE] = 4,
    [STEP_UNSUBSCRIBE] = 4,
    [STEP_PUBLISH] = 40,
    [STEP_PING] = 1,
    [STEP_REAUTHENTICATE] = 3,
    [STEP_STALL] = 2,
    [STEP_SLOW] = 2,
    [STEP_CATCH_UP] = 4,
    [STEP_ILLEGAL] = 1,
};
static const uint8_t weights_away[STEP_KINDS] = {
    [STEP_CONNECT] = 30,
    [STEP_HANG_UP] = 1,
};
static const uint8_t weights_world[STEP_KINDS] = {
    [STEP_RELOAD] = 4, [STEP_RELOAD_USERS] = 2, [STEP_ADVANCE] = 10,     [STEP_PAUSE] = 3,
    [STEP_FREEZE] = 8, [STEP_QUIET] = 30,       [STEP_CATCH_UP_ALL] = 5,
};
static const uint8_t weights_crashes[STEP_KINDS] = {
    [STEP_CRASH] = 3,
    [STEP_STOP] = 1,
    [STEP_DISK_FULL] = 1,
    [STEP_LOW_SPACE] = 2,
};

static enum step_kind draw_kind(uint64_t *chance, const uint8_t *a, const uint8_t *b)
{
	unsigned sum = 0, at, kind = 0;

	for (unsigned i = 0; i < STEP_KINDS; i++)
		sum += a[i] + (b == NULL ? 0u : b[i]);
	at = (unsigned)chance_below(chance, sum);
	while (at >= a[kind] + (b == NULL ? 0u : b[kind])) {
		at -= a[kind] + (b == NULL ? 0u : b[kind]);
		kind++;
	}
	return (enum step_kind)kind;
}

#define DAY_MS      86400000u
#define DRAW(below) chance_below(chance, (below))

static uint32_t draw_of(uint64_t *chance, const uint32_t *choices, unsigned count)
{
	return choices[DRAW(count)];
}

static void draw_connect(uint64_t *chance, struct step *s)
{
	static const uint32_t expiries[] = {0, 0, 5, 60, 100000, UINT32_MAX};
	static const uint32_t delays[] = {0, 0, 3, 20, 1000};
	static const uint32_t alive[] = {0, 0, 0, 10, 60};

	s->keep = DRAW(3) != 0;
	s->bad_password = DRAW(30) == 0;
	s->enhanced = DRAW(3) == 0;
	s->bad_method = DRAW(20) == 0;
	s->bad_proof = DRAW(5) == 0;
	s->session_expiry_s = draw_of(chance, expiries, 6);
	s->keep_alive_s = (uint16_t)draw_of(chance, alive, 5);
	s->receive_maximum = (uint16_t)(DRAW(3) == 0 ? 1 + DRAW(3) : 0);
	s->will = DRAW(3) == 0;
	s->will_qos = (uint8_t)DRAW(3);
	s->will_retain = DRAW(3) == 0;
	s->will_topic = (uint8_t)DRAW(TOPIC_NAMES);
	s->will_delay_s = draw_of(chance, delays, 5);
	s->alias_maximum = (uint16_t)(DRAW(2) == 0 ? 1 + DRAW(4) : 0);
}

static void draw_subscribe(uint64_t *chance, struct step *s)
{
	s->filter_count = (uint8_t)(DRAW(3) == 0 ? 1 + DRAW(STEP_FILTERS) : 1);
	for (unsigned i = 0; i < s->filter_count; i++) {
		s->filters[i] = (uint8_t)DRAW(FILTER_NAMES);
		s->filter_qos[i] = (uint8_t)DRAW(3);
		for (unsigned k = 0; k < i; k++) {
			if (s->filters[k] == s->filters[i])
				s->filter_count = (uint8_t)i;
		}
	}
	s->share = (uint8_t)DRAW(SHARE_NAMES);
	s->handling = (uint8_t)(DRAW(2) == 0 ? 0 : DRAW(3));
	s->no_local = DRAW(4) == 0;
	s->as_published = DRAW(3) == 0;
	s->id = (uint16_t)(DRAW(2) == 0 ? 0 : 1 + DRAW(4));
}

static void draw_publish(uint64_t *chance, struct step *s)
{
	static const uint32_t expiries[] = {0, 0, 0, 1, 8, 200};

	s->topic = (uint8_t)DRAW(TOPIC_NAMES);
	s->qos = (uint8_t)DRAW(3);
	s->count = (uint8_t)(DRAW(4) == 0 ? 1 + DRAW(5) : 1);
	s->retain = DRAW(3) == 0;
	s->empty = s->retain && DRAW(5) == 0;
	s->large = DRAW(20) == 0;
	s->expiry_s = draw_of(chance, expiries, 6);
	s->illegal = (uint8_t)DRAW(ILLEGAL_KINDS);
	s->extras = DRAW(3) == 0 ? (uint32_t)chance_next(chance) : 0;
	s->alias = (uint16_t)(DRAW(3) == 0 ? 1 + DRAW(3) : 0);
}

static void draw_step(uint64_t *chance, struct step *s)
{
	static const uint32_t jumps_ms[] = {100, 1000, 4000, 9000, 30000, 120000};
	static const uint32_t turns[] = {0, 0, 3, 20, 60};

	draw_connect(chance, s);
	draw_subscribe(chance, s);
	draw_publish(chance, s);
	s->ms = DRAW(50) == 0 ? DAY_MS + 1 : draw_of(chance, jumps_ms, 6);
	s->workers = (uint8_t)(DRAW(2) == 0 ? 1 + DRAW(4) : 0);
	s->other_users = DRAW(3) == 0;
	s->turns = draw_of(chance, turns, 5);
	s->seed = chance_next(chance);
}

static bool is_worlds(enum step_kind kind)
{
	return kind >= STEP_RELOAD;
}

/* Roughly: which actors should be connected by now. */
static bool stays_up(enum step_kind kind)
{
	return kind == STEP_CONNECT || kind == STEP_TAKE_OVER || kind == STEP_SUBSCRIBE ||
	       kind == STEP_SHARE || kind == STEP_UNSUBSCRIBE || kind == STEP_PUBLISH ||
	       kind == STEP_PING || kind == STEP_REAUTHENTICATE || kind == STEP_STALL ||
	       kind == STEP_SLOW || kind == STEP_CATCH_UP;
}

/* What a SUBSCRIBE or PUBLISH has begun ends soon. */
static bool crashes_soon(uint64_t *chance, struct step *before, struct step *s)
{
	if ((before->kind != STEP_SUBSCRIBE || DRAW(20) != 0) &&
	    (before->kind != STEP_PUBLISH || DRAW(100) != 0))
		return false;
	before->turns = 0;
	s->soon = (uint8_t)(1 + DRAW(6));
	return true;
}

static void draw_steps(uint64_t *chance, struct plan *plan, bool crashes)
{
	bool up[256] = {0};

	for (size_t i = 0; i < plan->count; i++) {
		struct step *s = &plan->steps[i];

		s->who = (uint8_t)DRAW(plan->actors);
		draw_step(chance, s);
		if (crashes && i > 0 && crashes_soon(chance, s - 1, s))
			s->kind = STEP_CRASH;
		else if (DRAW(6) == 0)
			s->kind =
			    draw_kind(chance, weights_world, crashes ? weights_crashes : NULL);
		else
			s->kind = draw_kind(chance, up[s->who] ? weights_up : weights_away, NULL);
		if (s->kind == STEP_CRASH || s->kind == STEP_STOP)
			memset(up, 0, sizeof(up));
		else if (!is_worlds(s->kind))
			up[s->who] = stays_up(s->kind);
	}
}

struct plan plan_draw(uint64_t seed, size_t count, bool crashes)
{
	static const uint8_t sizes[] = {2, 3, 4, 6, 8, 12, 20, 50};
	static const uint8_t workers[] = {1, 2, 3, 4};
	static const uint8_t durabilities[] = {DURABILITY_ACK, DURABILITY_INTERVAL,
	                                       DURABILITY_INTERVAL, DURABILITY_NONE};
	uint64_t state = seed, *chance = &state;
	struct plan plan = {.seed = seed, .count = count};

	plan.actors = sizes[DRAW(8)];
	plan.workers = workers[DRAW(4)];
	crashes = crashes && seed % 4 != 0;
	plan.journal = crashes ? JOURNAL_DISK : (enum journal_choice)DRAW(2);
	plan.v3 = (uint32_t)(chance_next(chance) & chance_next(chance));
	for (unsigned i = 0; plan.journal == JOURNAL_DISK && seed % 2 == 0 && i < ROOTS; i++)
		plan.durability[i] = durabilities[DRAW(4)];
	plan.steps = xcalloc(count, sizeof(*plan.steps));
	draw_steps(chance, &plan, crashes);
	return plan;
}

void plan_free(struct plan *plan)
{
	free(plan->steps);
}

/* --- the story --- */

const char *step_name(enum step_kind kind)
{
	return kind_names[kind];
}

const char *plan_durability_name(enum conf_durability durability)
{
	static const char *const names[] = {[DURABILITY_ACK] = "ack",
	                                    [DURABILITY_INTERVAL] = "interval",
	                                    [DURABILITY_NONE] = "none"};

	return names[durability];
}

static void print_connect(FILE *out, const struct step *s)
{
	fprintf(out, ", %s, session expiry %u s", s->keep ? "keeps the session" : "clean start",
	        s->session_expiry_s);
	if (s->receive_maximum != 0)
		fprintf(out, ", receive maximum %u", s->receive_maximum);
	if (s->keep_alive_s != 0)
		fprintf(out, ", keep alive %u s", s->keep_alive_s);
	if (s->bad_password)
		fprintf(out, ", wrong password");
	if (s->enhanced)
		fprintf(out, ", %s", s->bad_method ? "with a method that is none" : "with SCRAM");
	if (s->alias_maximum != 0)
		fprintf(out, ", topic alias maximum %u", s->alias_maximum);
	if (s->will)
		fprintf(out, ", will to %s QoS %u%s delay %u s expiry %u s",
		        topic_names[s->will_topic], s->will_qos, s->will_retain ? " retained" : "",
		        s->will_delay_s, s->expiry_s);
}

static void print_filters(FILE *out, const struct step *s)
{
	for (unsigned i = 0; i < s->filter_count; i++)
		fprintf(out, " %s (QoS %u)", filter_names[s->filters[i]], s->filter_qos[i]);
	fprintf(out, ", retain handling %u, id %u%s%s", s->handling, s->id,
	        s->no_local ? ", no local" : "", s->as_published ? ", retain as published" : "");
}

static void print_publish(FILE *out, const struct step *s)
{
	fprintf(out, " %u x %s QoS %u%s%s%s", s->count, topic_names[s->topic], s->qos,
	        s->retain ? " retained" : "", s->empty ? " empty" : "", s->large ? " large" : "");
	if (s->expiry_s != 0)
		fprintf(out, " expiry %u s", s->expiry_s);
	if (s->alias != 0)
		fprintf(out, " alias %u", s->alias);
	if (s->extras != 0)
		fprintf(out, " with properties");
}

void step_print(FILE *out, const struct step *s)
{
	if (!is_worlds(s->kind))
		fprintf(out, "%s/c%u ", user_names[s->who % USERS], s->who / USERS);
	fprintf(out, "%s", kind_names[s->kind]);
	if (s->kind == STEP_CONNECT || s->kind == STEP_TAKE_OVER || s->kind == STEP_HANG_UP)
		print_connect(out, s);
	else if (s->kind == STEP_SUBSCRIBE || s->kind == STEP_UNSUBSCRIBE)
		print_filters(out, s);
	else if (s->kind == STEP_SHARE)
		fprintf(out, " %s QoS %u", share_names[s->share], s->filter_qos[0]);
	else if (s->kind == STEP_PUBLISH)
		print_publish(out, s);
	else if (s->kind == STEP_REAUTHENTICATE && s->bad_proof)
		fprintf(out, " with a wrong proof");
	else if (s->kind == STEP_LEAVE_EXPIRY)
		fprintf(out, " %u s", s->session_expiry_s);
	else if (s->kind == STEP_ADVANCE || s->kind == STEP_PAUSE)
		fprintf(out, " %u ms", s->ms);
	else if (s->kind == STEP_ILLEGAL)
		fprintf(out, " (%u)", s->illegal);
	if (s->soon > 0)
		fprintf(out, " %u events later", s->soon);
	if (s->kind >= STEP_CRASH && s->workers != 0)
		fprintf(out, ", then %u workers", s->workers);
	if (s->kind >= STEP_CRASH && s->other_users)
		fprintf(out, ", and other users");
	fprintf(out, "; %u turns\n", s->turns);
}

void plan_print(FILE *out, const struct plan *plan)
{
	static const char *const journals[] = {"memory", "held", "disk"};

	fprintf(out, "seed %llu: %u workers, %u actors, %s journal, %zu steps\n",
	        (unsigned long long)plan->seed, plan->workers, plan->actors,
	        journals[plan->journal], plan->count);
	for (unsigned i = 0; i < ROOTS; i++) {
		if (plan->durability[i] != DURABILITY_ACK)
			fprintf(out, "durability of %s/#: %s\n", root_names[i],
			        plan_durability_name(plan->durability[i]));
	}
	for (size_t i = 0; i < plan->count; i++) {
		fprintf(out, "%4zu  ", i + 1);
		step_print(out, &plan->steps[i]);
	}
}
