/* A list of requests for each worker: they are few. */
#include "admin/control/control_topic.h"

#include <stdlib.h>

#include "admin/control/control_answer.h"
#include "admin/control/control_message.h"
#include "admin/control/control_query.h"
#include "admin/control/control_remote.h"
#include "base/alloc.h"
#include "base/list.h"
#include "client/conn.h"
#include "durability/record_batch.h"
#include "journal/journal_group.h"
#include "session/inflight/inbound.h"
#include "session/inflight/pending_ack.h"
#include "session/session_journal.h"
#include "worker/memory_quota.h"

#define TOPIC_PREFIX   CONTROL_PREFIX "v1/"
#define STOP           "stop"
#define REQUEST_MAX    ((size_t)256 << 10) /* as on the control socket */
#define OF_WORKER_MAX  256
#define HELD_MS        50   /* a page waits for its reader: look again */
#define REVIEW_MS      1000 /* who has asked may have unsubscribed, or lost its right */
#define CAUSE_TOO_MANY "too many requests of this connection wait for their answers"

enum request_state {
	REQUEST_STORING, /* its QoS 2 identifier is */
	REQUEST_WAITS,   /* for its turn */
	REQUEST_RUNS,    /* main has it */
};

struct topic_request {
	uint64_t number;
	struct topic_request *prev, *next;
	struct client_link
	    *link; /* NULL: it has gone, and the request is carried out all the same */
	const struct control_command *command;
	enum request_state state;
	struct control_answer answer; /* of the bytes below */
	struct buf topic, payload, response_topic, properties;
	struct buf page; /* that waits for its reader */
	bool page_ended;
	size_t charged;
	struct buf user, client_id;
	char peer[STREAM_PEER_TEXT];
	/* While it is stored. */
	struct pending_ack *ack;
	uint64_t session_id;
	uint16_t packet_id;
};

struct control_topics {
	struct control *control;
	struct worker *worker;
	struct topic_request *requests; /* utlist DL, oldest first */
	unsigned count;
	uint64_t last_number;
	struct timer timer;
};

/* --- a request --- */

static void set_charge(struct topic_request *r, size_t bytes)
{
	struct session *s = r->link->session;

	charge_sub(s->worker, &s->charge, r->charged);
	charge_add(s->worker, &s->charge, bytes);
	r->charged = bytes;
}

static size_t bytes_of(const struct topic_request *r)
{
	return sizeof(*r) + r->topic.len + r->payload.len + r->response_topic.len +
	       r->properties.len + r->page.len + 6 * CHARGE_ALLOC;
}

/* Whoever asked gets nothing any more. */
static void lose_link(struct topic_request *r)
{
	if (r->link == NULL)
		return;
	set_charge(r, 0);
	r->link = NULL;
	buf_fini(&r->page);
}

static void request_free(struct control_topics *t, struct topic_request *r)
{
	lose_link(r);
	REQUIRE(r->ack == NULL && t->count > 0);
	DL_DELETE(t->requests, r);
	t->count--;
	buf_fini(&r->topic);
	buf_fini(&r->payload);
	buf_fini(&r->response_topic);
	buf_fini(&r->properties);
	buf_fini(&r->page);
	buf_fini(&r->user);
	buf_fini(&r->client_id);
	free(r);
}

static struct topic_request *find_request(struct control_topics *t, uint64_t number)
{
	struct topic_request *r;

	DL_FOREACH (t->requests, r) {
		if (r->number == number)
			return r;
	}
	return NULL;
}

static unsigned count_of(const struct control_topics *t, const struct client_link *link,
                         enum request_state state)
{
	const struct topic_request *r;
	unsigned n = 0;

	DL_FOREACH (t->requests, r) {
		n += r->link == link && r->state == state;
	}
	return n;
}

static void look_again(struct control_topics *t, uint64_t in_ms)
{
	struct executor *executor = &t->worker->executor;

	if (!timer_is_armed(&t->timer) || t->timer.due_ms > executor->now_ms + in_ms)
		executor_timer_arm(executor, &t->timer, in_ms);
}

