/* Loading a policy as one piece: nothing is used before everything was read and checked. */
#include "worker/config_snapshot.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/control_socket.h"
#include "base/alloc.h"
#include "base/require.h"
#include "base/trust.h"
#include "base/trust_groups.h"
#include "client/conn_memory.h"
#include "net/socket_bind.h"
#include "store/store_lock.h"

static bool roles_of_user(void *arg, struct slice name, char *const **roles, size_t *role_count)
{
	return identity_source_roles(arg, name, roles, role_count);
}

static void warn_unknown_roles(const struct config_snapshot *p, struct errors *errors)
{
	for (size_t i = 0; i < identity_source_count(p->identities); i++) {
		struct identity_entry user;

		identity_source_at(p->identities, i, &user);
		for (size_t r = 0; r < user.role_count; r++) {
			if (!acl_has_role(p->acl, user.roles[r]))
				errors_warn(
				    errors, identity_source_path(p->identities), user.line, 0,
				    "user '%s' has the role '%s', which the ACL file does not "
				    "define: it gives nothing",
				    user.name, user.roles[r]);
		}
	}
}

static struct acl *load_acl(const struct conf *conf, struct errors *errors)
{
	/* A start takes a missing ACL file at its word: it denies everything. */
	if (conf->acl_file != NULL && access(conf->acl_file, F_OK) != 0 && errno == ENOENT) {
		errors_warn(errors, conf->acl_file, 0, 0,
		            "there is no such file: everything is denied; write rules into it");
		return acl_load(NULL, conf->partial_subscriptions, errors);
	}
	return acl_load(conf->acl_file, conf->partial_subscriptions, errors);
}

static void free_tls(const struct conf *conf, struct tls_context **tls)
{
	for (size_t i = 0; tls != NULL && i < conf->listener_count; i++)
		tls_context_unref(&tls[i]);
	free(tls);
}

struct tls_context **config_snapshot_load_tls(const struct conf *conf, struct tls_tickets *tickets,
                                              struct errors *errors)
{
	struct tls_context **tls = xcalloc(conf->listener_count, sizeof(*tls));
	size_t before = errors->error_count;

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (!l->is_unix)
			tls[i] = tls_context_new(&l->tls, conf->path, (unsigned)i, tickets, errors);
	}
	if (errors->error_count == before)
		return tls;
	free_tls(conf, tls);
	return NULL;
}

struct tls_context **config_snapshot_renew_clients(const struct config_snapshot *p,
                                                   struct errors *errors)
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
	free_tls(p->conf, tls);
	return NULL;
}

/* --- slots --- */

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
			errors_add(
			    errors, p->conf->path, p->conf->listeners[i].line, 0,
			    "too many listeners came and went since the start: restart the broker");
			return false;
		}
		p->slots[slot] = (int)i;
	}
	p->slot_count = next;
	return true;
}

static void check_listeners(const struct conf *conf, struct errors *errors)
{
	for (size_t i = 0; i < conf->listener_count; i++)
		(void)socket_bind_check(&conf->listeners[i], errors, conf->path);
}

static void check_persistence(const struct conf *conf, struct errors *errors)
{
	const char *directory = conf->persistence_directory;
	char text[STORE_ERROR_TEXT];

	if (directory != NULL &&
	    conf_check_directory(directory, "persistence.directory", errors) == 0 &&
	    store_lock_check_files(directory, text) != 0)
		errors_add(errors, directory, 0, 0, "persistence.directory: %s", text);
}

static struct config_snapshot *config_snapshot_new(uint64_t generation)
{
	struct config_snapshot *p = xnew(p);

	atomic_store(&p->refs, 1);
	p->generation = generation;
	return p;
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

struct config_snapshot *config_snapshot_load(const char *conf_path, struct tls_tickets *tickets,
                                             const struct config_snapshot *before,
                                             struct errors *errors)
{
	struct config_snapshot *p =
	    config_snapshot_new(before == NULL ? 1 : before->generation + 1);

