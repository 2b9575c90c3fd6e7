/* One client of Paho's C library (MQTTAsync, with TLS), told what to do line by line (line.h). The
 * library's own threads run the network and say the events; the main thread reads the commands. 5.0
 * and 3.1.1 have callbacks of their own in the library: those of 3.1.1 end in 3. */

#include <MQTTAsync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

static MQTTAsync client;
static int version;

/* What the library borrows until it is told otherwise. */
static MQTTProperties connect_properties = MQTTProperties_initializer;
static MQTTProperties will_properties = MQTTProperties_initializer;

static void take_property(const struct property *p, void *arg)
{
	MQTTProperty made = {.identifier = (enum MQTTPropertyCodes)p->id};

	if (p->kind == KIND_U8) {
		made.value.byte = (unsigned char)p->number;
	} else if (p->kind == KIND_U16) {
		made.value.integer2 = (unsigned short)p->number;
	} else if (p->kind == KIND_U32 || p->kind == KIND_VARINT) {
		made.value.integer4 = p->number;
	} else {
		made.value.data = (MQTTLenString){.len = p->text.len, .data = p->text.data};
		made.value.value = (MQTTLenString){.len = p->with.len, .data = p->with.data};
	}
	MQTTProperties_add(arg, &made); /* copies */
}

static MQTTProperties properties_of(const struct command *c, const char *prefix)
{
	MQTTProperties list = MQTTProperties_initializer;

	if (version == 5)
		command_properties(c, prefix, take_property, &list);
	return list;
}

static uint32_t read_number(const MQTTProperty *from, enum kind kind)
{
	if (kind == KIND_U8)
		return from->value.byte;
	return kind == KIND_U16 ? from->value.integer2 : from->value.integer4;
}

static void say_properties(const MQTTProperties *list)
{
	for (int i = 0; i < list->count; i++) {
		const MQTTProperty *from = &list->array[i];
		struct property p = {.id = (int)from->identifier};

		p.kind = property_kind(p.id);
		if (p.kind < KIND_TEXT)
			p.number = read_number(from, p.kind);
		else
			p.text = (struct text){.data = from->value.data.data,
			                       .len = from->value.data.len};
		if (p.kind == KIND_PAIR)
			p.with = (struct text){.data = from->value.value.data,
			                       .len = from->value.value.len};
		say_property(&p);
	}
}

static void say_error(const char *event, int code, const char *why)
{
	say_start(event);
	say_number("error", code);
	if (why != NULL)
		say_bytes("why", why, strlen(why));
	say_end();
}

static void check(int rc)
{
	if (rc != MQTTASYNC_SUCCESS)
		say_error("failed", rc, MQTTAsync_strerror(rc));
}

/* Callbacks: context is the event's name. */

static void say_answer(const char *event, int reason, const MQTTProperties *props)
{
	say_start(event);
	say_number("reason", reason);
	say_properties(props);
	say_end();
}

static void on_success(void *context, MQTTAsync_successData5 *data)
{
	say_answer(context, (int)data->reasonCode, &data->properties);
}

static void on_failure(void *context, MQTTAsync_failureData5 *data)
{
	int reason =
	    data->reasonCode != MQTTREASONCODE_SUCCESS ? (int)data->reasonCode : data->code;

	if (reason > 0)
		say_answer(context, reason, &data->properties);
	else
		say_error(context, reason, data->message);
}

static void on_connected(void *context, MQTTAsync_successData5 *data)
{
	say_start(context);
	say_number("reason", (long)data->reasonCode);
	say_number("session_present", data->alt.connect.sessionPresent);
	say_properties(&data->properties);
	say_end();
}

static void on_success3(void *context, MQTTAsync_successData *data)
{
	static const MQTTProperties none = MQTTProperties_initializer;

	(void)data;
	say_answer(context, 0, &none);
}

static void on_granted3(void *context, MQTTAsync_successData *data)
{
	static const MQTTProperties none = MQTTProperties_initializer;

	say_answer(context, data->alt.qos, &none);
}

static void on_connected3(void *context, MQTTAsync_successData *data)
{
	say_start(context);
	say_number("reason", 0);
	say_number("session_present", data->alt.connect.sessionPresent);
	say_end();
}

static void on_failure3(void *context, MQTTAsync_failureData *data)
{
	static const MQTTProperties none = MQTTProperties_initializer;

	if (data->code > 0)
		say_answer(context, data->code, &none);
	else
		say_error(context, data->code, data->message);
}

static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *msg)
{
	(void)context;
	say_start("message");
	say_bytes("topic", topic, topic_len > 0 ? (size_t)topic_len : strlen(topic));
	say_bytes("payload", msg->payload, (size_t)msg->payloadlen);
	say_number("qos", msg->qos);
	say_number("retain", msg->retained);
	say_properties(&msg->properties);
	say_end();
	MQTTAsync_freeMessage(&msg);
	MQTTAsync_free(topic);
	return 1;
}

static void on_told_to_leave(void *context, MQTTProperties *props, enum MQTTReasonCodes reason)
{
	(void)context;
	say_answer("told", (int)reason, props);
}

static void on_lost(void *context, char *cause)
{
	(void)context;
	(void)cause;
	say_start("closed");
	say_end();
}

/* After the library has connected again by itself, too. */
static void on_up(void *context, char *cause)
{
	(void)context;
	(void)cause;
	say_start("up");
	say_end();
}

/* Commands. */