/* A text has a newline at its end, often. */
static struct slice json_of(struct slice payload)
{
	if (payload.len > 0 && payload.data[payload.len - 1] == '\n')
		payload.len--;
	return payload;
}

/* --- to main --- */

static void send_to_main(struct control_topics *t, const struct topic_request *r, task_fn *what)
{
	control_message_to_main(control_message_new(t->control, t->worker, r->number), what);
}

static void on_page(struct task *task, void *executor_arg);

static void run(struct control_topics *t, struct topic_request *r)
{
	struct control_message *m = control_message_new(t->control, t->worker, r->number);

	buf_put_slice(&m->bytes, json_of(buf_slice(&r->payload)));
	buf_put(&m->command, r->command->name, strlen(r->command->name));
	buf_put_slice(&m->user, buf_slice(&r->user));
	buf_put_slice(&m->client_id, buf_slice(&r->client_id));
	memcpy(m->peer, r->peer, sizeof(m->peer));
	m->on_page = on_page;
	r->state = REQUEST_RUNS;
	control_message_to_main(m, control_remote_on_request);
	look_again(t, REVIEW_MS);
}

/* Those of this connection whose turn it is. */
static void run_next(struct control_topics *t, const struct client_link *link)
{
	unsigned running = count_of(t, link, REQUEST_RUNS);
	struct topic_request *r;

	DL_FOREACH (t->requests, r) {
		if (link != NULL && running == CONTROL_RUNNING_MAX)
			return;
		if (r->link == link && r->state == REQUEST_WAITS) {
			run(t, r);
			running++;
		}
	}
}

/* It is over, whatever main still has of it. */
static void end_request(struct control_topics *t, struct topic_request *r, bool main_has_it)
{
	const struct client_link *link = r->link;

	if (main_has_it)
		send_to_main(t, r, control_remote_on_leave);
	request_free(t, r);
	if (link != NULL)
		run_next(t, link);
}

/* --- pages --- */

/* False: it has ended. */
static bool is_permitted(struct control_topics *t, struct topic_request *r)
{
	if (control_answer_permission(r->link, &r->answer) == CONTROL_PERMITTED)
		return true;
	end_request(t, r, r->state == REQUEST_RUNS && !r->page_ended);
	return false;
}

/* What came goes out, if its reader keeps up. */
static void write_page(struct control_topics *t, struct topic_request *r)
{
	bool ended = r->page_ended, all;

	if (!control_answer_has_space(r->link)) {
		set_charge(r, bytes_of(r));
		look_again(t, HELD_MS);
		return;
	}
	all = control_answer_write(r->link, &r->answer, buf_slice(&r->page));
	if (!all)
		control_answer_write_end(r->link, &r->answer,
		                         "a line of the answer is larger than the client's "
		                         "Maximum Packet Size");
	buf_fini(&r->page);
	set_charge(r, bytes_of(r));
	if (ended || !all)
		end_request(t, r, !ended);
	else
		send_to_main(t, r, control_remote_on_taken);
}

static void on_page(struct task *task, void *executor_arg)
{
	struct control_message *m = (struct control_message *)task;
	struct control_topics *t = m->worker->control;
	struct topic_request *r = find_request(t, m->request);

	REQUIRE(executor_arg == m->worker);
	if (r == NULL) {
		control_message_free(m); /* main hears of that, or has heard of it */
		return;
	}
	r->page_ended = m->ended;
	if (r->link == NULL && m->ended) {
		request_free(t, r);
	} else if (r->link == NULL) {
		send_to_main(t, r, control_remote_on_taken);
	} else if (is_permitted(t, r)) {
		buf_put_slice(&r->page, buf_slice(&m->bytes));
		write_page(t, r);
	}
	control_message_free(m);
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct control_topics *t = container_of(timer, struct control_topics, timer);
	uint64_t last = t->last_number;

	REQUIRE(executor_arg == t->worker);
	/* One after the other by number: any may end meanwhile. */
	for (uint64_t at = 0; at < last;) {
		struct topic_request *r;

		DL_FOREACH (t->requests, r) {
			if (r->number > at)
				break;
		}
		if (r == NULL)
			break;
		at = r->number;
		if (r->link != NULL && r->state != REQUEST_STORING && is_permitted(t, r) &&
		    r->page.len > 0)
			write_page(t, r);
	}
	if (t->requests != NULL)
		look_again(t, REVIEW_MS);
}

