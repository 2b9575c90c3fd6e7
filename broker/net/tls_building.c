/* Errors of OpenSSL while a context is built. */
#include "net/tls_building.h"

#include <openssl/err.h>

void tls_building_report(const struct tls_building *b, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	errors_add(b->errors, b->conf_path, 0, 0, "TLS: %s: %s", what,
	           reason == NULL ? "OpenSSL gives no reason" : reason);
	ERR_clear_error();
}
