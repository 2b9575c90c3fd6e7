/* From the listener, the stream and the packet. */
#include "client/connect/login_input.h"

#include "proto/packet_connect.h"

/* Does this listener take certificates, its own or those that a proxy vouches for? */
static bool asks_for_certificates(const struct conf_listener *l)
{
	return l->is_unix ? l->trust_tls_fields
	                  : l->tls.client_certificates != CLIENT_CERTIFICATES_NONE;
}

void login_input_fill(struct conn *c, const struct connect *packet, struct buf *name,
                      struct login *out)
{
	const struct config_snapshot *snapshot = c->link.worker->snapshot;
	const struct conf_listener *l =
	    worker_listener(c->link.worker, stream_listener(c->link.stream));
	enum conf_certificate_user kind = l->authentication.certificate_user;

	REQUIRE_OWNER(&c->link);
	*out = (struct login){
	    .conf = &l->authentication,
	    .source = snapshot->identities,
	    .has_user_name = packet->has_user_name,
	    .has_password = packet->has_password,
	    .user_name = packet->user_name,
	    .password = packet->password,
	    .client_id = packet->client_id,
	    .assigned_client_id =
		c->link.session != NULL ? c->assigned_client_id : packet->client_id.len == 0,
	    .has_certificate = asks_for_certificates(l) && stream_has_certificate(c->link.stream),
	    .has_peer_users = l->peer_users.count > 0,
	    .assumed_name = slice_of_str(l->assume_user),
	    .certificate_required = l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED,
	};
	/* Who the peer is at a Unix socket; a proxy there is nobody's user. */
	if (stream_proxy(c->link.stream) == NULL)
		out->peer_name =
		    slice_of_str(peer_address_user(stream_peer(c->link.stream), &l->peer_users));
	/* A certificate names a user only where it has exactly one name of that kind. */
	if (out->has_certificate && kind != CERTIFICATE_USER_NONE &&
	    stream_certificate_names(c->link.stream, kind, name) == 1)
		out->certificate_name = buf_slice(name);
	out->has_certificate_key = out->certificate_name.len > 0 &&
	                           stream_certificate_key(c->link.stream, out->certificate_key);
}

bool login_input_still_valid(struct conn *c, const struct connect *packet,
                             const struct identity *id, uint64_t generation, const char **why)
{
	const struct config_snapshot *snapshot = c->link.worker->snapshot;
	struct buf name = {0};
	struct login now;
	bool valid;

	/* mutant: login_of_older_users */
	if (generation == snapshot->generation)
		return true;
	login_input_fill(c, packet, &name, &now);
	valid = login_still_valid(id, &now, why);
	buf_fini(&name);
	return valid;
}

void login_input_count(struct worker *w, enum login_method method, enum login_verdict verdict)
{
	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(method < LOGIN_METHODS);
	count(&w->counters.logins[method * LOGIN_RESULTS + login_result(verdict)]);
}
