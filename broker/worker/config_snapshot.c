/* References, and what a snapshot says of users. */
#include "worker/config_snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "conf/conf_load.h"

void config_snapshot_free_tls(const struct conf *conf, struct tls_context **tls)
{
	for (size_t i = 0; tls != NULL && i < conf->listener_count; i++)
		tls_context_unref(&tls[i]);
	free(tls);
}

struct config_snapshot *config_snapshot_new(uint64_t generation)
{
	struct config_snapshot *p = xnew(p);

	atomic_store(&p->refs, 1);
	p->generation = generation;
	return p;
}

struct config_snapshot *config_snapshot_ref(struct config_snapshot *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void config_snapshot_unref(struct config_snapshot **ref)
{
	struct config_snapshot *p = *ref;
	uint32_t before;

	*ref = NULL;
	if (p == NULL)
		return;
	before = atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel);
	REQUIRE(before > 0);
	if (before > 1)
		return;
	if (p->conf != NULL)
		config_snapshot_free_tls(p->conf, p->tls);
	free(p->slots);
	identity_source_unref(&p->identities);
	user_ids_unref(&p->user_ids);
	if (p->base == NULL) {
		free(p->metrics_tokens);
		for (size_t i = 0; p->dashboards != NULL && i < p->conf->listener_count; i++)
			static_files_free(p->dashboards[i]);
		free(p->dashboards);
		acl_free(p->acl);
		conf_free(p->conf);
	}
	config_snapshot_unref(&p->base);
	free(p);
}

struct acl_subject *config_snapshot_subject(const struct config_snapshot *p, bool anonymous,
                                            struct slice user, struct slice client_id)
{
	struct acl_who who = {.anonymous = anonymous, .user = user, .client_id = client_id};
	struct identity_entry entry;

	if (!anonymous && identity_source_find(p->identities, user, &entry)) {
		who.assumed = entry.assumed;
		who.roles = entry.locked ? NULL : entry.roles;
		who.role_count = entry.locked ? 0 : entry.role_count;
	}
	return acl_subject_new(p->acl, &who);
}
