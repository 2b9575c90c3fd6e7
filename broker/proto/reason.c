/* Reason codes by name, and what 3.1.1 makes of them.  Pure. */
#include "proto/reason.h"

#include <stddef.h>

const char *reason_name(enum reason reason)
{
	static const char *const names[256] = {
#define REASON(id, code, name) [code] = (name),
#include "proto/reasons.def"
#undef REASON
	};
	unsigned code = (unsigned)reason;

	return code < 256 && names[code] != NULL ? names[code] : "unknown reason";
}

/* Table 3.1 of 3.1.1. What has no row has no code: the server closes without CONNACK.
 * [MQTT3-3.2.2-6] */
uint8_t reason_connack_v3(enum reason reason)
{
	enum {
		UNACCEPTABLE_PROTOCOL_VERSION = 1,
		IDENTIFIER_REJECTED = 2,
		SERVER_UNAVAILABLE = 3,
		BAD_USER_NAME_OR_PASSWORD = 4,
		NOT_AUTHORIZED = 5,
	};
	static const uint8_t codes[256] = {
	    [REASON_UNSUPPORTED_VERSION] = UNACCEPTABLE_PROTOCOL_VERSION, /* [MQTT3-3.1.2-2] */
	    [REASON_CLIENT_ID_NOT_VALID] = IDENTIFIER_REJECTED,           /* [MQTT3-3.1.3-9] */
	    [REASON_SERVER_UNAVAILABLE] = SERVER_UNAVAILABLE,
	    [REASON_SERVER_BUSY] = SERVER_UNAVAILABLE,
	    [REASON_SERVER_SHUTTING_DOWN] = SERVER_UNAVAILABLE,
	    [REASON_QUOTA_EXCEEDED] = SERVER_UNAVAILABLE,
	    [REASON_USE_ANOTHER_SERVER] = SERVER_UNAVAILABLE,
	    [REASON_SERVER_MOVED] = SERVER_UNAVAILABLE,
	    [REASON_CONNECTION_RATE_EXCEEDED] = SERVER_UNAVAILABLE,
	    [REASON_BAD_USER_NAME_OR_PASSWORD] = BAD_USER_NAME_OR_PASSWORD,
	    [REASON_NOT_AUTHORIZED] = NOT_AUTHORIZED,
	    [REASON_BANNED] = NOT_AUTHORIZED,
	};
	unsigned code = (unsigned)reason;

	return code < 256 ? codes[code] : 0;
}