/* --- what is refused --- */

static struct slice command_of(const struct publish *pub)
{
	if (!slice_starts_with(pub->topic, SLICE(TOPIC_PREFIX)))
		return SLICE_EMPTY;
	return slice_skip(pub->topic, sizeof(TOPIC_PREFIX) - 1);
}

/* From where no request comes, and where no answer could go. */
static struct fault check_asker(struct client_link *link, const struct publish *pub)
{
	if (link->version != MQTT_5_0)
		return fault_of(REASON_IMPLEMENTATION_SPECIFIC,
		                "a control request needs a Response Topic, which MQTT 3.1.1 does "
		                "not have: connect with MQTT 5.0");
	/* mutant: inside_controls */
	if (conn_of(link)->is_inside || link->bridge)
		return fault_of(REASON_NOT_AUTHORIZED,
		                "neither bridges nor HTTP requests control the broker: ask as an "
		                "MQTT 5.0 client");
	if (!properties_have(&pub->properties, PROPERTY_RESPONSE_TOPIC))
		return fault_of(REASON_IMPLEMENTATION_SPECIFIC,
		                "a control request needs a Response Topic");
	return FAULT_NONE;
}

static bool is_json(struct slice payload)
{
	struct json_object object;

	payload = json_of(payload);
	if (payload.len == 0)
		return true;
	if (!json_parse(payload, &object))
		return false;
	json_fini(&object);
	return true;
}

static struct fault check_request(const struct publish *pub, struct slice command)
{
	/* mutant: retained_request */
	if (pub->retain)
		return fault_of(REASON_IMPLEMENTATION_SPECIFIC,
		                "a control request is never retained: send it without RETAIN");
	if (!slice_equal(command, SLICE(STOP)) && control_query_find(command) == NULL)
		return fault_of(REASON_TOPIC_NAME_INVALID,
		                "there is no such command; its topic is " TOPIC_PREFIX "COMMAND");
	if (pub->payload.len > REQUEST_MAX)
		return fault_of(REASON_QUOTA_EXCEEDED,
		                "the payload of a control request has at most 262144 bytes");
	if (!is_json(pub->payload))
		return fault_of(
		    REASON_PAYLOAD_FORMAT_INVALID,
		    "the payload of a control request must be empty or a JSON object of strings");
	return FAULT_NONE;
}

static struct fault check_space(struct control_topics *t, struct client_link *link, size_t bytes)
{
	unsigned under_way = count_of(t, link, REQUEST_RUNS) + count_of(t, link, REQUEST_WAITS) +
	                     count_of(t, link, REQUEST_STORING);
	const char *exceeds;

	/* mutant: requests_are_bounded */
	if (under_way >= CONTROL_RUNNING_MAX + CONTROL_WAITING_MAX || t->count >= OF_WORKER_MAX)
		return fault_of(REASON_QUOTA_EXCEEDED, CAUSE_TOO_MANY);
	exceeds = quota_memory(t->worker, link->session->charge.payer, bytes);
	return exceeds == NULL ? FAULT_NONE : fault_of(REASON_QUOTA_EXCEEDED, exceeds);
}

/* --- what is taken --- */

static void point(struct topic_request *r, const struct publish *pub)
{
	r->answer.request = (struct acl_request){.action = ACL_PUBLISH,
	                                         .topic = buf_slice(&r->topic),
	                                         .qos = pub->qos,
	                                         .payload = buf_slice(&r->payload)};
	r->answer.response_topic = buf_slice(&r->response_topic);
	r->answer.properties = buf_slice(&r->properties);
}

