/* Each connection has an exchange of its own, with a fresh nonce, which begins in CONNECT.  Only
 * clients begin a re-authentication, and this one has no reason to.  [MQTT5-4.12.0-5] */
#include "pubsub/client_scram.h"

#include "base/require.h"
#include "proto/property.h"

struct slice client_scram_begin(struct client_scram *s, const struct client_options *options)
{
	char nonce[SCRAM_NONCE];
	struct buf first = {0};

	REQUIRE(options->scram && options->user != NULL);
	client_scram_fini(s);
	*s = (struct client_scram){.login = {.step = SCRAM_LOGIN_NEW}};
	scram_nonce(nonce);
	scram_login_first(&s->login, slice_of_str(options->user), slice_of(nonce, sizeof(nonce)),
	                  &first);
	buf_put_slice(&s->properties, buf_slice(&options->connect_properties));
	property_put_string(&s->properties, PROPERTY_AUTH_METHOD, SCRAM_METHOD);
	property_put_string(&s->properties, PROPERTY_AUTH_DATA, buf_slice(&first));
	buf_fini(&first);
	return buf_slice(&s->properties);
}

void client_scram_fini(struct client_scram *s)
{
	scram_login_fini(&s->login);
	buf_fini(&s->properties);
}

static bool is_ours(const struct properties *p)
{
	return properties_have(p, PROPERTY_AUTH_METHOD) &&
	       slice_equal(p->auth_method, SCRAM_METHOD);
}

const char *client_scram_answer(struct client_scram *s, const struct client_options *options,
                                enum reason reason, const struct properties *p, struct buf *out)
{
	if (!is_ours(p))
		return "it goes on with another method";
	if (reason != REASON_CONTINUE_AUTHENTICATION)
		return "it sends an AUTH that nobody asked for";
	return scram_login_final(&s->login, buf_slice(&options->password), p->auth_data, out);
}

const char *client_scram_check(struct client_scram *s, const struct properties *p)
{
	if (!is_ours(p))
		return "it lets this client in without SCRAM, and so does not show that it knows "
		       "the password";
	return scram_login_check(&s->login, p->auth_data);
}
