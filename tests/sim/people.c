/* See people.h.  A step that makes no sense at its moment is passed over: so every part of a plan
 * is a plan. */
#include "people.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "model.h"
#include "proto/publish.h"

#define INTERVALS_ENOUGH 125
#define TURNS_ENOUGH     500

struct town {
	struct world *world;
	struct model model;
	struct coverage *coverage;
	struct rules rules;
	char *conf;
	struct client *probe;
	bool reloading;
};

/* --- what the model hears --- */

static void on_connack(struct client *c)
{
	model_connack(c->watch_arg);
}

static void on_sent(struct client *c, const struct pending *p, bool dup)
{
	struct person *person = c->watch_arg;

	(void)dup;
	if (p->aliased)
		COVER(person->model, ALIAS_USED);
	else if (p->topic_alias != 0)
		COVER(person->model, ALIAS_SET);
	model_sent(person, person->model->pubs[p->tag]);
}

static void on_acked(struct client *c, const struct pending *p, enum packet_type type,
                     enum reason reason)
{
	struct person *person = c->watch_arg;

	model_acked(person, person->model->pubs[p->tag], type, reason);
}

static void on_received(struct client *c, const struct received *r)
{
	model_received(c->watch_arg, r);
}

static void on_again(struct client *c, const struct received *r)
{
	model_again(c->watch_arg, r);
}

static void on_answered(struct client *c, const struct answer *a)
{
	model_answered(c->watch_arg, a);
}

static const struct client_watch watch = {
    .connack = on_connack,
    .sent = on_sent,
    .acked = on_acked,
    .received = on_received,
    .again = on_again,
    .answered = on_answered,
};

/* --- quiet --- */

/* There is room again: within a second, that is seen. */
static void make_room(struct town *t)
{
	struct world *w = t->world;

	if (w->image == NULL || !disk_image_is_bound(w->image))
		return;
	disk_image_bound(w->image, 0, 0);
	COVER(&t->model, DISK_TIGHT);
	if (world_has_parked(w))
		COVER(&t->model, DISK_PARKED);
	model_note_packets(&t->model);
	w->now_ms += 1000;
	model_time(&t->model);
}

static void settle(struct town *t)
{
	t->world->frozen = 0;
	world_run(t->world);
	make_room(t);
	world_run(t->world);
	model_quiet(&t->model);
	t->model.tight = false;
}

static bool is_up(const struct person *p)
{
	return p->link == LINK_UP && !p->doomed && !p->client->closed;
}

static void do_reckon(struct town *t)
{
	for (unsigned i = 0; i < t->model.people_count; i++) {
		struct client *c = t->model.people[i].client;

		if (c->stalled && c->wire != NULL)
			client_stall(c, false);
		c->slow = false;
		client_catch_up(c, c->unacked_count);
	}
	settle(t);
}

/* Somebody new who wants to know everything. */
static void probe(struct town *t)
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

/* --- connecting --- */

static struct person *person_of(struct town *t, const struct step *s)
{
	return &t->model.people[s->who];
}

static bool v5_of(const struct person *p)
{
	return p->client->version == MQTT_5_0;
}

static bool knows_password(const struct step *s, const struct person *p)
{
	return !s->bad_password && rules_has_verifier(p->user);
}

static void say_method(const struct step *s, const struct person *p, struct connect_options *o)
{
	if (!s->enhanced || !v5_of(p))
		return;
	o->method = s->bad_method ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
	if (!knows_password(s, p))
		o->password = NULL;
}

static struct connect_options options_of(const struct town *t, const struct step *s,
                                         const struct person *p, char password[16], char will[16])
{
	struct connect_options o = {.keep = s->keep && !p->wants_clean,
	                            .expiry_s = s->session_expiry_s,
	                            .keep_alive_s = s->keep_alive_s,
	                            .receive_maximum = s->receive_maximum,
	                            .topic_alias_maximum = v5_of(p) ? s->alias_maximum : 0};

	if (p->user != USER_ANONYMOUS) {
		rules_password(p->user, t->rules.password[p->user], password);
		o.user = user_names[p->user];
		o.password = s->bad_password ? "wrong" : password;
		say_method(s, p, &o);
	}
	if (!s->will)
		return o;
	snprintf(will, 16, "%zu:will", t->model.pub_count);
	o.will = (struct will_options){.topic = topic_names[s->will_topic],
	                               .payload = will,
	                               .qos = s->will_qos,
	                               .retain = s->will_retain,
	                               .delay_s = s->will_delay_s,
	                               .expiry_s = s->expiry_s,
	                               .extras = s->extras};
	return o;
}

