/* Sessions: found by (user, client id), attached and left by connections, ended by time or by a
 * clean start. */
#include "session/session.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/list.h"
#include "session/client_link.h"

/* Both halves of the hash are secret, so that nobody can choose keys that collide. */
struct session_key session_key_of(struct slice user_key, struct slice client_id)
{
	struct session_key key = {.user_key = user_key, .client_id = client_id};

	/* mutant: queue_of_another */
	key.hash = hash_id(hash_bytes(user_key.data, user_key.len)) ^
	           hash_bytes(client_id.data, client_id.len);
	return key;
}

static bool has_key(const void *item, const void *key)
{
	const struct origin *origin = ((const struct session *)item)->origin;
	const struct session_key *wanted = key;

	/* mutant: queue_of_another_user */
	return slice_equal(origin->user_key, wanted->user_key) &&
	       slice_equal(origin->client_id, wanted->client_id);
}

/* [MQTT-3.1.3-2] */
struct session *session_find(struct worker *w, const struct session_key *key)
{
	void **place = table_find(&w->sessions->by_key, key->hash, has_key, key);

	REQUIRE_EXECUTOR(&w->executor);
	return place == NULL ? NULL : *place;
}

static struct session *find_leaving(const struct worker *w, const struct session_key *key)
{
	void **place = NULL;

	if (w->sessions->leaving.count > 0)
		place = table_find(&w->sessions->leaving, key->hash, has_key, key);
	return place == NULL ? NULL : *place;
}

bool session_is_leaving(struct worker *w, const struct session_key *key)
{
	const struct session *s = session_find(w, key);

	/* mutant: will_after_its_client */
	return (s != NULL && s->will != NULL && s->will->is_due) || find_leaving(w, key) != NULL;
}

struct session *session_find_by_id(struct worker *w, uint64_t id)
{
	void **place = table_find(&w->sessions->by_id, hash_id(id), NULL, NULL);

	REQUIRE_EXECUTOR(&w->executor);
	return place == NULL ? NULL : *place;
}

void session_rename(struct session *s, struct identity *identity)
{
	struct session_table *t = s->worker->sessions;
	struct session_key before = session_key_of(s->origin->user_key, s->origin->client_id);
	struct session_key now = session_key_of(identity->key, s->origin->client_id);
	struct origin *origin = origin_new(s->origin->anonymous, s->id, identity->key,
	                                   identity->name, s->origin->client_id);

	REQUIRE_OWNER(s);
	REQUIRE(session_find(s->worker, &now) == NULL);
	REQUIRE(identity->key.len == s->identity->key.len); /* its cost is the same */
	table_remove(&t->by_key, before.hash, s);
	identity_unref(&s->identity);
	s->identity = identity_ref(identity);
	origin_unref(&s->origin);
	s->origin = origin;
	table_add(&t->by_key, now.hash, s);
}

/* Itself; its origin, its subject of the rules and its identity with the names in them; its places
 * in tables of the worker and in the journal's. */
size_t session_cost(const struct identity *identity, struct slice client_id)
{
	return sizeof(struct session) + sizeof(struct origin) + sizeof(struct identity) +
	       8 * CHARGE_ALLOC + 128 +
	       2 * (identity->key.len + identity->name.len + client_id.len);
}

struct slice session_client_id(const struct session *s)
{
	return s->origin->client_id;
}

struct slice session_user(const struct session *s)
{
	return s->origin->user_name;
}

const struct conf_limits *session_limits(const struct session *s)
{
	return s->link != NULL ? client_link_limits(s->link) : &s->worker->snapshot->conf->limits;
}

#define SUBJECT_STEPS 16 /* after a reload it is made again (worker.h: work) */

const struct acl_subject *session_subject(struct session *s)
{
	const struct config_snapshot *snapshot = s->worker->snapshot;

	REQUIRE_OWNER(s);
	if (s->subject == NULL || s->subject_generation != snapshot->generation) {
		acl_subject_free(s->subject);
		s->subject = config_snapshot_subject(snapshot, s->origin->anonymous,
		                                     s->origin->user_name, s->origin->client_id);
		s->subject_generation = snapshot->generation;
		s->worker->work += SUBJECT_STEPS;
	}
	return s->subject;
}