static struct topic_request *request_new(struct control_topics *t, struct client_link *link,
                                         const struct publish *pub,
                                         const struct control_answer *answer)
{
	struct session *s = link->session;
	struct topic_request *r = xnew(r);

	r->number = ++t->last_number;
	r->link = link;
	r->command = control_query_find(command_of(pub));
	r->session_id = s->id;
	r->packet_id = pub->packet_id;
	buf_put_slice(&r->topic, pub->topic);
	buf_put_slice(&r->payload, pub->payload);
	buf_put_slice(&r->response_topic, answer->response_topic);
	buf_put_slice(&r->properties, answer->properties);
	buf_put_slice(&r->user, session_user(s));
	buf_put_slice(&r->client_id, session_client_id(s));
	stream_peer_text(link->stream, r->peer, sizeof(r->peer));
	point(r, pub);
	DL_APPEND(t->requests, r);
	t->count++;
	set_charge(r, bytes_of(r));
	return r;
}

static void take_turn(struct control_topics *t, struct topic_request *r)
{
	r->state = REQUEST_WAITS;
	run_next(t, r->link);
}

/* It is carried out only then: a client that did not hear of it sends it again after a crash, and
 * it would be carried out twice. */
static void on_identifier_stored(struct journal_group *group, int status, void *executor_arg)
{
	struct topic_request *r = journal_group_context(group);
	struct worker *w = executor_arg;
	struct session *s = session_find_by_id(w, r->session_id);

	REQUIRE(r->state == REQUEST_STORING);
	if (s != NULL)
		inbound_stored(s, r->packet_id, status == 0);
	if (status == 0)
		pending_ack_done(&r->ack, REASON_SUCCESS, SLICE_EMPTY);
	else
		pending_ack_failed(&r->ack); /* the connection ends */
	/* Its client will not ask for it again: what was to be changed is changed. */
	if (status != 0 || (r->link == NULL && !r->command->changes))
		request_free(w->control, r);
	else
		take_turn(w->control, r);
}

/* [MQTT5-4.3.3-8] */
static void keep_identifier(struct control_topics *t, struct topic_request *r)
{
	struct session *s = r->link->session;
	struct inbound *in = inbound_new(s, r->packet_id);

	if (!session_journal_is_on(s)) {
		in->pending = false;
		pending_ack_send(r->link, PACKET_PUBREC, r->packet_id, REASON_SUCCESS, SLICE_EMPTY);
		take_turn(t, r);
		return;
	}
	in->durability = DURABILITY_ACK;
	r->state = REQUEST_STORING;
	r->ack = pending_ack_ack(r->link, PACKET_PUBREC, r->packet_id);
	/* mutant: control_identifier_is_stored */
	session_journal_inbound(s, r->packet_id);
	record_batch_commit(t->worker, on_identifier_stored, r);
}

/* --- stop --- */

/* The answer with this Correlation Data ends here. */
static const char *stop(struct control_topics *t, struct client_link *link,
                        const struct control_answer *answer)
{
	struct topic_request *r;

	DL_FOREACH (t->requests, r) {
		if (r->link == link && r->state != REQUEST_STORING &&
		    slice_equal(buf_slice(&r->properties), answer->properties))
			break;
	}
	if (r == NULL)
		return "no answer with this Correlation Data is under way";
	control_answer_write_end(link, &r->answer, NULL);
	end_request(t, r, r->state == REQUEST_RUNS && !r->page_ended);
	return NULL;
}

static void carry_out_stop(struct control_topics *t, struct client_link *link,
                           const struct publish *pub, const struct control_answer *answer)
{
	const char *error;

	if (pub->qos == 2) {
		struct inbound *in = inbound_new(link->session, pub->packet_id);

		in->pending = false;
		in->durability = DURABILITY_NONE; /* to end it again would do no harm */
	}
	if (pub->qos > 0)
		pending_ack_send(link, pub->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
		                 pub->packet_id, REASON_SUCCESS, SLICE_EMPTY);
	error = stop(t, link, answer);
	if (error != NULL)
		control_answer_write_end(link, answer, error);
}

/* --- a PUBLISH --- */

