/* A reload while connections are being established: at every moment, and between two workers. A
 * client that the new configuration does not admit is disconnected, and from the swap on it is
 * sent nothing and not read. S7 */
#include <utlist.h>

#include "authenticator.h"
#include "client/client_list.h"
#include "scenario.h"
#include "session/session.h"
#include "session/session_lifecycle.h"
#include "worker/worker.h"

static const struct connect_options clean = {0};

#define CONF(anonymous, more)                                                                      \
	"listeners:\n"                                                                             \
	"  - bind: unix:/run/sim.sock\n" more "authentication:\n"                                  \
	"  anonymous: " anonymous "\n"                                                             \
	"  anonymous_sessions: true\n"                                                             \
	"  password_file: users.passwd\n"                                                          \
	"authorization:\n"                                                                         \
	"  acl_file: acl.yaml\n"
static const char conf[] = CONF("true", "");
static const char conf_named[] = CONF("false", "");
static const char conf_elsewhere[] = CONF("true", "    server_reference: other.example\n");
static const char conf_moved[] =
    "listeners:\n"
    "  - bind: unix:/run/other.sock\n"
    "authentication: { anonymous: true, password_file: users.passwd }\n"
    "authorization: { acl_file: acl.yaml }\n";

static const char acl[] = "users: { anna: { rules: ['allow all #'] }, "
			  "bert: { rules: ['allow all #'] } }\n"
			  "anonymous: { rules: ['allow all #'] }\n";

#define DIGEST                                                                                     \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ANNA "anna:id=0000000000000001:hash=$6$right$" DIGEST "\n"
#define BERT "bert:id=0000000000000002:hash=$6$right$" DIGEST
static const char users[] = ANNA BERT "\n";
static const char users_locked[] = ANNA BERT ":locked\n";
static const char users_removed[] = ANNA;
static const char users_changed[] = ANNA "bert:id=0000000000000002:hash=$6$other$" DIGEST "\n";

static const struct connect_options bert = {.user = "bert", .password = "right"};
static const struct connect_options bert_kept = {
    .user = "bert", .password = "right", .keep = true, .expiry_s = 1000};
static const struct connect_options anna = {.user = "anna", .password = "right"};

