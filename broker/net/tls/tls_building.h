/* A TLS context that is being built, and where its errors are reported.  Thread: any. */
#ifndef NET_TLS_BUILDING_H
#define NET_TLS_BUILDING_H

#include <openssl/err.h>

#include "conf/conf.h"
#include "conf/errors.h"

struct tls_context;

struct tls_building {
	struct tls_context *ctx;
	const struct conf_tls *conf;
	const char *conf_path;
	unsigned listener_id;
	enum conf_protocol protocol;
	/* Certificates are copied from there; NULL: read from their files. */
	const struct tls_context *certificates_of;
	struct errors *errors;
};

/* An error with OpenSSL's last reason; its queue is empty afterwards. */
static inline void tls_building_report(const struct tls_building *b, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	errors_add(b->errors, b->conf_path, 0, 0, "TLS: %s: %s", what,
	           reason == NULL ? "OpenSSL gives no reason" : reason);
	ERR_clear_error();
}

#endif
