/* Events of the protocol on their way to who has the connection: what the server says about an end
 * is put into its words. */
#include "mqtt/mqtt_hooks.h"

#include "base/utf8.h"
#include "mqtt/mqtt_dial.h"
#include "proto/reason.h"

void mqtt_hooks_put_reason(struct buf *out, const char *what, const char *name, enum reason reason,
                           const struct properties *p)
{
	buf_printf(out, "%s: %s (0x%02x)", what, name, (unsigned)reason);
	if (p->reason_string.len > 0) {
		buf_printf(out, ": ");
		utf8_put_printable(out, p->reason_string);
	}
	if (p->server_reference.len > 0) {
		buf_printf(out, "; it names another server: ");
		utf8_put_printable(out, p->server_reference);
	}
}

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	struct mqtt_connection *c = arg;

	if (ack->reason != REASON_SUCCESS) {
		c->refused = true;
		mqtt_hooks_put_reason(mqtt_attempt_words(c), "the server refused the login",
		                      reason_name(ack->reason), ack->reason, p);
	}
	if (c->events->protocol.on_connack != NULL)
		c->events->protocol.on_connack(c->arg, ack, p);
}

static bool on_message(void *arg, const struct publish *message)
{
	struct mqtt_connection *c = arg;

	return c->events->protocol.on_message(c->arg, message);
}

static void on_answer(void *arg, const struct mqtt_answer *answer)
{
	struct mqtt_connection *c = arg;

	if (c->events->protocol.on_answer != NULL)
		c->events->protocol.on_answer(c->arg, answer);
}

static void on_disconnect(void *arg, enum reason reason, const struct properties *p)
{
	struct mqtt_connection *c = arg;

	c->end_reason = reason;
	mqtt_hooks_put_reason(mqtt_attempt_words(c), "the server ended the connection",
	                      reason_name_of_close(reason), reason, p);
	if (c->events->protocol.on_disconnect != NULL)
		c->events->protocol.on_disconnect(c->arg, reason, p);
}

static void on_auth(void *arg, enum reason reason, const struct properties *p)
{
	struct mqtt_connection *c = arg;

	c->events->protocol.on_auth(c->arg, reason, p);
}

static const struct mqtt_events hooks = {on_connack, on_message, on_answer, on_disconnect, NULL};
static const struct mqtt_events hooks_with_auth = {on_connack, on_message, on_answer, on_disconnect,
                                                   on_auth};

const struct mqtt_events *mqtt_hooks_of(bool with_auth)
{
	return with_auth ? &hooks_with_auth : &hooks;
}
