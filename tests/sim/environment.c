/* See environment.h. */
#include "environment.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "chance.h"

#define INTERVALS_ENOUGH 125
#define TURNS_ENOUGH     500

/* --- quiet --- */

static bool has_keep_alive(const struct actor *p)
{
	return p->link == LINK_UP && !p->must_close && p->options.keep_alive_s > 0;
}

static void ping(struct environment *t, struct actor *p)
{
	t->coverage->sent[PACKET_PINGREQ]++;
	p->asked++;
	client_ping(p->client);
}

/* Clients that have a keep alive ping, in different milliseconds. */
static void ping_apart(struct environment *t)
{
	struct actor *p;

	for (p = t->model.actors; p < t->model.actors + t->model.actors_count; p++) {
		if (!has_keep_alive(p))
			continue;
		t->world->now_ms++;
		model_time(&t->model);
		if (has_keep_alive(p)) /* still */
			ping(t, p);
		environment_settle(t);
	}
}

/* There is space again: the broker sees it within a second. */
static bool make_space(struct environment *t)
{
	struct world *w = t->world;

	if (w->image == NULL || !store_image_is_bound(w->image))
		return false;
	store_image_bound(w->image, 0, 0);
	t->space_since = t->model.tick;
	COVER(&t->model, STORE_LOW_SPACE);
	if (world_has_deferred(w))
		COVER(&t->model, STORE_DEFERRED);
	model_note_packets(&t->model);
	w->now_ms += 1000;
	model_time(&t->model);
	return true;
}

void environment_settle(struct environment *t)
{
	bool low;

	t->world->frozen = 0;
	world_run(t->world);
	low = make_space(t);
	world_run(t->world);
	if (model_ends_skipped(&t->model))
		world_run(t->world);
	model_quiet(&t->model);
	if (t->model.committed > t->space_since) /* the broker looked, too */
		t->model.low = false;
	if (low) /* the broker may not have read some of them meanwhile: that does not count */
		ping_apart(t);
}

void environment_catch_up(struct environment *t)
{
	for (unsigned i = 0; i < t->model.actors_count; i++) {
		struct client *c = t->model.actors[i].client;

		if (c->stalled && c->wire != NULL)
			client_stall(c, false);
		c->slow = false;
		client_catch_up(c, c->unacked_count);
	}
	environment_settle(t);
}

/* A new client that subscribes to everything. */
void environment_probe(struct environment *t)
{
	struct client *c = t->probe;
	size_t kept = 0;

	client_subscribe(c, "#", 0);
	world_run(t->world);
	client_unsubscribe(c, "#");
	world_run(t->world);
	for (size_t i = 0; i < c->received_count; i++) {
		if (c->received[i].retain)
			kept++;
	}
	if (kept != c->received_count)
		model_fail(&t->model, "a newcomer got %zu live at a quiet moment",
		           c->received_count - kept);
	model_retained(&t->model, c->received, c->received_count);
	client_forget(c);
}

/* --- the world's --- */

static void on_reloaded(void *arg)
{
	struct environment *t = arg;

	t->reloading = false;
	model_end_policy(&t->model);
}

/* For the world, now or at its next start. */
static void publish_rules(struct environment *t, const struct rules *rules, bool at_start)
{
	char *acl = rules_acl(rules), *users = rules_users(rules);
	struct world_settings texts = t->world->texts;

	texts.conf = rules->no_anonymous ? t->conf_named : t->conf;
	texts.acl = acl;
	texts.users = users;
	t->rules = *rules;
	model_begin_policy(&t->model, rules);
	if (at_start)
		world_prepare(t->world, &texts);
	else
		world_reload(t->world, &texts, on_reloaded, t);
	free(acl);
	free(users);
}

static void reload(struct environment *t, const struct rules *rules)
{
	COVER(&t->model, RELOADS);
	t->reloading = true;
	publish_rules(t, rules, false);
}

void environment_reload(struct environment *t, const struct step *s)
{
	struct rules rules = t->rules;

	if (t->reloading)
		return;
	rules_draw(&rules, s->seed, false);
	reload(t, &rules);
}

/* A login is in progress: it is checked against the users from before the reload or against the
 * new ones, and must satisfy those in force at the end. A client that is accepted only now
 * disconnects. */