/* What the login is refused with, 0: nothing. [MQTT5-4.12.0-1] */
static uint8_t refusal_of(const struct town *t, const struct step *s, const struct person *p)
{
	bool enhanced = s->enhanced && v5_of(p);

	if (p->user == USER_ANONYMOUS)
		return 0;
	if (enhanced && s->bad_method)
		return REASON_BAD_AUTHENTICATION_METHOD;
	if (s->bad_password || !rules_let_in(&t->rules, p->user) ||
	    (enhanced && !rules_has_verifier(p->user)))
		return REASON_BAD_USER_NAME_OR_PASSWORD;
	return 0;
}

/* Who knows that his session has ended does not go on with it. */
static void forget_ended(struct person *p)
{
	if (p->exists == NO)
		client_forget_session(p->client);
}

static void do_connect(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);
	char password[16], will[16];
	struct connect_options o = options_of(t, s, p, password, will);

	if (p->link != LINK_NONE || p->leaving || p->doomed)
		return;
	forget_ended(p);
	model_calls(p, &o, refusal_of(t, s, p));
	client_connect(p->client, &o);
}

static void do_take_over(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);
	char password[16], will[16];
	struct connect_options o = options_of(t, s, p, password, will);

	if (!is_up(p) || p->leaving || refusal_of(t, s, p) != 0)
		return;
	model_calls(p, &o, 0);
	forget_ended(p);
	client_connect_over(p->client, &o);
}

static void do_drop(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (p->link == LINK_CALLING) {
		client_drop(p->client);
		model_hangs_up(p);
	} else if (is_up(p)) {
		client_drop(p->client);
		model_ends(p, ENDING_BROKEN);
	}
}

static void do_hang_up(struct town *t, const struct step *s)
{
	do_connect(t, s);
	world_steps(t->world, s->turns);
	if (person_of(t, s)->link == LINK_CALLING)
		do_drop(t, s);
}

/* Ready to say the last word? */
static bool may_leave(const struct person *p)
{
	return is_up(p) && !p->leaving;
}

static void leaves(struct person *p, enum ending ending)
{
	if (p->client->stalled)
		client_stall(p->client, false);
	p->leaving = true;
	model_ends(p, ending);
}

static void do_finish(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!may_leave(p))
		return;
	leaves(p, ENDING_BROKEN);
	client_finish(p->client);
}

static void do_leave(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!may_leave(p))
		return;
	t->coverage->sent[PACKET_DISCONNECT]++;
	leaves(p, ENDING_CLEAN);
	client_leave(p->client, REASON_SUCCESS);
}

static void do_leave_with_will(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!may_leave(p) || p->client->version != MQTT_5_0)
		return;
	t->coverage->sent[PACKET_DISCONNECT]++;
	leaves(p, ENDING_WITH_WILL);
	client_leave(p->client, REASON_DISCONNECT_WITH_WILL);
}

static void do_leave_expiry(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!may_leave(p) || p->client->version != MQTT_5_0 || p->expiry_s == 0)
		return;
	t->coverage->sent[PACKET_DISCONNECT]++;
	model_expiry(p, s->session_expiry_s);
	leaves(p, ENDING_CLEAN);
	client_leave_expiry(p->client, s->session_expiry_s);
}

/* --- subscribing, publishing --- */

static void do_subscribe(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);
	struct subscribe_request requests[STEP_FILTERS] = {0};

	if (!is_up(p))
		return;
	for (unsigned i = 0; i < s->filter_count; i++)
		requests[i] =
		    (struct subscribe_request){.filter = filter_names[s->filters[i]],
		                               .qos = s->filter_qos[i],
		                               .no_local = v5_of(p) && s->no_local,
		                               .retain_as_published = v5_of(p) && s->as_published,
		                               .retain_handling = v5_of(p) ? s->handling : 0,
		                               .id = v5_of(p) ? s->id : 0};
	t->coverage->sent[PACKET_SUBSCRIBE]++;
	model_subscribes(p, client_subscribe_all(p->client, requests, s->filter_count), requests,
	                 s->filter_count);
}

