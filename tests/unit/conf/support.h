/* What the tests of conf/ share: parse text, get the errors as text. */
#ifndef TESTS_UNIT_CONF_SUPPORT_H
#define TESTS_UNIT_CONF_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "conf/conf.h"
#include "conf/conf_load.h"

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))

/* A TCP listener and what it needs; a test adds its own lines. */
#define LISTENERS "listeners:\n  - bind: \"[::]:8883\"\n"
#define TLS       "tls:\n  certificates: [{certificate: c.crt, key: k.key}]\n"

/* Listeners that override keys of the whole file. */
#define INHERITING                                                                                 \
	"listeners:\n"                                                                             \
	"  - bind: \"[::]:8883\"\n"                                                                \
	"  - bind: \"[::]:8884\"\n"                                                                \
	"    tls:\n"                                                                               \
	"      certificates: [{certificate: other.crt, key: other.key}]\n"                         \
	"      client_certificates: required\n"                                                    \
	"    authentication: {anonymous: true, certificate_user: san_uri}\n"                       \
	"    limits:\n"                                                                            \
	"      connections: 50\n"                                                                  \
	"      max_qos: 1\n"                                                                       \
	"  - bind: unix:run/b.sock\n"                                                              \
	"    mode: 0600\n"                                                                         \
	"    group: broker\n"                                                                      \
	"    limits: {connections: 7000}\n"                                                        \
	"  - {bind: \"127.0.0.1:1\", limits: , tls: {client_crl: ~}, authorization: {"             \
	"partial_subscriptions: filter}}\n"                                                        \
	"limits: {connections: 7000, subscriptions: 5}\n"                                          \
	"authentication: {bind_client_id: prefix, password_file: users.passwd}\n"                  \
	"tls:\n"                                                                                   \
	"  certificates:\n"                                                                        \
	"    - {certificate: ec.crt, key: ec.key}\n"                                               \
	"    - {certificate: rsa.crt, key: rsa.key}\n"                                             \
	"  min_version: 1.3\n"                                                                     \
	"  client_ca: ca.crt\n"                                                                    \
	"  client_crl: /crl.pem\n"

/* The errors of a parse, freed by the caller; "" where there are none. */
static inline char *errors_of(const char *name, struct slice bytes)
{
	struct errors e = {0};
	struct conf *conf = conf_parse(name, bytes, &e);
	char *text = errors_text(&e);

	assert_int_equal(conf == NULL, e.error_count > 0);
	conf_free(conf);
	errors_fini(&e);
	return text;
}

/* Parse what must be right. */
static inline struct conf *parse(const char *text)
{
	struct errors e = {0};
	struct conf *conf = conf_parse("broker.yaml", slice_of_str(text), &e);
	char *wrong = errors_text(&e);

	if (conf == NULL || e.count > 0)
		fail_msg("%s\n%s", text, wrong);
	free(wrong);
	errors_fini(&e);
	return conf;
}

static inline void assert_text(const char *name, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s: got\n%s\nwanted\n%s", name, got, want);
}

#endif