static void take_request(struct control_topics *t, struct client_link *link,
                         const struct publish *pub, const struct control_answer *answer)
{
	struct topic_request *r;

	if (slice_equal(command_of(pub), SLICE(STOP))) {
		carry_out_stop(t, link, pub, answer);
		return;
	}
	r = request_new(t, link, pub, answer);
	if (pub->qos == 2) {
		keep_identifier(t, r);
		return;
	}
	if (pub->qos == 1)
		pending_ack_send(link, PACKET_PUBACK, pub->packet_id, REASON_SUCCESS, SLICE_EMPTY);
	take_turn(t, r);
}

/* Who asks may ask, and hears of everything that is wrong. */
static struct fault answer_request(struct control_topics *t, struct client_link *link,
                                   const struct publish *pub, const struct control_answer *answer)
{
	size_t bytes = sizeof(struct topic_request) + pub->topic.len + 2 * pub->payload.len +
	               answer->response_topic.len + answer->properties.len;
	struct fault fault = check_request(pub, command_of(pub));

	if (fault_is_none(fault))
		fault = check_space(t, link, bytes);
	if (fault_is_none(fault))
		take_request(t, link, pub, answer);
	else if (control_answer_has_space(link))
		control_answer_write_end(link, answer, fault.cause);
	return fault;
}

struct fault control_topic_request(struct client_link *link, const struct publish *pub)
{
	struct control_topics *t = link->worker->control;
	struct buf properties = {0};
	struct control_answer answer = {.request = {.action = ACL_PUBLISH,
	                                            .topic = pub->topic,
	                                            .retain = pub->retain,
	                                            .qos = pub->qos,
	                                            .payload = pub->payload},
	                                .response_topic = pub->properties.response_topic};
	struct fault fault = check_asker(link, pub);

	REQUIRE_OWNER(link);
	if (!fault_is_none(fault))
		return fault;
	if (t == NULL || link->worker->stopping)
		return fault_of(REASON_IMPLEMENTATION_SPECIFIC, "the broker is stopping");
	if (properties_have(&pub->properties, PROPERTY_CORRELATION_DATA))
		property_put_string(&properties, PROPERTY_CORRELATION_DATA,
		                    pub->properties.correlation_data);
	answer.properties = buf_slice(&properties);
	switch (control_answer_permission(link, &answer)) {
	case CONTROL_PERMITTED:
		fault = answer_request(t, link, pub, &answer);
		break;
	case CONTROL_DENIED:
		fault =
		    fault_of(REASON_NOT_AUTHORIZED,
		             "the rules do not let this client receive from the Response Topic");
		break;
	case CONTROL_NOT_SUBSCRIBED:
		fault = fault_of(REASON_IMPLEMENTATION_SPECIFIC,
		                 "no subscription of this client covers the Response Topic: "
		                 "subscribe to it first");
		break;
	}
	buf_fini(&properties);
	return fault;
}

/* --- the end --- */

void control_topic_forget(struct client_link *link)
{
	struct control_topics *t = link->worker->control;
	struct topic_request *r, *next;

	REQUIRE_OWNER(link);
	if (t == NULL)
		return;
	DL_FOREACH_SAFE (t->requests, r, next) {
		if (r->link != link)
			continue;
		lose_link(r);
		if (r->state == REQUEST_STORING)
			continue; /* on_identifier_stored decides */
		if (r->state == REQUEST_RUNS && !r->page_ended)
			send_to_main(t, r, control_remote_on_leave);
		request_free(t, r);
	}
}

void control_topic_start(struct control *c)
{
	for (unsigned i = 0; i < c->shared->worker_count; i++) {
		struct worker *w = c->shared->workers[i];

		REQUIRE(w->control == NULL);
		w->control = xnew(w->control);
		w->control->control = c;
		w->control->worker = w;
		w->control->timer.fire = on_timer;
	}
}

void control_topic_free(struct shared *shared)
{
	for (unsigned i = 0; i < shared->worker_count; i++) {
		struct control_topics *t = shared->workers[i]->control;

		if (t == NULL)
			continue;
		while (t->requests != NULL) /* main stopped before it answered */
			request_free(t, t->requests);
		timer_disarm(&t->worker->executor.timers, &t->timer);
		shared->workers[i]->control = NULL;
		free(t);
	}
}
