/* Everything that a configuration says, loaded and checked together: the broker.yaml, users, ACL
 * and TLS contexts that are in force at one time. Immutable, shared by reference; each worker holds
 * the one it works by, and a reload is a new one.  Thread: made on main. */
#ifndef WORKER_CONFIG_SNAPSHOT_H
#define WORKER_CONFIG_SNAPSHOT_H

#include "acl/acl.h"
#include "auth/identity_source.h"
#include "conf/conf.h"
#include "net/tls/tls_context.h"
#include "worker/static_files.h"
#include "worker/user_ids.h"

/* Of a secret that programs send: its SHA-256. */
struct config_token {
	bool is_set;
	uint8_t digest[32];
};

struct config_snapshot {
	_Atomic uint32_t refs;
	uint64_t generation; /* from 1, one more with each that was taken */
	struct conf *conf;
	struct identity_source *identities;
	/* What is known of ids that users had. NULL: nothing; set before workers have it
	 * (server/set_aside.h). */
	struct user_ids *user_ids;
	struct acl *acl;
	struct tls_context **tls; /* one per listener; NULL for a Unix socket */
	/* One per listener; NULL: there are none. Of `base`, where there is one. */
	struct config_token *metrics_tokens;
	/* One per listener, NULL where it serves no dashboard; likewise. */
	struct static_files **dashboards;
	/* Where conf and acl come from when only users or TLS contexts were renewed: it owns them.
	 * NULL: they are its own. */
	struct config_snapshot *base;
	/* Connections know their listener by a slot that stays the same over reloads: slot to index
	 * in conf->listeners, -1: gone. */
	int *slots;
	unsigned slot_count;
	bool has_shares;         /* more than one identity can log in */
	bool has_address_shares; /* or somebody may come who is not it */
};

#define LISTENER_IDS_MAX 256

/* Empty, with one reference. */
struct config_snapshot *config_snapshot_new(uint64_t generation);
/* The listener of a slot, NULL: it is gone. */
static inline const struct conf_listener *config_snapshot_listener(const struct config_snapshot *p,
                                                                   unsigned slot)
{
	if (slot >= p->slot_count || p->slots[slot] < 0)
		return NULL;
	return &p->conf->listeners[p->slots[slot]];
}
struct config_snapshot *config_snapshot_ref(struct config_snapshot *p);
void config_snapshot_unref(struct config_snapshot **p);

/* A logged-in user as the rules see it: roles from the identity source and the ACL file.
 * The caller frees. */
struct acl_subject *config_snapshot_subject(const struct config_snapshot *p, bool anonymous,
                                            struct slice user, struct slice client_id);
/* The contexts of all listeners, and their array. */
void config_snapshot_free_tls(const struct conf *conf, struct tls_context **tls);

#endif
