/* See actors.h. A step that is not possible at its moment is skipped, so every subset of a plan
 * is a plan. */
#include "actors.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "environment.h"
#include "proto/packet_publish.h"

/* --- what the model is told --- */

static void on_connack(struct client *c)
{
	model_connack(c->watch_arg);
}

static void on_sent(struct client *c, const struct pending *p, bool dup)
{
	struct actor *actor = c->watch_arg;

	(void)dup;
	if (p->aliased)
		COVER(actor->model, ALIAS_USED);
	else if (p->topic_alias != 0)
		COVER(actor->model, ALIAS_SET);
	model_counts_waiting(actor, p);
	model_sent(actor, actor->model->pubs[p->tag]);
}

static void on_acked(struct client *c, const struct pending *p, enum packet_type type,
                     enum reason reason)
{
	struct actor *actor = c->watch_arg;

	model_acked(actor, actor->model->pubs[p->tag], type, reason);
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

static bool is_up(const struct actor *p)
{
	return p->link == LINK_UP && !p->must_close && !p->client->closed;
}
/* --- connecting --- */

static struct actor *actor_of(struct environment *t, const struct step *s)
{
	return &t->model.actors[s->who];
}

static bool v5_of(const struct actor *p)
{
	return p->client->version == MQTT_5_0;
}

static bool knows_password(const struct step *s, const struct actor *p)
{
	return !s->bad_password && rules_has_verifier(p->user);
}

static void say_method(const struct step *s, const struct actor *p, struct connect_options *o)
{
	if (!s->enhanced || !v5_of(p))
		return;
	o->method = s->bad_method ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
	if (!knows_password(s, p))
		o->password = NULL;
}

static struct connect_options options_of(const struct environment *t, const struct step *s,
                                         const struct actor *p, char password[16], char will[16])
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

/* The reason the login is refused with; 0: none. [MQTT5-4.12.0-1] */
static uint8_t refusal_of(const struct environment *t, const struct step *s, const struct actor *p)
{
	bool enhanced = s->enhanced && v5_of(p);

	if (p->user == USER_ANONYMOUS)
		return rules_let_in(&t->rules, p->user) ? 0 : REASON_NOT_AUTHORIZED;
	if (enhanced && s->bad_method)
		return REASON_BAD_AUTHENTICATION_METHOD;
	if (s->bad_password || !rules_let_in(&t->rules, p->user) ||
	    (enhanced && !rules_has_verifier(p->user)))
		return REASON_BAD_USER_NAME_OR_PASSWORD;
	return 0;
}

/* A client that knows that its session has ended does not continue it. */
static void forget_ended(struct actor *p)
{
	if (p->exists == NO)
		client_forget_session(p->client);
}

static void do_connect(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
	char password[16], will[16];
	struct connect_options o = options_of(t, s, p, password, will);

	if (p->link != LINK_NONE || p->leaving || p->must_close)
		return;
	forget_ended(p);
	model_calls(p, &o, refusal_of(t, s, p));
	client_connect(p->client, &o);
}

static void do_take_over(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
	char password[16], will[16];
	struct connect_options o = options_of(t, s, p, password, will);

	if (!is_up(p) || p->leaving || refusal_of(t, s, p) != 0)
		return;
	model_calls(p, &o, 0);
	forget_ended(p);
	client_connect_over(p->client, &o);
}

static void do_drop(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (p->link == LINK_CALLING) {
		client_drop(p->client);
		model_hangs_up(p);
	} else if (is_up(p)) {
		client_drop(p->client);
		model_ends(p, ENDING_BROKEN);
	}
}

static void do_hang_up(struct environment *t, const struct step *s)
{
	do_connect(t, s);
	world_steps(t->world, s->turns);
	if (actor_of(t, s)->link == LINK_CALLING)
		do_drop(t, s);
}

/* May it send its last DISCONNECT? And would the broker handle it? */
static bool may_leave(const struct actor *p)
{
	return is_up(p) && !p->leaving && p->skipped_ms == NEVER;
}

static void leaves(struct actor *p, enum ending ending)
{
	if (p->client->stalled)
		client_stall(p->client, false);
	p->leaving = true;
	model_ends(p, ending);
}

static void do_finish(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!may_leave(p))
		return;
	leaves(p, ENDING_BROKEN);
	client_finish(p->client);
}