static void do_share(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);
	struct subscribe_request request = {.filter = share_names[s->share],
	                                    .qos = s->filter_qos[0],
	                                    .id = SHARE_IDS + (uint32_t)s->share};

	/* By its identifier the model knows what a group was given. */
	if (!is_up(p) || !v5_of(p))
		return;
	t->coverage->sent[PACKET_SUBSCRIBE]++;
	model_subscribes(p, client_subscribe_with(p->client, &request), &request, 1);
}

static void do_unsubscribe(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);
	const char *filters[STEP_FILTERS + 1];
	size_t count = s->filter_count;

	if (!is_up(p))
		return;
	for (unsigned i = 0; i < s->filter_count; i++)
		filters[i] = filter_names[s->filters[i]];
	if (s->no_local)
		filters[count++] = share_names[s->share];
	t->coverage->sent[PACKET_UNSUBSCRIBE]++;
	model_unsubscribes(p, client_unsubscribe_all(p->client, filters, count), filters, count);
}

static void publish_one(struct town *t, const struct step *s, struct person *p)
{
	char payload[4000];
	struct pub *pub;
	struct pending *pending;
	int n = snprintf(payload, sizeof(payload), "%zu:", t->model.pub_count);

	if (s->large)
		memset(payload + n, 'x', sizeof(payload) - (size_t)n);
	payload[s->large ? sizeof(payload) - 1 : (size_t)n] = '\0';
	if (s->empty)
		payload[0] = '\0';
	pub = model_pub(p, topic_names[s->topic], payload, v5_of(p) ? s->extras : 0);
	pub->qos = s->qos;
	pub->retain = s->retain;
	pub->has_expiry = v5_of(p) && s->expiry_s != 0;
	pub->expiry_s = s->expiry_s;
	pending = client_publish_with(p->client, pub->topic, pub->qos, payload);
	pending->tag = pub->id;
	pending->retain = pub->retain;
	pending->has_expiry = pub->has_expiry;
	pending->expiry_s = pub->expiry_s;
	pending->extras = v5_of(p) ? s->extras : 0;
	pending->topic_alias = v5_of(p) ? s->alias : 0;
}

static void do_publish(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!is_up(p))
		return;
	for (unsigned i = 0; i < s->count; i++)
		publish_one(t, s, p);
}

static void do_ping(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!is_up(p))
		return;
	t->coverage->sent[PACKET_PINGREQ]++;
	p->asked++;
	client_ping(p->client);
}

/* [MQTT5-4.12.1-1] [MQTT5-4.12.1-2] */
static void do_reauthenticate(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);
	char password[16];

	if (!is_up(p) || p->options.method == NULL || p->client->scram != NULL ||
	    p->client->stalled)
		return;
	t->coverage->sent[PACKET_AUTH]++;
	rules_password(p->user, t->rules.password[p->user], password);
	client_reauthenticate(p->client, user_names[p->user], s->bad_proof ? NULL : password);
	if (s->bad_proof) {
		COVER(&t->model, REAUTH_REFUSED);
		model_ends(p, ENDING_BROKEN);
		p->doomed = true;
		return;
	}
	COVER(&t->model, REAUTH);
	p->asked++;
}

static void do_stall(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	/* Who authenticates and does not read is thrown out in time. */
	if (!is_up(p) || p->client->scram != NULL)
		return;
	COVER(&t->model, STALLED);
	client_stall(p->client, !p->client->stalled);
}

static void do_slow(struct town *t, const struct step *s)
{
	struct client *c = person_of(t, s)->client;

	if (!is_up(person_of(t, s)))
		return;
	COVER(&t->model, SLOW);
	c->slow = !c->slow;
	if (!c->slow)
		client_catch_up(c, c->unacked_count);
}