static void reauthorize_login(struct actor *p)
{
	if (p->refusal == 0) {
		model_login_is_unauthorized(p);
		return;
	}
	client_drop(p->client);
	model_hangs_up(p);
}

static void reauthorize(struct environment *t, const struct rules *before)
{
	for (unsigned i = 0; i < t->model.actors_count; i++) {
		struct actor *p = &t->model.actors[i];
		bool stays = rules_keep_user(before, &t->rules, p->user);

		if (p->link == LINK_UP && !stays)
			model_is_unauthorized(p);
		else if (p->link == LINK_CALLING && (!stays || p->refusal != 0))
			reauthorize_login(p);
	}
}

/* Its last packets are in flight: the model cannot know whether they arrived. */
static bool is_leaving(const struct environment *t)
{
	for (unsigned i = 0; i < t->model.actors_count; i++) {
		if (t->model.actors[i].leaving)
			return true;
	}
	return false;
}

/* The model cannot know which user it logged in as. */
static bool meets_namesake(const struct environment *t, const struct rules *next)
{
	for (unsigned i = 0; i < t->model.actors_count; i++) {
		const struct actor *p = &t->model.actors[i];

		if (p->link == LINK_CALLING && rules_is_namesake(&t->rules, next, p->user))
			return true;
	}
	return false;
}