static void do_leave(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!may_leave(p))
		return;
	t->coverage->sent[PACKET_DISCONNECT]++;
	leaves(p, ENDING_CLEAN);
	client_leave(p->client, REASON_SUCCESS);
}

static void do_leave_with_will(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!may_leave(p) || p->client->version != MQTT_5_0)
		return;
	t->coverage->sent[PACKET_DISCONNECT]++;
	leaves(p, ENDING_WITH_WILL);
	client_leave(p->client, REASON_DISCONNECT_WITH_WILL);
}

static void do_leave_expiry(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!may_leave(p) || p->client->version != MQTT_5_0 || p->expiry_s == 0)
		return;
	t->coverage->sent[PACKET_DISCONNECT]++;
	model_expiry(p, s->session_expiry_s);
	leaves(p, ENDING_CLEAN);
	client_leave_expiry(p->client, s->session_expiry_s);
}

/* --- subscribing, publishing --- */

static void do_subscribe(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
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

static void do_share(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
	struct subscribe_request request = {.filter = share_names[s->share],
	                                    .qos = s->filter_qos[0],
	                                    .id = SHARE_IDS + (uint32_t)s->share};

	/* The model recognises by its identifier what a group was given. */
	if (!is_up(p) || !v5_of(p))
		return;
	t->coverage->sent[PACKET_SUBSCRIBE]++;
	model_subscribes(p, client_subscribe_with(p->client, &request), &request, 1);
}

static void do_unsubscribe(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
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

static void publish_one(struct environment *t, const struct step *s, struct actor *p)
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

void actors_publish(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!is_up(p))
		return;
	for (unsigned i = 0; i < s->count; i++)
		publish_one(t, s, p);
}

static void do_ping(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!is_up(p))
		return;
	t->coverage->sent[PACKET_PINGREQ]++;
	p->asked++;
	client_ping(p->client);
}

/* [MQTT5-4.12.1-1] [MQTT5-4.12.1-2] */
static void do_reauthenticate(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
	char password[16];

	if (!is_up(p) || p->options.method == NULL || p->client->scram != NULL ||
	    p->client->stalled || p->skipped_ms != NEVER)
		return;
	t->coverage->sent[PACKET_AUTH]++;
	rules_password(p->user, t->rules.password[p->user], password);
	client_reauthenticate(p->client, user_names[p->user], s->bad_proof ? NULL : password);
	if (s->bad_proof) {
		COVER(&t->model, REAUTH_REFUSED);
		model_ends(p, ENDING_BROKEN);
		p->must_close = true;
		return;
	}
	COVER(&t->model, REAUTH);
	p->asked++;
}

static void do_stall(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	/* A client that reauthenticates and does not read is disconnected after a timeout. */
	if (!is_up(p) || p->client->scram != NULL)
		return;
	COVER(&t->model, STALLED);
	p->hindered = true;
	client_stall(p->client, !p->client->stalled);
}

static void do_slow(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);
	struct client *c = p->client;

	if (!is_up(p))
		return;
	COVER(&t->model, SLOW);
	p->hindered = true;
	c->slow = !c->slow;
	if (!c->slow)
		client_catch_up(c, c->unacked_count);
}

static void do_catch_up(struct environment *t, const struct step *s)
{
	if (is_up(actor_of(t, s)))
		client_catch_up(actor_of(t, s)->client, s->count);
}

/* --- illegal --- */

static void do_illegal(struct environment *t, const struct step *s)
{
	struct actor *p = actor_of(t, s);

	if (!is_up(p) || p->client->stalled || (s->illegal >= ILLEGAL_V5 && !v5_of(p)))
		return;
	if (t->model.low) /* it may wait */
		return;
	COVER(&t->model, ILLEGAL);
	client_send(p->client, illegal_packets[s->illegal]);
	model_ends(p, ENDING_BROKEN);
	p->must_close = true;
}
typedef void step_fn(struct environment *t, const struct step *s);

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
    [STEP_PUBLISH] = actors_publish,
    [STEP_PING] = do_ping,
    [STEP_REAUTHENTICATE] = do_reauthenticate,
    [STEP_STALL] = do_stall,
    [STEP_SLOW] = do_slow,
    [STEP_CATCH_UP] = do_catch_up,
    [STEP_ILLEGAL] = do_illegal,
    [STEP_RELOAD] = environment_reload,
    [STEP_RELOAD_USERS] = environment_reload_users,
    [STEP_ADVANCE] = environment_advance,
    [STEP_PAUSE] = environment_pause,
    [STEP_FREEZE] = environment_freeze,
    [STEP_QUIET] = environment_quiet,
    [STEP_CATCH_UP_ALL] = environment_catch_up_all,
    [STEP_CRASH] = environment_crash,
    [STEP_STOP] = environment_stop,
    [STEP_DISK_FULL] = environment_disk_full,
    [STEP_LOW_SPACE] = environment_low_space,
};