/* What a reload may change, and what a client is told in 5.0. */
static const struct change {
	const char *name;
	const char *conf, *users;
	enum stream_fit fit;
	bool anonymous; /* it concerns those */
	bool for_all;   /* nobody stays */
	enum reason connack, disconnect;
} changes[] = {
    {"certificate", conf, users, .fit = STREAM_CERTIFICATE_BAD, .connack = REASON_NOT_AUTHORIZED,
     .disconnect = REASON_NOT_AUTHORIZED},
    {"TLS version", conf, users, .fit = STREAM_VERSION_TOO_OLD,
     .disconnect = REASON_ADMINISTRATIVE_ACTION},
    {"listener", conf_moved, users, .for_all = true, .connack = REASON_SERVER_UNAVAILABLE,
     .disconnect = REASON_SERVER_SHUTTING_DOWN},
    {"server reference", conf_elsewhere, users, .for_all = true,
     .connack = REASON_USE_ANOTHER_SERVER, .disconnect = REASON_USE_ANOTHER_SERVER},
    {"locked", conf, users_locked, .connack = REASON_BAD_USER_NAME_OR_PASSWORD,
     .disconnect = REASON_NOT_AUTHORIZED},
    {"removed", conf, users_removed, .connack = REASON_BAD_USER_NAME_OR_PASSWORD,
     .disconnect = REASON_NOT_AUTHORIZED},
    {"changed", conf, users_changed, .connack = REASON_BAD_USER_NAME_OR_PASSWORD,
     .disconnect = REASON_NOT_AUTHORIZED},
    {"anonymous", conf_named, users, .anonymous = true, .connack = REASON_NOT_AUTHORIZED,
     .disconnect = REASON_NOT_AUTHORIZED},
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void on_done(void *arg)
{
	*(bool *)arg = true;
}

/* The client's stream is not acceptable from here on, if the event is about that. */
static void begin_reload(struct world *w, const struct change *e, struct client *c, bool *done)
{
	struct world_settings texts = {.conf = e->conf, .users = e->users, .acl = acl};

	*done = false;
	if (c != NULL && c->wire != NULL)
		memory_set_fit(wire_peer(c->wire), e->fit);
	world_reload(w, &texts, on_done, done);
}

static uint8_t connack_code(const struct client *c, enum reason reason)
{
	return c->version == MQTT_5_0 ? (uint8_t)reason : reason_connack_v3(reason);
}

/* It is disconnected; the reason codes are those of the event, or it was told nothing. */
static void require_out(const struct client *c, const struct change *e)
{
	if (!c->closed)
		fail_msg("%s: it stays", e->name);
	if (c->connack_reason != 0 && c->connack_reason != connack_code(c, e->connack))
		fail_msg("%s: CONNACK 0x%02x", e->name, c->connack_reason);
	if (c->disconnect_reason != 0 && c->disconnect_reason != e->disconnect)
		fail_msg("%s: DISCONNECT 0x%02x", e->name, c->disconnect_reason);
	if (c->version == MQTT_5_0 && c->accepted && c->disconnect_reason == 0)
		fail_msg("%s: no DISCONNECT", e->name);
}

static const struct connect_options *options_of(struct world *w, const struct change *e)
{
	if (e->anonymous)
		return &clean;
	return world_random(w, 2) == 0 ? &bert : &bert_kept;
}

static enum mqtt_version any_version(struct world *w)
{
	return world_random(w, 2) == 0 ? MQTT_3_1_1 : MQTT_5_0;
}

/* --- at any moment --- */

/* CONNECT is half read, in flight to another worker, its password is being hashed, its CONNACK
 * waits for the journal: the seed decides, and the order in which workers apply the
 * configuration. */
static void reload_refuses_at_any_moment(struct world *w)
{
	const struct change *e = &changes[w->seed % CHANGES];
	struct client *c = client_new(w, "c", any_version(w));
	bool done;

	w->journal_paused = world_random(w, 2) == 0;
	client_connect(c, options_of(w, e));
	world_steps(w, (unsigned)world_random(w, 60));
	begin_reload(w, e, c, &done);
	world_run(w);
	assert_true(done);
	require_out(c, e);
	if (strcmp(e->name, "listener") == 0)
		return;
	client_connect(c, options_of(w, e)); /* a new client finds the new configuration */
	memory_set_fit(wire_peer(c->wire), e->fit);
	world_run(w);
	assert_false(c->accepted);
}

/* --- between two workers --- */

static void turn(struct worker *worker)
{
	executor_enter(&worker->executor);
	(void)executor_turn(&worker->executor);
	executor_leave();
}

/* What a client has sent is read completely, and handled; the worker's mailbox has to wait. */
static void read_all(struct worker *worker, struct client *c)
{
	bool moved;

	do {
		moved = client_turn(c);
		executor_enter(&worker->executor);
		executor_update_now(&worker->executor);
		moved |= memory_run(wire_peer(c->wire), SIZE_MAX);
		executor_leave();
	} while (moved);
}

/* A client whose connection is at another worker than its owner; NULL: there is only one worker. */
static struct client *stranger(struct world *w, const struct connect_options *options,
                               struct worker **at, struct worker **own)
{
	struct client *c = client_new(w, "c", any_version(w));

	if (w->workers == 1)
		return NULL;
	*own = shared_owner_of(w->server, slice_of_str(c->id));
	do {
		client_connect(c, options);
		*at = w->server->workers[0];
		for (unsigned i = 0; i < w->workers; i++) {
			if (w->server->workers[i]->clients->conns != NULL)
				*at = w->server->workers[i];
		}
		if (*at == *own) {
			client_drop(c);
			world_run(w);
		}
	} while (*at == *own);
	return c;
}

/* One worker does not have the new configuration yet: main is between two of them. */
static struct task *hold_back(struct worker *worker)
{
	struct mailbox *in = &worker->executor.mailbox;
	struct task *task = in->head;

	assert_non_null(task);
	assert_null(task->next);
	in->head = NULL;
	in->tail = &in->head;
	task->in_flight = false;
	return task;
}

/* The connection is in flight when both workers get it. */
static void reload_refuses_a_connection_in_flight(struct world *w)
{
	const struct change *e = &changes[w->seed % CHANGES];
	struct worker *at, *own;
	struct client *c = stranger(w, options_of(w, e), &at, &own);
	bool done;

	if (c == NULL)
		return;
	read_all(at, c);
	turn(at); /* it leaves */
	assert_null(at->clients->conns);
	begin_reload(w, e, c, &done);
	world_run(w);
	assert_true(done);
	require_out(c, e);
}

/* It leaves a worker with the old configuration for one that has the new one already. */
static void connection_moves_to_the_new_configuration(struct world *w)
{
	const struct change *e = &changes[w->seed % CHANGES];
	struct worker *at, *own;
	struct client *c = stranger(w, options_of(w, e), &at, &own);
	struct task *held;
	bool done;

	if (c == NULL)
		return;
	begin_reload(w, e, NULL, &done);
	held = hold_back(at);
	turn(own);
	read_all(at, c);
	memory_set_fit(wire_peer(c->wire), e->fit);
	turn(at);
	assert_null(at->clients->conns);
	world_run(w);
	require_out(c, e);
	assert_false(c->accepted);
	executor_send(&at->executor, held);
	world_run(w);
	assert_true(done);
}

/* The other way round: what its new worker has in force must not decide any more. */
static void connection_moves_to_the_old_configuration(struct world *w)
{
	struct world_settings locked = {.conf = conf, .users = users_locked, .acl = acl};
	const struct change unlock = {"unlocked", conf, users, .fit = STREAM_FITS};
	struct worker *at, *own;
	struct client *c;
	struct task *held;
	bool done;

	world_reload(w, &locked, on_done, &done);
	world_run(w);
	c = stranger(w, &bert, &at, &own);
	if (c == NULL)
		return;
	begin_reload(w, &unlock, c, &done);
	held = hold_back(own);
	turn(at);
	read_all(at, c);
	turn(at);
	assert_null(at->clients->conns);
	world_run(w);
	assert_false(c->closed);
	assert_false(c->accepted);
	executor_send(&own->executor, held);
	world_run(w);
	assert_true(done);
	assert_true(c->accepted);
}

/* --- between CONNECT and CONNACK --- */

/* CONNACK waits for the journal, which makes no progress. */
static void refused_client_gets_no_waiting_connack(struct world *w)
{
	const struct change *e = &changes[w->seed % CHANGES];
	struct connect_options options = bert_kept;
	struct client *c = client_new(w, "c", any_version(w));
	bool done;

	if (e->anonymous)
		options.user = options.password = NULL;
	options.will = (struct will_options){.topic = "gone", .payload = "x"};
	w->journal_paused = true;
	client_connect(c, &options);
	world_run(w);
	assert_false(c->accepted);
	assert_false(c->closed);
	begin_reload(w, e, c, &done);
	world_run(w);
	assert_true(done);
	require_out(c, e);
	assert_false(c->accepted);
	if (e->connack != REASON_OK) /* without a reason code it is closed without DISCONNECT */
		assert_int_equal(c->connack_reason, connack_code(c, e->connack));
	w->journal_paused = false;
	world_run(w);
}

#define FAILURE_MS 50

/* A password is being hashed; the answer arrives after the reload. */
static void reload_refuses_during_password_check(struct world *w)
{
	const struct change *e = &changes[w->seed % (CHANGES - 1)]; /* anonymous has no password */
	struct client *c = client_new(w, "c", any_version(w));
	bool about_user = e->connack == REASON_BAD_USER_NAME_OR_PASSWORD;
	bool done;

	authenticator_set_failure_ms(w->server->authenticator, FAILURE_MS);
	w->no_hashes = true;
	client_connect(c, &bert);
	world_run(w);
	begin_reload(w, e, c, &done);
	world_run(w);
	assert_true(done);
	/* If the user is the reason, the answer is not earlier than that of any failed login; a
	 * server_reference is sent then, too. */
	assert_int_equal(c->closed, !about_user && strcmp(e->name, "server reference") != 0);
	w->no_hashes = false;
	world_run(w);
	/* The password was correct: an earlier answer must not reveal that. */
	if (about_user) {
		world_advance(w, FAILURE_MS - 1);
		assert_false(c->closed);
		world_advance(w, 1);
	}
	require_out(c, e);
	assert_false(c->accepted);
	if (e->connack != REASON_OK)
		assert_int_equal(c->connack_reason, connack_code(c, e->connack));
}

/* The same, but it ends for another reason: nothing of the login is left behind. */
static void client_disconnects_while_its_failure_is_delayed(struct world *w)
{
	static const struct change locked = {"locked", conf, users_locked, .fit = STREAM_FITS};
	const struct change *more = &changes[w->seed % 3]; /* which do not wait */
	struct client *c = client_new(w, "c", any_version(w));
	bool done;

	authenticator_set_failure_ms(w->server->authenticator, FAILURE_MS);
	w->no_hashes = true;
	client_connect(c, &bert);
	world_run(w);
	begin_reload(w, &locked, c, &done);
	world_run(w);
	w->no_hashes = false;
	world_run(w);
	assert_false(c->closed);
	switch (world_random(w, 3)) {
	case 0:
		client_drop(c);
		world_run(w);
		break;
	case 1:
		begin_reload(w, more, c, &done);
		world_run(w);
		require_out(c, more);
		break;
	default:
		break; /* the broker stops */
	}
	assert_false(c->accepted);
}

static bool has_session(const struct world *w)
{
	for (unsigned i = 0; i < w->workers; i++) {
		if (w->server->workers[i]->sessions->all != NULL)
			return true;
	}
	return false;
}

/* A session is being attached; that is done after the reload. Its login had succeeded, so it stays,
 * though the CONNACK refuses its client. */
static void reload_refuses_while_session_is_attached(struct world *w)
{
	const struct change *e = &changes[w->seed % CHANGES];
	struct connect_options options = e->anonymous ? clean : bert_kept;
	struct client *c = client_new(w, "c", any_version(w));
	bool done;

	w->no_attaches = true;
	client_connect(c, &options);
	world_run(w);
	assert_false(c->accepted);
	begin_reload(w, e, c, &done);
	world_run(w);
	assert_true(done);
	w->no_attaches = false;
	world_run(w);
	require_out(c, e);
	assert_false(c->accepted);
	if (e->connack != REASON_OK)
		assert_int_equal(c->connack_reason, connack_code(c, e->connack));
	if (e->users != users)
		assert_true(has_session(w));
}

/* The connection ends, or the broker stops, before the session is attached: there is no session. */
static void connection_closes_before_session_is_attached(struct world *w)
{
	const struct change *e = &changes[w->seed % 3]; /* which do not wait */
	struct connect_options options = bert_kept;
	struct client *c = client_new(w, "c", any_version(w));
	bool done;

	options.will = (struct will_options){.topic = "t", .payload = "gone", .qos = 1};
	w->no_attaches = true;
	client_connect(c, &options);
	world_run(w);
	if (world_random(w, 3) == 0)
		return; /* the broker stops */
	begin_reload(w, e, c, &done);
	world_run(w);
	require_out(c, e);
	w->no_attaches = w->journal_paused = false;
	world_run(w);
	assert_false(has_session(w));
}

/* --- at once --- */

#define MANY 120

struct crowd {
	struct client *anna, *many[MANY];
	struct client *hashed; /* its password is being checked */
	struct client *stored; /* its CONNACK waits for the journal */
};

/* The last two are at the end of the worker's list. */
static void gather(struct world *w, struct crowd *crowd)
{
	char name[8];

	w->journal_paused = false;
	crowd->anna = client_new(w, "anna", MQTT_5_0);
	client_join(crowd->anna, &anna);
	client_subscribe(crowd->anna, "from", 1);
	for (unsigned i = 0; i < MANY; i++) {
		struct client *c;

		snprintf(name, sizeof(name), "b%u", i);
		c = crowd->many[i] = client_new(w, name, any_version(w));
		client_connect(c, i == 0 ? &bert_kept : &bert);
		client_subscribe(c, "to", (uint8_t)(i % 2 == 0 ? 1 : 0));
	}
	world_run(w);
	w->journal_paused = true;
	crowd->stored = client_new(w, "stored", any_version(w));
	client_connect(crowd->stored, &bert_kept);
	world_run(w);
	w->no_hashes = true;
	crowd->hashed = client_new(w, "hashed", any_version(w));
	client_connect(crowd->hashed, &bert);
	world_run(w);
	assert_false(crowd->stored->accepted);
	assert_int_equal(authenticator_waiting(w->server->authenticator), 1);
}

/* The worker applies the configuration, and has closed only the first. Everything that could
 * send something to a client happens now. */
static void between(struct world *w, struct crowd *crowd)
{
	struct worker *worker = w->server->workers[0];
	unsigned turns = 0, open;

	turn(worker);
	read_all(worker, crowd->anna);
	for (unsigned i = 0; i < MANY; i++)
		read_all(worker, crowd->many[i]);
	w->journal_paused = false;
	while (world_commit(w)) {
	}
	if (authenticator_waiting(w->server->authenticator) > 0)
		authenticator_answer(w->server->authenticator, 0);
	do {
		turn(worker);
		turns++;
		open = 0;
		for (unsigned i = 0; i < MANY; i++)
			open += !memory_is_closed(wire_peer(crowd->many[i]->wire));
	} while (open > 0);
	assert_true(turns > 2);
	w->no_hashes = false;
	world_run(w);
}

static void require_silence(const struct crowd *crowd, const struct change *e)
{
	assert_int_equal(crowd->anna->received_count, 0);
	for (unsigned i = 0; i < MANY; i++) {
		require_out(crowd->many[i], e);
		assert_int_equal(crowd->many[i]->received_count, 0);
	}
	require_out(crowd->hashed, e);
	assert_false(crowd->hashed->accepted);
	require_out(crowd->stored, e);
	assert_false(crowd->stored->accepted);
}

/* More clients are refused than one turn closes. Meanwhile nothing is sent to them, and nothing
 * is read from them; messages for a stored session are stored. */
static void refused_client_gets_nothing_before_it_is_closed(struct world *w)
{
	const struct change *e = &changes[w->seed % (CHANGES - 1)];
	const struct change back = {"as before", conf, users, .fit = STREAM_FITS};
	struct crowd crowd;
	bool done;

	if (w->workers > 1 || e->for_all)
		return; /* anna would go too */
	gather(w, &crowd);
	begin_reload(w, e, NULL, &done);
	memory_set_fit(wire_peer(crowd.hashed->wire), e->fit);
	memory_set_fit(wire_peer(crowd.stored->wire), e->fit);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(crowd.many[i]->accepted);
		memory_set_fit(wire_peer(crowd.many[i]->wire), e->fit);
		publish_numbered(crowd.many[i], "from", 1, i);
	}
	client_publish(crowd.anna, "to", 1, "secret");
	between(w, &crowd);
	assert_true(done);
	require_silence(&crowd, e);
	begin_reload(w, &back, NULL, &done);
	world_run(w);
	client_join(crowd.many[0], &bert_kept);
	if (!crowd.many[0]->session_present)
		fail_msg("%s: the session is gone", e->name);
	world_run(w);
	assert_string_equal(last_received(crowd.many[0], "to"), "secret");
}

