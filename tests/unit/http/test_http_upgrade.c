/* Which requests become a WebSocket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/array.h"
#include "http/websocket_upgrade.h"

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define MQTT    "Sec-WebSocket-Protocol: mqtt\r\n"

static const struct {
	const char *name, *line, *fields;
	bool meant;
	unsigned status;
} rows[] = {
    {"fine", "GET /mqtt", KEY VERSION UPGRADE MQTT, true, 0},
    {"at the root", "GET /", KEY VERSION UPGRADE MQTT, true, 0},
    {"with a query", "GET /mqtt?x", KEY VERSION UPGRADE MQTT, true, 0},
    {"in other letters", "GET /mqtt",
     KEY VERSION "connection: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n" MQTT, true, 0},
    {"several subprotocols", "GET /mqtt",
     KEY VERSION UPGRADE "Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n", true, 0},
    {"subprotocols in two fields", "GET /mqtt",
     KEY VERSION UPGRADE "Sec-WebSocket-Protocol: mqttv3.1\r\n" MQTT, true, 0},
    {"extensions are not agreed on", "GET /mqtt",
     KEY VERSION UPGRADE MQTT "Sec-WebSocket-Extensions: permessage-deflate\r\n", true, 0},
    {"the same origin", "GET /mqtt", KEY VERSION UPGRADE MQTT "Origin: https://broker\r\n", true,
     0},

    {"another path", "GET /mqttx", KEY VERSION UPGRADE MQTT, false, 0},
    {"the root without Upgrade", "GET /", "", false, 0},
    {"without Upgrade", "GET /mqtt", "", true, 426},
    {"without Connection", "GET /mqtt", KEY VERSION "Upgrade: websocket\r\n" MQTT, true, 426},
    {"another upgrade", "GET /mqtt", KEY VERSION "Connection: Upgrade\r\nUpgrade: h2c\r\n" MQTT,
     true, 426},
    {"no version", "GET /mqtt", KEY UPGRADE MQTT, true, 426},
    {"an older version", "GET /mqtt", KEY "Sec-WebSocket-Version: 8\r\n" UPGRADE MQTT, true, 426},
    {"two versions", "GET /mqtt", KEY VERSION VERSION UPGRADE MQTT, true, 426},
    {"no key", "GET /mqtt", VERSION UPGRADE MQTT, true, 400},
    {"two keys", "GET /mqtt", KEY KEY VERSION UPGRADE MQTT, true, 400},
    {"a short key", "GET /mqtt", "Sec-WebSocket-Key: AAAA\r\n" VERSION UPGRADE MQTT, true, 400},
    {"no subprotocol", "GET /mqtt", KEY VERSION UPGRADE, true, 400},
    {"mqttv3.1 alone", "GET /mqtt", KEY VERSION UPGRADE "Sec-WebSocket-Protocol: mqttv3.1\r\n",
     true, 400},
    {"another subprotocol", "GET /mqtt", KEY VERSION UPGRADE "Sec-WebSocket-Protocol: chat\r\n",
     true, 400},
    {"another origin", "GET /mqtt", KEY VERSION UPGRADE MQTT "Origin: https://evil\r\n", true, 403},
    {"another method", "HEAD /mqtt", KEY VERSION UPGRADE MQTT, true, 405},
};

/* [MQTT5-6.0.0-4] [MQTT3-6.0.0-4] */
static void table(void **state)
{
	char *paths[] = {(char[]){"/mqtt"}, (char[]){"/"}}, *origins[] = {(char[]){"same"}};
	struct conf_listener l = {.serve = CONF_SERVICE_WEBSOCKET,
	                          .websocket = {.paths = {paths, 2}, .origins = {origins, 1}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf head = {0}, accept = {0};
		struct http_request r;

		buf_printf(&head, "%s HTTP/1.1\r\nHost: broker\r\n%s\r\n", rows[i].line,
		           rows[i].fields);
		assert_int_equal(http_request_parse(buf_slice(&head), &r).status, 0);
		if (websocket_upgrade_is_meant(&r, &l) != rows[i].meant)
			fail_msg("%s: is it meant?", rows[i].name);
		if (rows[i].meant) {
			struct http_fault fault = websocket_upgrade_check(&r, &l, &accept);

			if (fault.status != rows[i].status)
				fail_msg("%s: %u", rows[i].name, fault.status);
			assert_int_equal(fault.cause != NULL, fault.status != 0);
			assert_int_equal(accept.len, fault.status == 0 ? 28 : 0);
		}
		l.serve = CONF_SERVICE_HEALTH;
		assert_false(websocket_upgrade_is_meant(&r, &l));
		l.serve = CONF_SERVICE_WEBSOCKET;
		buf_fini(&head);
		buf_fini(&accept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