void environment_reload_users(struct environment *t, const struct step *s)
{
	struct rules before, rules;

	before = rules = t->rules;
	rules_draw(&rules, s->seed, true);
	if (t->reloading || s->count > 1 || is_leaving(t) || meets_namesake(t, &rules))
		environment_settle(t);
	reload(t, &rules);
	reauthorize(t, &before);
	model_begin_users(&t->model, &before);
	environment_settle(t);
	model_users(&t->model, &before);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* After some intervals without events the journal has nothing to write either. */
static uint64_t next_due(struct environment *t, unsigned *intervals)
{
	uint64_t due = sooner(world_next_timer(t->world), model_next_due(&t->model));
	uint64_t interval = world_next_due(t->world);

	if (due <= interval || *intervals == INTERVALS_ENOUGH) {
		*intervals = 0;
		return due;
	}
	(*intervals)++;
	return interval;
}

void environment_advance(struct environment *t, const struct step *s)
{
	struct world *w = t->world;
	uint64_t until = w->now_ms + s->ms;
	unsigned intervals = 0;

	environment_settle(t);
	while (w->now_ms < until) {
		uint64_t due;

		if (model_is_due_together(&t->model))
			ping_apart(t);
		due = next_due(t, &intervals);
		w->now_ms = due > w->now_ms && due < until ? due : until;
		model_time(&t->model);
		environment_settle(t);
	}
}

#define PAUSE_MAX_MS 30000

/* Clients that have a keep alive ping meanwhile, which keeps them connected, and again after it. */
void environment_pause(struct environment *t, const struct step *s)
{
	struct actor *p;

	environment_settle(t);
	for (p = t->model.actors; p < t->model.actors + t->model.actors_count; p++) {
		if (has_keep_alive(p))
			ping(t, p);
	}
	COVER(&t->model, PAUSED);
	world_stop_threads(t->world, s->ms < PAUSE_MAX_MS ? s->ms : PAUSE_MAX_MS);
	model_pause(&t->model);
	world_resume_threads(t->world);
	environment_settle(t);
	ping_apart(t);
}

void environment_freeze(struct environment *t, const struct step *s)
{
	t->world->frozen = (unsigned)(s->seed >> 8) & (unsigned)(s->seed >> 16) & 15u;
}

void environment_quiet(struct environment *t, const struct step *s)
{
	environment_settle(t);
	if (s->count > 1)
		environment_probe(t);
}

void environment_catch_up_all(struct environment *t, const struct step *s)
{
	(void)s;
	environment_catch_up(t);
	environment_probe(t);
}

/* --- crashes and stops --- */

void environment_join_probe(struct environment *t)
{
	const struct connect_options options = {
	    .user = "probe", .password = "probe", .topic_alias_maximum = ALIASES_MAX};

	client_join(t->probe, &options);
}

/* With another number of workers, and other users in the file. */
static void prepare(struct environment *t, const struct step *s)
{
	struct rules rules = t->rules;

	if (s->workers != 0 && s->workers != t->world->workers) {
		COVER(&t->model, WORKERS);
		t->world->next_workers = s->workers;
	}
	if (!s->other_users)
		return;
	COVER(&t->model, OTHER_USERS);
	rules_draw(&rules, s->seed, true);
	publish_rules(t, &rules, true);
	model_end_policy(&t->model);
}

static void crash(struct environment *t, const struct step *s)
{
	uint64_t crashed_ms = t->world->now_ms;
	struct rules before = t->rules;

	prepare(t, s);
	world_crash(t->world);
	model_crash(&t->model, crashed_ms, false);
	model_users(&t->model, &before);
	environment_join_probe(t);
	environment_settle(t);
}

/* Until so many more packets were sent or received. */
static void await_events(struct environment *t, unsigned count)
{
	uint64_t until = t->model.tick + count;

	for (unsigned i = 0; i < TURNS_ENOUGH && t->model.tick < until; i++)
		world_steps(t->world, 1);
}

void environment_crash(struct environment *t, const struct step *s)
{
	if (t->reloading || is_leaving(t))
		environment_settle(t);
	await_events(t, s->soon);
	crash(t, s);
	if (s->count > 1)
		environment_probe(t);
}

/* From this start on the machine's clock is right, or shows 1970, or the far future: nothing is
 * older or younger for it.  D5 */
static void draw_clock(struct environment *t, uint64_t chance)
{
	static const int64_t wrong_ms[] = {0, 100000 - WORLD_WALL_MS, 315360000000};

	t->world->next_clock_wrong_ms = wrong_ms[chance_below(&chance, 3)];
	if (t->world->next_clock_wrong_ms != t->world->clock_wrong_ms)
		COVER(&t->model, CLOCK_WRONG);
}

/* Nothing is lost. */
void environment_stop(struct environment *t, const struct step *s)
{
	struct rules before = t->rules;
	uint64_t stopped_ms;

	environment_settle(t);
	stopped_ms = t->world->now_ms;
	prepare(t, s);
	draw_clock(t, s->seed);
	world_restart(t->world);
	for (unsigned i = 0; i < t->model.actors_count; i++)
		client_drop(t->model.actors[i].client);
	model_crash(&t->model, stopped_ms, true);
	model_users(&t->model, &before);
	environment_join_probe(t);
	environment_settle(t);
	environment_probe(t);
}

static void publish_all(struct environment *t, const struct step *s)
{
	struct step each = *s;

	each.count = 1;
	for (unsigned i = 0; i < t->model.actors_count; i++) {
		each.who = (uint8_t)i;
		each.topic = (uint8_t)((s->topic + i) % TOPIC_NAMES);
		each.qos = (uint8_t)((s->qos + i) % 3);
		actors_publish(t, &each);
	}
}

/* Every second it is tried again; in the end there is space. */
static void outlast(struct environment *t, unsigned seconds)
{
	for (unsigned i = 0; i <= seconds + 2; i++) {
		if (i == seconds)
			store_image_fail(t->world->image, 0, 0);
		model_note_packets(&t->model);
		t->world->now_ms += 1000;
		model_time(&t->model);
		world_run(t->world);
	}
	environment_settle(t);
}

/* Nothing is acknowledged that is not stored: a crash now loses nothing that was promised. D7 */
void environment_disk_full(struct environment *t, const struct step *s)
{
	bool fails = s->illegal % 4 == 0;

	environment_settle(t);
	store_image_fail(t->world->image, s->count, fails ? -EIO : -ENOSPC);
	publish_all(t, s);
	world_run(t->world);
	if (fails)
		COVER(&t->model, STORE_FAILED);
	else
		COVER(&t->model, STORE_FULL);
	if (fails || s->illegal % 4 == 1)
		crash(t, s);
	else
		outlast(t, s->count);
}

#define LOW_SPACE_BYTES ((uint64_t)512 << 10)

/* Space for a little more, and the reserve. */
void environment_low_space(struct environment *t, const struct step *s)
{
	uint64_t most = LOW_SPACE_BYTES - LOW_SPACE_BYTES / 8 - (uint64_t)s->count * 500;
	uint64_t bytes = store_image_bytes(t->world->image);

	if (bytes >= most)
		return;
	environment_settle(t);
	store_image_bound(t->world->image, LOW_SPACE_BYTES, most - bytes);
	t->world->now_ms += 1000; /* the broker sees it within a second */
	model_time(&t->model);
	world_run(t->world);
	t->model.low = true;
	publish_all(t, s);
}