#define SESSIONS 2500

static unsigned count_removed(const struct worker *worker)
{
	const struct session *s;
	unsigned removed = 0;

	DL_FOREACH2(worker->sessions->all, s, list_next)
	{
		removed += s->removed;
	}
	return removed;
}

/* However many there are, a turn checks some of them; one that ends meanwhile is skipped. */
static void reload_checks_sessions_in_slices(struct world *w)
{
	const struct change *e = &changes[5];
	struct worker *worker = w->server->workers[0];
	struct identity *id = identity_new(IDENTITY_PASSWORD, SLICE("bert"), 2, 0);
	unsigned turns = 1, first;
	struct session_key key;
	char name[16];
	bool done;

	assert_string_equal(e->name, "removed");
	executor_enter(&worker->executor);
	for (unsigned i = 0; i < SESSIONS; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		key = session_key_of(id->key, slice_of_str(name));
		session_lifecycle_new(worker, id, &key, false,
		                      payers_find(&worker->shared->payers, PAYER_USER, id->key))
		    ->expiry_s = EXPIRY_NEVER;
	}
	identity_unref(&id);
	executor_leave();
	begin_reload(w, e, NULL, &done);
	turn(worker);
	first = count_removed(worker);
	assert_in_range(first, 1, SESSIONS / 2);
	executor_enter(&worker->executor);
	session_lifecycle_end(worker->sessions->next_to_check);
	executor_leave();
	while (worker->clients->admission.done != NULL) {
		turn(worker);
		turns++;
	}
	assert_in_range(turns, 3, 10);
	assert_int_equal(count_removed(worker), SESSIONS - 1);
	world_run(w);
	assert_true(done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO_WITH(reload_refuses_at_any_moment, .conf = conf, .acl = acl, .users = users,
	                  .hashes = true, .durable = true, .seeds = 400),
	    SCENARIO_WITH(reload_refuses_a_connection_in_flight, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true),
	    SCENARIO_WITH(connection_moves_to_the_new_configuration, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true),
	    SCENARIO_WITH(connection_moves_to_the_old_configuration, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true),
	    SCENARIO_WITH(refused_client_gets_no_waiting_connack, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true, .durable = true),
	    SCENARIO_WITH(reload_refuses_during_password_check, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true),
	    SCENARIO_WITH(reload_refuses_while_session_is_attached, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true, .attaches_later = true),
	    SCENARIO_WITH(connection_closes_before_session_is_attached, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true, .durable = true, .attaches_later = true),
	    SCENARIO_WITH(client_disconnects_while_its_failure_is_delayed, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true),
	    SCENARIO_WITH(refused_client_gets_nothing_before_it_is_closed, .conf = conf, .acl = acl,
	                  .users = users, .hashes = true, .durable = true, .seeds = 16),
	    SCENARIO_WITH(reload_checks_sessions_in_slices, .conf = conf, .acl = acl,
	                  .users = users, .seeds = 1),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
