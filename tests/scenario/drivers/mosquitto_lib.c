/* One client of mosquitto's library, told what to do line by line (line.h). A thread runs the
 * library's network loop and says the events; the main thread reads the commands. */

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

static struct mosquitto *client;
static pthread_t network;
static bool reconnects;
static atomic_bool answered; /* CONNACK came */

static void take_property(const struct property *p, void *arg)
{
	mosquitto_property **list = arg;

	switch (p->kind) {
	case KIND_U8:
		mosquitto_property_add_byte(list, p->id, (uint8_t)p->number);
		break;
	case KIND_U16:
		mosquitto_property_add_int16(list, p->id, (uint16_t)p->number);
		break;
	case KIND_U32:
		mosquitto_property_add_int32(list, p->id, p->number);
		break;
	case KIND_VARINT:
		mosquitto_property_add_varint(list, p->id, p->number);
		break;
	case KIND_TEXT:
		mosquitto_property_add_string(list, p->id, p->text.data);
		break;
	case KIND_DATA:
		mosquitto_property_add_binary(list, p->id, p->text.data, (uint16_t)p->text.len);
		break;
	case KIND_PAIR:
		mosquitto_property_add_string_pair(list, p->id, p->text.data, p->with.data);
		break;
	}
}

static mosquitto_property *properties_of(const struct command *c, const char *prefix)
{
	mosquitto_property *list = NULL;

	command_properties(c, prefix, take_property, &list);
	return list;
}

static uint32_t read_number(const mosquitto_property *at, int id, enum kind kind)
{
	uint8_t one = 0;
	uint16_t two = 0;
	uint32_t four = 0;

	if (kind == KIND_U8)
		mosquitto_property_read_byte(at, id, &one, false);
	else if (kind == KIND_U16)
		mosquitto_property_read_int16(at, id, &two, false);
	else if (kind == KIND_U32)
		mosquitto_property_read_int32(at, id, &four, false);
	else
		mosquitto_property_read_varint(at, id, &four, false);
	return (uint32_t)one + two + four;
}

static void read_text(const mosquitto_property *at, struct property *p)
{
	uint16_t len = 0;
	void *data = NULL;

	if (p->kind == KIND_PAIR) {
		mosquitto_property_read_string_pair(at, p->id, &p->text.data, &p->with.data, false);
		p->with.len = (int)strlen(p->with.data);
	} else if (p->kind == KIND_TEXT) {
		mosquitto_property_read_string(at, p->id, &p->text.data, false);
	} else {
		mosquitto_property_read_binary(at, p->id, &data, &len, false);
		p->text.data = data;
	}
	p->text.len = p->kind == KIND_DATA ? len : (int)strlen(p->text.data);
}

static void say_properties(const mosquitto_property *list)
{
	for (const mosquitto_property *at = list; at != NULL; at = mosquitto_property_next(at)) {
		struct property p = {.id = mosquitto_property_identifier(at)};

		p.kind = property_kind(p.id);
		if (p.kind < KIND_TEXT)
			p.number = read_number(at, p.id, p.kind);
		else
			read_text(at, &p);
		say_property(&p);
		free(p.text.data);
		free(p.with.data);
	}
}

/* The library would try again and again, as loop_forever does. */
static void stay_away(struct mosquitto *m)
{
	if (!reconnects)
		mosquitto_disconnect(m);
}

static void on_connect(struct mosquitto *m, void *arg, int reason, int flags,
                       const mosquitto_property *props)
{
	(void)arg;
	answered = true;
	say_start("connack");
	say_number("reason", reason);
	say_number("session_present", flags & 1);
	say_properties(props);
	say_end();
	if (reason != 0)
		stay_away(m);
}

static void on_disconnect(struct mosquitto *m, void *arg, int reason,
                          const mosquitto_property *props)
{
	(void)arg;
	say_start("closed");
	say_number("reason", reason);
	say_properties(props);
	say_end();
	stay_away(m);
}

static void on_publish(struct mosquitto *m, void *arg, int mid, int reason,
                       const mosquitto_property *props)
{
	(void)m;
	(void)arg;
	say_start("published");
	say_number("mid", mid);
	say_number("reason", reason);
	say_properties(props);
	say_end();
}

static void on_subscribe(struct mosquitto *m, void *arg, int mid, int count, const int *granted,
                         const mosquitto_property *props)
{
	(void)m;
	(void)arg;
	(void)mid;
	(void)count;
	say_start("subscribed");
	say_number("reason", granted[0]);
	say_properties(props);
	say_end();
}

static void on_unsubscribe(struct mosquitto *m, void *arg, int mid, const mosquitto_property *props)
{
	(void)m;
	(void)arg;
	(void)mid;
	say_start("unsubscribed");
	say_properties(props);
	say_end();
}