static void do_catch_up(struct town *t, const struct step *s)
{
	if (is_up(person_of(t, s)))
		client_catch_up(person_of(t, s)->client, s->count);
}

/* --- illegal --- */

static void do_illegal(struct town *t, const struct step *s)
{
	struct person *p = person_of(t, s);

	if (!is_up(p) || p->client->stalled || (s->illegal >= ILLEGAL_V5 && !v5_of(p)))
		return;
	if (t->model.tight) /* it may wait */
		return;
	COVER(&t->model, ILLEGAL);
	client_send(p->client, illegal_packets[s->illegal]);
	model_ends(p, ENDING_BROKEN);
	p->doomed = true;
}

/* --- the world's --- */

static void on_reloaded(void *arg)
{
	struct town *t = arg;

	t->reloading = false;
	model_end_policy(&t->model);
}

/* For the world, now or at its next start. */
static void publish_rules(struct town *t, const struct rules *rules, bool at_start)
{
	char *acl = rules_acl(rules), *users = rules_users(rules);
	struct world_settings texts = t->world->texts;

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

static void reload(struct town *t, const struct rules *rules)
{
	COVER(&t->model, RELOADS);
	t->reloading = true;
	publish_rules(t, rules, false);
}

static void do_reload(struct town *t, const struct step *s)
{
	struct rules rules = t->rules;

	if (t->reloading)
		return;
	rules_draw(&rules, s->seed, false);
	reload(t, &rules);
}

/* His login is under way: it is judged by the users from before or by the new ones, and those it
 * must please in the end.  Who is let in only now hangs up. */
static void oust(struct person *p)
{
	if (p->refusal == 0) {
		model_is_ousted(p);
		return;
	}
	client_drop(p->client);
	model_hangs_up(p);
}

static void kick(struct town *t, const struct rules *before)
{
	for (unsigned i = 0; i < t->model.people_count; i++) {
		struct person *p = &t->model.people[i];
		bool stays = rules_keep_user(before, &t->rules, p->user);

		if (p->link == LINK_UP && !stays)
			model_is_kicked(p);
		else if (p->link == LINK_CALLING && (!stays || p->refusal != 0))
			oust(p);
	}
}

/* Somebody's last words are on their way: whether they were heard, the model cannot say. */
static bool is_leaving(const struct town *t)
{
	for (unsigned i = 0; i < t->model.people_count; i++) {
		if (t->model.people[i].leaving)
			return true;
	}
	return false;
}

/* As who he came in, the model could not say. */
static bool meets_namesake(const struct town *t, const struct rules *next)
{
	for (unsigned i = 0; i < t->model.people_count; i++) {
		const struct person *p = &t->model.people[i];

		if (p->link == LINK_CALLING && rules_is_namesake(&t->rules, next, p->user))
			return true;
	}
	return false;
}

static void do_reload_users(struct town *t, const struct step *s)
{
	struct rules before, rules;

	before = rules = t->rules;
	rules_draw(&rules, s->seed, true);
	if (t->reloading || s->count > 1 || is_leaving(t) || meets_namesake(t, &rules))
		settle(t);
	reload(t, &rules);
	kick(t, &before);
	settle(t);
	model_users(&t->model, &before);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When nothing has happened for some intervals, the journal has nothing to write either. */
static uint64_t next_due(struct town *t, unsigned *intervals)
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

static void do_advance(struct town *t, const struct step *s)
{
	struct world *w = t->world;
	uint64_t until = w->now_ms + s->ms;
	unsigned intervals = 0;

	settle(t);
	while (w->now_ms < until) {
		uint64_t due = next_due(t, &intervals);

		w->now_ms = due > w->now_ms && due < until ? due : until;
		model_time(&t->model);
		settle(t);
	}
}

static void do_freeze(struct town *t, const struct step *s)
{
	t->world->frozen = (unsigned)(s->seed >> 8) & (unsigned)(s->seed >> 16) & 15u;
}

static void do_quiet(struct town *t, const struct step *s)
{
	settle(t);
	if (s->count > 1)
		probe(t);
}

static void do_reckon_all(struct town *t, const struct step *s)
{
	(void)s;
	do_reckon(t);
	probe(t);
}

/* --- when the broker dies --- */

static void join_probe(struct town *t)
{
	const struct connect_options options = {
	    .user = "probe", .password = "probe", .topic_alias_maximum = ALIASES_MAX};

	client_join(t->probe, &options);
}

/* With other workers, and other users in the file. */
static void prepare(struct town *t, const struct step *s)
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

static void crash(struct town *t, const struct step *s)
{
	uint64_t crashed_ms = t->world->now_ms;
	struct rules before = t->rules;

	prepare(t, s);
	world_crash(t->world);
	model_crash(&t->model, crashed_ms, false);
	model_users(&t->model, &before);
	join_probe(t);
	settle(t);
}

/* Until so much more was said or heard. */
static void await_events(struct town *t, unsigned count)
{
	uint64_t until = t->model.tick + count;

	for (unsigned i = 0; i < TURNS_ENOUGH && t->model.tick < until; i++)
		world_steps(t->world, 1);
}

static void do_crash(struct town *t, const struct step *s)
{
	if (t->reloading || is_leaving(t))
		settle(t);
	await_events(t, s->soon);
	crash(t, s);
	if (s->count > 1)
		probe(t);
}

/* Nothing is lost. */
static void do_stop(struct town *t, const struct step *s)
{
	struct rules before = t->rules;
	uint64_t stopped_ms;

	settle(t);
	stopped_ms = t->world->now_ms;
	prepare(t, s);
	world_restart(t->world);
	for (unsigned i = 0; i < t->model.people_count; i++)
		client_drop(t->model.people[i].client);
	model_crash(&t->model, stopped_ms, true);
	model_users(&t->model, &before);
	join_probe(t);
	settle(t);
	probe(t);
}

static void publish_all(struct town *t, const struct step *s)
{
	struct step each = *s;

	each.count = 1;
	for (unsigned i = 0; i < t->model.people_count; i++) {
		each.who = (uint8_t)i;
		each.topic = (uint8_t)((s->topic + i) % TOPIC_NAMES);
		each.qos = (uint8_t)((s->qos + i) % 3);
		do_publish(t, &each);
	}
}

/* Every second it is tried again; in the end there is room. */
static void outlast(struct town *t, unsigned seconds)
{
	for (unsigned i = 0; i <= seconds + 2; i++) {
		if (i == seconds)
			disk_image_fail(t->world->image, 0, 0);
		model_note_packets(&t->model);
		t->world->now_ms += 1000;
		model_time(&t->model);
		world_run(t->world);
	}
	settle(t);
}

/* Nothing is acknowledged that is not kept: whoever crashes now has lost nothing that he promised.
 * D7 */
static void do_disk_full(struct town *t, const struct step *s)
{
	bool fails = s->illegal % 4 == 0;

	settle(t);
	disk_image_fail(t->world->image, s->count, fails ? -EIO : -ENOSPC);
	publish_all(t, s);
	world_run(t->world);
	if (fails)
		COVER(&t->model, DISK_FAILED);
	else
		COVER(&t->model, DISK_FULL);
	if (fails || s->illegal % 4 == 1)
		crash(t, s);
	else
		outlast(t, s->count);
}

#define TIGHT_BYTES ((uint64_t)512 << 10)

/* Room for a little more, and the reserve. */
static void do_tight(struct town *t, const struct step *s)
{
	uint64_t most = TIGHT_BYTES - TIGHT_BYTES / 8 - (uint64_t)s->count * 500;
	uint64_t bytes = disk_image_bytes(t->world->image);

	if (bytes >= most)
		return;
	disk_image_bound(t->world->image, TIGHT_BYTES, most - bytes);
	t->model.tight = true;
	publish_all(t, s);
}

typedef void step_fn(struct town *t, const struct step *s);

static step_fn *const doers[STEP_KINDS] = {
    [STEP_CONNECT] = do_connect,
    [STEP_TAKE_OVER] = do_take_over,
    [STEP_HANG_UP] = do_hang_up,
    [STEP_DROP] = do_drop,
    [STEP_FINISH] = do_finish,
    [STEP_LEAVE] = do_leave,
    [STEP_LEAVE_WITH_WILL] = do_leave_with_will,
    [STEP_LEAVE_EXPIRY] = do_leave_expiry,
    [STEP_SUBSCRIBE] = do_subscribe,
    [STEP_SHARE] = do_share,
    [STEP_UNSUBSCRIBE] = do_unsubscribe,
    [STEP_PUBLISH] = do_publish,
    [STEP_PING] = do_ping,
    [STEP_REAUTHENTICATE] = do_reauthenticate,
    [STEP_STALL] = do_stall,
    [STEP_SLOW] = do_slow,
    [STEP_CATCH_UP] = do_catch_up,
    [STEP_ILLEGAL] = do_illegal,
    [STEP_RELOAD] = do_reload,
    [STEP_RELOAD_USERS] = do_reload_users,
    [STEP_ADVANCE] = do_advance,
    [STEP_FREEZE] = do_freeze,
    [STEP_QUIET] = do_quiet,
    [STEP_RECKON] = do_reckon_all,
    [STEP_CRASH] = do_crash,
    [STEP_STOP] = do_stop,
    [STEP_DISK_FULL] = do_disk_full,
    [STEP_TIGHT] = do_tight,
};

/* --- a life --- */

static const char conf_text[] = "listeners:\n"
				"  - bind: unix:/run/sim.sock\n"
				"authentication:\n"
				"  anonymous: true\n"
				"  anonymous_sessions: true\n"
				"  password_file: users.passwd\n"
				"authorization:\n"
				"  acl_file: acl.yaml\n";

/* durability: by the first level of the topic. */
static char *conf_of(const struct plan *plan)
{
	struct buf out = {0};

	buf_printf(&out, "%spersistence:\n  topics:\n", conf_text);
	for (unsigned i = 0; i < ROOTS; i++)
		buf_printf(&out, "    - { filter: '%s/#', durability: %s }\n", root_names[i],
		           plan_durability_name(plan->durability[i]));
	buf_put_u8(&out, 0);
	return (char *)out.data;
}

static void begin(struct town *t, const struct plan *plan)
{
	struct world_settings settings = {.seed = plan->seed,
	                                  .workers = plan->workers,
	                                  .conf = t->conf = conf_of(plan),
	                                  .held = plan->journal != JOURNAL_MEMORY,
	                                  .hashes = true};
	char *acl, *users;

	rules_draw(&t->rules, 0, false);
	settings.acl = acl = rules_acl(&t->rules);
	settings.users = users = rules_users(&t->rules);
	t->world = world_new(&settings);
	t->world->hold = false;
	free(acl);
	free(users);
	model_init(&t->model, t->world, t->coverage);
	memcpy(t->model.durability, plan->durability, sizeof(t->model.durability));
	model_begin_policy(&t->model, &t->rules);
}

static void invite(struct town *t, const struct plan *plan)
{
	for (unsigned i = 0; i < plan->people; i++) {
		bool v3 = (plan->v3 >> i % 32 & 1) != 0;
		char id[16];
		struct client *c;

		snprintf(id, sizeof(id), "c%u", i / USERS);
		c = client_new(t->world, id, v3 ? MQTT_3_1_1 : MQTT_5_0);
		c->watch = &watch;
		model_add_person(&t->model, c, i % USERS);
	}
	t->probe = client_new(t->world, "probe", MQTT_5_0);
	join_probe(t);
}

void people_live(const struct plan *plan, struct coverage *coverage, bool tell)
{
	struct town t = {.coverage = coverage};

	log_set_level(tell ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
	begin(&t, plan);
	if (!tell)
		world_be_silent(t.world);
	t.model.tells = tell;
	invite(&t, plan);
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *s = &plan->steps[i];

		if (tell) {
			printf("%4zu  ", i + 1);
			step_print(stdout, s);
		}
		t.world->random_state = s->seed;
		doers[s->kind](&t, s);
		world_steps(t.world, s->turns);
		coverage->steps++;
	}
	do_reckon(&t);
	probe(&t);
	coverage->worlds++;
	coverage->turns += t.world->turns;
	t.world->frozen = 0;
	world_free(t.world);
	model_fini(&t.model);
	free(t.conf);
}
