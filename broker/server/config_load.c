/* Loading a configuration as one piece: nothing is used before everything was read and checked. */
#include "server/config_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/require.h"
#include "conf/conf_load.h"
#include "program/trust_writers.h"
#include "server/config_check.h"
#include "server/metrics_tokens.h"

/* --- files --- */

static struct acl *load_acl(const struct conf *conf, struct errors *errors)
{
	/* A start takes a missing ACL file at its word: it denies everything. */
	if (conf->acl_file != NULL && access(conf->acl_file, F_OK) != 0 && errno == ENOENT) {
		errors_warn(errors, conf->acl_file, 0, 0,
		            "the file does not exist: everything is denied; write rules into it");
		return acl_load(NULL, conf->authorization.partial_subscriptions, errors);
	}
	return acl_load(conf->acl_file, conf->authorization.partial_subscriptions, errors);
}

/* One for each listener, NULL for a Unix socket. On errors some are missing. */
static struct tls_context **load_tls(const struct conf *conf, struct tls_tickets *tickets,
                                     struct errors *errors)
{
	struct tls_context **tls = xcalloc(conf->listener_count, sizeof(*tls));

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (l->has_tls)
			tls[i] = tls_context_new(&l->tls, conf->path, (unsigned)i, l->protocol,
			                         tickets, errors);
	}
	return tls;
}

/* One for each listener. On errors some are missing. */
static struct static_files **load_dashboards(const struct conf *conf, struct errors *errors)
{
	struct static_files **dashboards = xcalloc(conf->listener_count, sizeof(*dashboards));

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if ((l->serve & CONF_SERVICE_DASHBOARD) != 0)
			dashboards[i] = static_files_load(l->dashboard.directory, errors);
	}
	return dashboards;
}

/* --- what is decided once for all connections --- */

static int slot_of(const struct config_snapshot *before, const struct conf_listener *l)
{
	for (unsigned slot = 0; before != NULL && slot < before->slot_count; slot++) {
		const struct conf_listener *old = config_snapshot_listener(before, slot);

		if (old != NULL && strcmp(old->bind, l->bind) == 0)
			return (int)slot;
	}
	return -1;
}

/* A listener keeps its slot; a new one gets a slot that nobody ever had. */
static bool assign_listener_ids(struct config_snapshot *p, const struct config_snapshot *before,
                                struct errors *errors)
{
	unsigned next = before == NULL ? 0 : before->slot_count;

	p->slots = xcalloc(LISTENER_IDS_MAX, sizeof(*p->slots));
	for (unsigned i = 0; i < LISTENER_IDS_MAX; i++)
		p->slots[i] = -1;
	for (size_t i = 0; i < p->conf->listener_count; i++) {
		int slot = slot_of(before, &p->conf->listeners[i]);

		if (slot < 0)
			slot = (int)next++;
		if (slot >= LISTENER_IDS_MAX) {
			errors_add(errors, p->conf->path, p->conf->listeners[i].line, 0,
			           "too many listeners were added and removed since the start: "
			           "restart the broker");
			return false;
		}
		p->slots[slot] = (int)i;
	}
	p->slot_count = next;
	return true;
}

/* Shares are for several: there are none where only one identity can log in. Addresses have some
 * before a login all the same, where that one needs a login. */
static void decide_shares(struct config_snapshot *p)
{
	bool anonymous = false, by_certificate = false;
	size_t count;

	for (size_t i = 0; i < p->conf->listener_count; i++) {
		const struct conf_authentication *a = &p->conf->listeners[i].authentication;

		anonymous |= a->anonymous;
		by_certificate |= a->certificate_user != CERTIFICATE_USER_NONE;
	}
	count = identity_source_admitted(p->identities, by_certificate, 2);
	/* mutant: memory_one_user */
	p->has_shares = count + anonymous > 1;
	p->has_address_shares = p->has_shares || !anonymous;
}

/* --- snapshots --- */

struct config_snapshot *config_load(const char *conf_path, struct tls_tickets *tickets,
                                    const struct config_snapshot *before, struct errors *errors)
{
	struct config_snapshot *p =
	    config_snapshot_new(before == NULL ? 1 : before->generation + 1);

	trust_writers_forget();
	p->conf = conf_load(conf_path, errors);
	if (p->conf == NULL || !assign_listener_ids(p, before, errors))
		goto fail;
	p->identities = identity_source_load(p->conf, errors);
	p->acl = load_acl(p->conf, errors);
	p->tls = load_tls(p->conf, tickets, errors);
	p->metrics_tokens = metrics_tokens_load(p->conf, errors);
	p->dashboards = load_dashboards(p->conf, errors);
	config_check(p, before, errors);
	if (errors->error_count == 0) {
		decide_shares(p);
		return p;
	}
fail:
	config_snapshot_unref(&p);
	return NULL;
}

struct tls_context **config_load_revocations(const struct config_snapshot *p, struct errors *errors)
{
	struct tls_context **tls = xcalloc(p->conf->listener_count, sizeof(*tls));
	bool any = false, ok = true;

	for (size_t i = 0; i < p->conf->listener_count && ok; i++) {
		const struct conf_listener *l = &p->conf->listeners[i];

		if (p->tls[i] == NULL)
			continue;
		any |= l->tls.client_crl != NULL;
		tls[i] = tls_context_renew_clients(p->tls[i], &l->tls, p->conf->path, (unsigned)i,
		                                   errors);
		ok = tls[i] != NULL;
	}
	if (any && ok)
		return tls;
	config_snapshot_free_tls(p->conf, tls);
	return NULL;
}

struct config_snapshot *config_load_parts(struct conf *conf, struct identity_source *identities,
                                          struct acl *acl, const struct config_snapshot *before)
{
	struct config_snapshot *p =
	    config_snapshot_new(before == NULL ? 1 : before->generation + 1);
	struct errors errors = {0};

	p->conf = conf;
	p->identities = identities;
	p->acl = acl;
	p->tls = xcalloc(conf->listener_count, sizeof(*p->tls));
	REQUIRE(assign_listener_ids(p, before, &errors));
	decide_shares(p);
	return p;
}

struct config_snapshot *config_load_renew(struct config_snapshot *now,
                                          struct identity_source *identities,
                                          struct tls_context **tls)
{
	struct config_snapshot *p = config_snapshot_new(now->generation + 1);

	p->base = config_snapshot_ref(now->base != NULL ? now->base : now);
	p->conf = now->conf;
	p->acl = now->acl;
	p->metrics_tokens = now->metrics_tokens;
	p->dashboards = now->dashboards;
	p->identities = identities != NULL ? identities : identity_source_ref(now->identities);
	p->slots = xcalloc(LISTENER_IDS_MAX, sizeof(*p->slots));
	memcpy(p->slots, now->slots, LISTENER_IDS_MAX * sizeof(*p->slots));
	p->slot_count = now->slot_count;
	decide_shares(p);
	p->tls = tls;
	if (tls != NULL)
		return p;
	p->tls = xcalloc(p->conf->listener_count, sizeof(*p->tls));
	for (size_t i = 0; i < p->conf->listener_count; i++)
		p->tls[i] = now->tls[i] == NULL ? NULL : tls_context_ref(now->tls[i]);
	return p;
}