	trust_groups_forget();
	p->conf = conf_load(conf_path, errors);
	if (p->conf == NULL || !assign_listener_ids(p, before, errors))
		goto fail;
	p->identities = identity_source_load(p->conf, errors);
	p->acl = load_acl(p->conf, errors);
	p->tls = config_snapshot_load_tls(p->conf, tickets, errors);
	check_listeners(p->conf, errors);
	control_check(p->conf, errors);
	check_persistence(p->conf, errors);
	if (p->identities != NULL)
		identity_source_check_conf(p->identities, p->conf, errors);
	if (p->identities != NULL && p->acl != NULL) {
		warn_unknown_roles(p, errors);
		acl_run_tests(p->acl, roles_of_user, p->identities, errors);
	}
	if (errors->error_count == 0) {
		decide_shares(p);
		return p;
	}
fail:
	config_snapshot_unref(&p);
	return NULL;
}

struct config_snapshot *config_snapshot_of(struct conf *conf, struct identity_source *identities,
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

struct config_snapshot *config_snapshot_renew(struct config_snapshot *now,
                                              struct identity_source *identities,
                                              struct tls_context **tls)
{
	struct config_snapshot *p = config_snapshot_new(now->generation + 1);

	p->base = config_snapshot_ref(now->base != NULL ? now->base : now);
	p->conf = now->conf;
	p->acl = now->acl;
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

struct config_snapshot *config_snapshot_ref(struct config_snapshot *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void config_snapshot_unref(struct config_snapshot **ref)
{
	struct config_snapshot *p = *ref;

	*ref = NULL;
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (p->conf != NULL)
		free_tls(p->conf, p->tls);
	free(p->slots);
	identity_source_unref(&p->identities);
	if (p->base == NULL) {
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

	if (!anonymous)
		identity_source_roles(p->identities, user, &who.roles, &who.role_count);
	return acl_subject_new(p->acl, &who);
}

static const char *reach_of(const struct conf_listener *l)
{
	if (strcmp(l->host, "::") == 0 || strcmp(l->host, "0.0.0.0") == 0)
		return "anywhere";
	if (strcmp(l->host, "::1") == 0 || strncmp(l->host, "127.", 4) == 0)
		return "this machine";
	return l->host;
}

static void put_means(struct buf *out, const struct config_snapshot *p,
                      const struct conf_listener *l)
{
	bool names = l->authentication.certificate_user != CERTIFICATE_USER_NONE;
	const char *means = identity_source_means(p->identities);

	if (l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED) {
		buf_printf(out, "certificate");
		if (!names && means != NULL)
			buf_printf(out, " and %s", means);
	} else if (l->tls.client_certificates == CLIENT_CERTIFICATES_OPTIONAL && names) {
		if (means != NULL)
			buf_printf(out, "%s or ", means);
		buf_printf(out, "certificate");
	} else if (means != NULL) {
		buf_printf(out, "%s", means);
	} else {
		buf_printf(out, "nobody can log in by name (no password_file)");
	}
}

static void put_kept(struct buf *out, const struct conf *conf)
{
	if (conf->persistence_directory == NULL) {
		buf_printf(out, "nothing is kept over a restart (no persistence.directory)\n");
		return;
	}
	buf_printf(out, "kept in %s: ", conf->persistence_directory);
	if (conf->durability == DURABILITY_ACK)
		buf_printf(out, "sessions, and each message before it is acknowledged");
	else if (conf->durability == DURABILITY_INTERVAL)
		buf_printf(out, "sessions, and messages within %u ms",
		           conf->persistence_interval_ms);
	else
		buf_printf(out, "sessions, no messages");
	if (conf->persistence_topic_count > 0)
		buf_printf(out, "; persistence.topics say otherwise of %zu %s",
		           conf->persistence_topic_count,
		           conf->persistence_topic_count == 1 ? "filter" : "filters");
	buf_printf(out, "\n");
}

static void put_size(struct buf *out, uint64_t bytes)
{
	const uint64_t mega = (uint64_t)1 << 20;

	if (bytes >= mega << 10)
		buf_printf(out, "%.1fG", (double)bytes / (double)(mega << 10));
	else
		buf_printf(out, "%.1fM", (double)bytes / (double)mega);
}

/* What clients may make the process take, all together: what is counted, and what is not. */
static void put_memory(struct buf *out, const struct conf *conf)
{
	uint64_t connections = (uint64_t)conf->limits.connections + conf->limits.unauthenticated;
	uint64_t fixed = connections * CONN_FIXED_BYTES;

	buf_printf(out, "memory: ");
	if (conf->shared.memory_bytes == 0) {
		buf_printf(out, "any (limits.memory is 0), and ");
	} else {
		buf_printf(out, "at most ");
		put_size(out, conf->shared.memory_bytes + fixed);
		buf_printf(out, ": ");
		put_size(out, conf->shared.memory_bytes);
		buf_printf(out, " for what clients make the broker keep (limits.memory), and ");
	}
	put_size(out, fixed);
	buf_printf(out,
	           " for the fixed part of %llu connections (limits.connections, "
	           "limits.unauthenticated), %zuk each; about 20k while one is idle\n",
	           (unsigned long long)connections, CONN_FIXED_BYTES >> 10);
}

char *config_snapshot_exposure(const struct config_snapshot *p)
{
	struct buf out = {0};

	for (size_t i = 0; i < p->conf->listener_count; i++) {
		const struct conf_listener *l = &p->conf->listeners[i];

		if (l->is_unix)
			buf_printf(&out, "%s (mode %04o) from this machine: ", l->bind, l->mode);
		else
			buf_printf(&out, "%u/TLS from %s: ", l->port, reach_of(l));
		put_means(&out, p, l);
		buf_printf(&out, "; anonymous: %s\n", l->authentication.anonymous ? "yes" : "no");
	}
	put_kept(&out, p->conf);
	put_memory(&out, p->conf);
	buf_printf(&out, "%zu users, %zu roles, %zu rules", identity_source_count(p->identities),
	           acl_role_count(p->acl), acl_rule_count(p->acl));
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}