/* --- a life --- */

static const char conf_head[] = "listeners:\n"
				"  - bind: unix:/run/sim.sock\n"
				"authentication:\n";
static const char conf_tail[] = "  anonymous_sessions: true\n"
				"  password_file: users.passwd\n"
				"authorization:\n"
				"  acl_file: acl.yaml\n";

/* durability: by the first level of the topic. */
static char *conf_of(const struct plan *plan, bool anonymous)
{
	struct buf out = {0};

	buf_printf(&out, "%s  anonymous: %s\n%spersistence:\n  topics:\n", conf_head,
	           anonymous ? "true" : "false", conf_tail);
	for (unsigned i = 0; i < ROOTS; i++)
		buf_printf(&out, "    - { filter: '%s/#', durability: %s }\n", root_names[i],
		           plan_durability_name(plan->durability[i]));
	buf_put_u8(&out, 0);
	return (char *)out.data;
}

static void begin(struct environment *t, const struct plan *plan)
{
	struct world_settings settings = {.seed = plan->seed,
	                                  .workers = plan->workers,
	                                  .conf = t->conf = conf_of(plan, true),
	                                  .durable = plan->journal != JOURNAL_MEMORY,
	                                  .hashes = true,
	                                  .attaches_later = plan->seed % 3 == 0};
	char *acl, *users;

	t->conf_named = conf_of(plan, false);
	rules_draw(&t->rules, 0, false);
	settings.acl = acl = rules_acl(&t->rules);
	settings.users = users = rules_users(&t->rules);
	t->world = world_new(&settings);
	t->world->journal_paused = false;
	free(acl);
	free(users);
	model_init(&t->model, t->world, t->coverage);
	memcpy(t->model.durability, plan->durability, sizeof(t->model.durability));
	model_begin_policy(&t->model, &t->rules);
}

static void invite(struct environment *t, const struct plan *plan)
{
	for (unsigned i = 0; i < plan->actors; i++) {
		bool v3 = (plan->v3 >> i % 32 & 1) != 0;
		char id[16];
		struct client *c;

		snprintf(id, sizeof(id), "c%u", i / USERS);
		c = client_new(t->world, id, v3 ? MQTT_3_1_1 : MQTT_5_0);
		c->watch = &watch;
		model_add_actor(&t->model, c, i % USERS);
	}
	t->probe = client_new(t->world, "probe", MQTT_5_0);
	environment_join_probe(t);
}

void actors_live(const struct plan *plan, struct coverage *coverage, bool report)
{
	struct environment t = {.coverage = coverage};

	/* Tracing reads what it must not change. */
	log_set_level(report                 ? LOG_LEVEL_INFO
	              : plan->count % 4 == 0 ? LOG_LEVEL_DEBUG
	                                     : LOG_LEVEL_ERROR);
	begin(&t, plan);
	if (!report)
		world_be_silent(t.world);
	t.model.reports = report;
	invite(&t, plan);
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *s = &plan->steps[i];

		if (report) {
			printf("%4zu  ", i + 1);
			step_print(stdout, s);
		}
		t.world->random_state = s->seed;
		doers[s->kind](&t, s);
		world_steps(t.world, s->turns);
		coverage->steps++;
	}
	environment_catch_up(&t);
	environment_probe(&t);
	coverage->worlds++;
	coverage->turns += t.world->turns;
	t.world->frozen = 0;
	world_free(t.world);
	model_fini(&t.model);
	free(t.conf);
	free(t.conf_named);
}