static MQTTAsync_responseOptions response_of(const struct command *c, const char *event)
{
	MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
	static char names[][16] = {"published", "subscribed", "unsubscribed"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], event) == 0)
			o.context = names[i];
	}
	if (version == 5) {
		o.onSuccess5 = on_success;
		o.onFailure5 = on_failure;
		o.properties = properties_of(c, "prop");
	} else {
		o.onSuccess = strcmp(event, "subscribed") == 0 ? on_granted3 : on_success3;
		o.onFailure = on_failure3;
	}
	return o;
}

static void create(const struct command *c)
{
	MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
	char uri[64];

	options.MQTTVersion = version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	snprintf(uri, sizeof(uri), "ssl://127.0.0.1:%d", command_number(c, "port", 0));
	check(MQTTAsync_createWithOptions(&client, uri, command_text(c, "client_id"),
	                                  MQTTCLIENT_PERSISTENCE_NONE, NULL, &options));
	check(MQTTAsync_setCallbacks(client, NULL, on_lost, on_message, NULL));
	check(MQTTAsync_setConnected(client, NULL, on_up));
	check(MQTTAsync_setDisconnected(client, NULL, on_told_to_leave));
}

static MQTTAsync_connectOptions connect_options_of(const struct command *c)
{
	static char event[] = "connack";
	MQTTAsync_connectOptions five = MQTTAsync_connectOptions_initializer5;
	MQTTAsync_connectOptions three = MQTTAsync_connectOptions_initializer;
	int clean = command_number(c, "clean", 1);

	five.cleanstart = three.cleansession = clean;
	three.MQTTVersion = MQTTVERSION_3_1_1;
	five.context = three.context = event;
	connect_properties = properties_of(c, "prop");
	will_properties = properties_of(c, "will");
	five.connectProperties = &connect_properties;
	five.onSuccess5 = on_connected;
	five.onFailure5 = on_failure;
	three.onSuccess = on_connected3;
	three.onFailure = on_failure3;
	return version == 5 ? five : three;
}

static void do_connect(const struct command *c)
{
	MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
	MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
	const struct text *payload = command_find(c, "will-payload");

	version = command_number(c, "version", 5);
	create(c);
	MQTTAsync_connectOptions o = connect_options_of(c);
	tls.trustStore = command_text(c, "cafile");
	tls.verify = 1; /* the name, too */
	o.ssl = &tls;
	o.keepAliveInterval = command_number(c, "keep_alive", 60);
	o.username = command_text(c, "user");
	o.password = command_text(c, "password");
	o.automaticReconnect = command_number(c, "reconnect", 0);
	o.maxRetryInterval = 1;
	if (payload != NULL) {
		will.topicName = command_text(c, "will-topic");
		will.payload.len = payload->len;
		will.payload.data = payload->data;
		will.qos = command_number(c, "will-qos", 0);
		will.retained = command_number(c, "will-retain", 0);
		o.will = &will;
		o.willProperties = version == 5 ? &will_properties : NULL;
	}
	check(MQTTAsync_connect(client, &o));
}

static void do_publish(const struct command *c)
{
	MQTTAsync_responseOptions o = response_of(c, "published");
	MQTTAsync_message msg = MQTTAsync_message_initializer;
	const struct text *payload = command_find(c, "payload");

	msg.payload = payload->data;
	msg.payloadlen = payload->len;
	msg.qos = command_number(c, "qos", 0);
	msg.retained = command_number(c, "retain", 0);
	msg.properties = o.properties;
	int rc = MQTTAsync_sendMessage(client, command_text(c, "topic"), &msg, &o);
	if (rc != MQTTASYNC_SUCCESS)
		say_error("published", rc, MQTTAsync_strerror(rc));
	MQTTProperties_free(&o.properties);
}

static void do_subscribe(const struct command *c)
{
	MQTTAsync_responseOptions o = response_of(c, "subscribed");
	int options = command_number(c, "options", 0);

	o.subscribeOptions.noLocal = options >> 2 & 1;
	o.subscribeOptions.retainAsPublished = options >> 3 & 1;
	o.subscribeOptions.retainHandling = (unsigned char)(options >> 4);
	check(MQTTAsync_subscribe(client, command_text(c, "filter"), command_number(c, "qos", 0),
	                          &o));
	MQTTProperties_free(&o.properties);
}

static void do_unsubscribe(const struct command *c)
{
	MQTTAsync_responseOptions o = response_of(c, "unsubscribed");

	check(MQTTAsync_unsubscribe(client, command_text(c, "filter"), &o));
	MQTTProperties_free(&o.properties);
}

static void do_disconnect(const struct command *c)
{
	static char event[] = "closed";
	MQTTAsync_disconnectOptions five = MQTTAsync_disconnectOptions_initializer5;
	MQTTAsync_disconnectOptions three = MQTTAsync_disconnectOptions_initializer;

	five.reasonCode = (enum MQTTReasonCodes)command_number(c, "reason", 0);
	five.properties = properties_of(c, "prop");
	five.timeout = three.timeout = 10000;
	five.context = three.context = event;
	five.onSuccess5 = on_success;
	five.onFailure5 = on_failure;
	three.onSuccess = on_success3;
	three.onFailure = on_failure3;
	check(MQTTAsync_disconnect(client, version == 5 ? &five : &three));
	MQTTProperties_free(&five.properties);
}

static const struct verb verbs[] = {
    {"connect", do_connect},         {"publish", do_publish},       {"subscribe", do_subscribe},
    {"unsubscribe", do_unsubscribe}, {"disconnect", do_disconnect},
};

int main(void)
{
	commands_run(verbs, sizeof(verbs) / sizeof(verbs[0]));
	return 0;
}
