/* Reason codes: the standard's words, and 3.1.1's return codes. */
#include "rows.h"

static void names(void **state)
{
	static const struct {
		unsigned code;
		const char *name;
	} rows[] = {
	    {0x00, "Success"},
	    {0x04, "Disconnect with Will Message"},
	    {0x18, "Continue authentication"},
	    {0x81, "Malformed Packet"},
	    {0x87, "Not authorized"},
	    {0x8f, "Topic Filter invalid"},
	    {0xa2, "Wildcard Subscriptions not supported"},
	    {0x03, "unknown reason"},
	    {0xa3, "unknown reason"},
	    {0xff, "unknown reason"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(reason_name((enum reason)rows[i].code), rows[i].name);
}

static void connack_return_codes(void **state)
{
	/* Table 3.1 of 3.1.1; the codes that are not here have no return code. */
	static const struct {
		enum reason reason;
		uint8_t code;
	} rows[] = {
	    {REASON_SUCCESS, 0},
	    {REASON_UNSUPPORTED_VERSION, 1}, /* [MQTT3-3.1.2-2] */
	    {REASON_CLIENT_ID_NOT_VALID, 2}, /* [MQTT3-3.1.3-9] */
	    {REASON_SERVER_UNAVAILABLE, 3},
	    {REASON_SERVER_BUSY, 3},
	    {REASON_QUOTA_EXCEEDED, 3},
	    {REASON_CONNECTION_RATE_EXCEEDED, 3},
	    {REASON_BAD_USER_NAME_OR_PASSWORD, 4},
	    {REASON_NOT_AUTHORIZED, 5},
	    {REASON_BANNED, 5},
	    {REASON_MALFORMED, 0}, /* [MQTT3-3.2.2-6] */
	    {REASON_PROTOCOL_ERROR, 0},
	    {REASON_TOPIC_NAME_INVALID, 0},
	    {REASON_PACKET_TOO_LARGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(reason_connack_v3(rows[i].reason), rows[i].code);
	for (unsigned code = 0; code < 256; code++)
		assert_true(reason_connack_v3((enum reason)code) <= 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(connack_return_codes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