static void on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *msg,
                       const mosquitto_property *props)
{
	(void)m;
	(void)arg;
	say_start("message");
	say_bytes("topic", msg->topic, strlen(msg->topic));
	say_bytes("payload", msg->payload, (size_t)msg->payloadlen);
	say_number("qos", msg->qos);
	say_number("retain", msg->retain);
	say_properties(props);
	say_end();
}

static void say_failure(const char *event, int rc)
{
	const char *why = mosquitto_strerror(rc);

	say_start(event);
	say_number("error", rc);
	say_bytes("why", why, strlen(why));
	say_end();
}

static void check(int rc)
{
	if (rc != MOSQ_ERR_SUCCESS)
		say_failure("failed", rc);
}

static void set_will(const struct command *c)
{
	const struct text *payload = command_find(c, "will-payload");

	if (payload != NULL)
		check(mosquitto_will_set_v5(client, command_text(c, "will-topic"), payload->len,
		                            payload->data, command_number(c, "will-qos", 0),
		                            command_number(c, "will-retain", 0),
		                            properties_of(c, "will"))); /* the library's now */
}

static void listen_to(struct mosquitto *m)
{
	mosquitto_connect_v5_callback_set(m, on_connect);
	mosquitto_disconnect_v5_callback_set(m, on_disconnect);
	mosquitto_publish_v5_callback_set(m, on_publish);
	mosquitto_subscribe_v5_callback_set(m, on_subscribe);
	mosquitto_unsubscribe_v5_callback_set(m, on_unsubscribe);
	mosquitto_message_v5_callback_set(m, on_message);
}

static void set_options(const struct command *c)
{
	int version = command_number(c, "version", 5);

	check(mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION,
	                           version == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311));
	check(mosquitto_username_pw_set(client, command_text(c, "user"),
	                                command_text(c, "password")));
	check(mosquitto_tls_set(client, command_text(c, "cafile"), NULL, NULL, NULL, NULL));
	check(mosquitto_reconnect_delay_set(client, 1, 1, false));
}

/* The library's own thread (mosquitto_loop_start) would not tell of a handshake that failed. */
static void *run_network(void *arg)
{
	int rc = mosquitto_loop_forever(client, -1, 1);

	if (!answered)
		say_failure("connack", rc);
	return arg;
}

static void start_network(void)
{
	if (pthread_create(&network, NULL, run_network, NULL) != 0)
		abort();
}

static void do_connect(const struct command *c)
{
	const char *id = command_text(c, "client_id");
	mosquitto_property *props = properties_of(c, "prop");

	reconnects = command_number(c, "reconnect", 0);
	client = mosquitto_new(*id != '\0' ? id : NULL, command_number(c, "clean", 1), NULL);
	mosquitto_threaded_set(client, true);
	listen_to(client);
	set_options(c);
	set_will(c);
	int rc = mosquitto_connect_bind_v5(client, "127.0.0.1", command_number(c, "port", 0),
	                                   command_number(c, "keep_alive", 60), NULL, props);
	mosquitto_property_free_all(&props);
	if (rc == MOSQ_ERR_SUCCESS)
		start_network();
	else
		say_failure("connack", rc);
}

static void do_publish(const struct command *c)
{
	const struct text *payload = command_find(c, "payload");
	mosquitto_property *props = properties_of(c, "prop");
	const char *topic = command_text(c, "topic");
	int rc = mosquitto_publish_v5(client, NULL, *topic != '\0' ? topic : NULL, payload->len,
	                              payload->data, command_number(c, "qos", 0),
	                              command_number(c, "retain", 0), props);

	mosquitto_property_free_all(&props);
	if (rc != MOSQ_ERR_SUCCESS)
		say_failure("published", rc);
}

static void do_subscribe(const struct command *c)
{
	mosquitto_property *props = properties_of(c, "prop");

	check(mosquitto_subscribe_v5(client, NULL, command_text(c, "filter"),
	                             command_number(c, "qos", 0), command_number(c, "options", 0),
	                             props));
	mosquitto_property_free_all(&props);
}

static void do_unsubscribe(const struct command *c)
{
	check(mosquitto_unsubscribe(client, NULL, command_text(c, "filter")));
}

static void do_disconnect(const struct command *c)
{
	mosquitto_property *props = properties_of(c, "prop");

	reconnects = false;
	check(mosquitto_disconnect_v5(client, command_number(c, "reason", 0), props));
	mosquitto_property_free_all(&props);
}

/* After a DISCONNECT of the broker the loop has ended: the library does not try again by itself. */
static void do_reconnect(const struct command *c)
{
	(void)c;
	pthread_join(network, NULL);
	check(mosquitto_reconnect(client));
	start_network();
}

static const struct verb verbs[] = {
    {"connect", do_connect},         {"publish", do_publish},       {"subscribe", do_subscribe},
    {"unsubscribe", do_unsubscribe}, {"disconnect", do_disconnect}, {"reconnect", do_reconnect},
};

int main(void)
{
	mosquitto_lib_init();
	commands_run(verbs, sizeof(verbs) / sizeof(verbs[0]));
	return 0;
}
