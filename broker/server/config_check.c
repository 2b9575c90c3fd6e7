/* The table of checks.  To add one, write a function above the table and add its row.
 *
 * New users and revocation lists never wait for other files: where a reload fails they are applied
 * all the same (reload.c), and this table does not hold them back.  What users must satisfy by
 * themselves is checked by identity_source_load, which both ways call. */
#include "server/config_check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "acl/rule_filter.h"
#include "admin/control/control_socket.h"
#include "audit/audit_key.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/require.h"
#include "conf/conf_file.h"
#include "net/inherited_sockets.h"
#include "net/socket_bind.h"
#include "net/tls/tls_context.h"
#include "program/audit_file.h"
#include "program/privileges.h"
#include "program/trust.h"
#include "server/check_access.h"
#include "server/check_machine.h"
#include "server/check_paths.h"
#include "server/issued_certificates.h"
#include "store/store_lock.h"

/* Longer than devices should be away after a restart. */
#define LOGIN_COST_MAX_S 30

struct config_candidate {
	const struct config_snapshot *next;
	const struct config_snapshot *before; /* NULL: a start, or --check */
	struct errors *errors;
};

/* A start makes everything; a reload only what is new, and the rest stays as it is. */
static bool starts(const struct config_candidate *c)
{
	return c->before == NULL;
}

/* As far as it can be seen from outside: it has the store, or answers at the control socket. */
static bool broker_runs(const struct conf *conf)
{
	long pid = 0;
	int fd = -1;

	if (conf->persistence_directory != NULL)
		fd = store_lock_share(conf->persistence_directory, &pid);
	if (fd >= 0)
		close(fd);
	return pid != 0 ||
	       (conf->control_socket != NULL && socket_bind_is_served(conf->control_socket));
}

/* Whoever connects to a socket that nobody accepts from waits for ever. */
static void check_inherited(const struct config_candidate *c)
{
	const struct conf *conf = c->next->conf;
	bool used[INHERITED_SOCKETS_MAX] = {false}, listens;
	char text[INHERITED_TEXT_MAX];

	for (size_t i = 0; i < conf->listener_count; i++) {
		int index = socket_bind_inherited(&conf->listeners[i]);

		if (index >= 0)
			used[index] = true;
	}
	if (conf->control_socket != NULL && inherited_sockets_find_path(conf->control_socket) >= 0)
		used[inherited_sockets_find_path(conf->control_socket)] = true;
	for (size_t i = 0; inherited_sockets_describe(i, text, &listens); i++)
		/* mutant: unused_socket_is_named */
		if (!used[i])
			errors_warn(
			    c->errors, conf->path, 0, 0,
			    listens ? "the service manager has passed a socket that listens at %s, "
				      "and no listener has this address: whoever connects there "
				      "gets no answer; add a listener, or remove the "
				      "ListenStream= of the socket unit"
				    : "the service manager has passed %s, which does not listen "
				      "for streams: it is not used; a socket unit needs "
				      "ListenStream= and Accept=no",
			    text);
}

static void check_listeners(const struct config_candidate *c)
{
	const struct conf *conf = c->next->conf;

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		/* The start itself tells whether it is in use. */
		if (socket_bind_check(l, starts(c), c->errors, conf->path) == -EADDRINUSE &&
		    !broker_runs(conf))
			errors_warn(c->errors, conf->path, l->line, l->column,
			            "%s: port %u is in use by another program, unless that is this "
			            "broker; 'ss -ltnp sport = :%u' names it",
			            l->bind, l->port, l->port);
	}
	check_inherited(c);
}

/* A key that does not exist is made by the start. */
static void check_chain_key(const char *path, struct errors *errors)
{
	uint8_t key[AUDIT_KEY_BYTES];
	struct buf why = {0};
	int failed = audit_key_read(path, key, &why);

	crypto_wipe(key, sizeof(key));
	if (failed == -ENOENT)
		failed = audit_file_check(path);
	if (failed != 0 && why.len > 0)
		errors_add(errors, path, 0, 0, "audit.key: %.*s", (int)why.len,
		           (const char *)why.data);
	else if (failed != 0)
		errors_add(errors, path, 0, 0, "audit.key: cannot be made: %s", strerror(-failed));
	buf_fini(&why);
}

static void check_chain(const struct config_candidate *c)
{
	const struct conf *conf = c->next->conf;
	int failed;

	if (conf->audit_file == NULL && conf->audit_key == NULL)
		return;
	if (conf->audit_file == NULL || conf->audit_key == NULL) {
		errors_add(c->errors, conf->path, 0, 0,
		           "audit: both file and key are needed: add %s",
		           conf->audit_file == NULL ? "file" : "key");
		return;
	}
	if (!starts(c))
		return;
	failed = audit_file_check(conf->audit_file);
	if (failed != 0)
		errors_add(c->errors, conf->audit_file, 0, 0,
		           "audit.file: cannot be written, or belongs to somebody else: %s; name a "
		           "file in a directory where this user may write",
		           strerror(-failed));
	check_chain_key(conf->audit_key, c->errors);
}

/* A reload is of the user that the broker has become. */
static void check_user(const struct config_candidate *c)
{
	const struct conf *conf = c->next->conf;
	char text[PRIVILEGES_TEXT_MAX];

	if (conf->user != NULL && !privileges_can_drop(conf->user, text))
		errors_add(c->errors, conf->path, 0, 0, "user: %s", text);
}

static void check_audit(const struct config_candidate *c)
{
	const char *path = c->next->conf->log_audit;
	int failed;

	if (path == NULL || !starts(c))
		return;
	failed = audit_file_check(path);
	if (failed != 0)
		config_check_explain_audit(path, failed,
		                           "name a file in a directory where this user may write, "
		                           "or leave log.audit out",
		                           c->errors);
}

static void check_identities(const struct config_candidate *c)
{
	if (c->next->identities != NULL)
		identity_source_check_conf(c->next->identities, c->next->conf, c->errors);
}

/* Devices that are not back yet stand as "offline": their wills were published. */
static void check_login_cost(const struct config_candidate *c)
{
	const struct identity_source *source = c->next->identities;
	unsigned threads = authenticator_threads(c->next->conf->workers);
	struct login_cost cost;
	uint64_t all_s;

	if (source == NULL || !starts(c))
		return;
	identity_source_login_cost(source, &cost);
	all_s = cost.all_ms / threads / 1000;
	/* mutant: login_cost_is_warned_about */
	if (all_s > LOGIN_COST_MAX_S)
		errors_warn(c->errors, identity_source_path(source), 0, 0,
		            "after a restart it takes about %u s until all %u users are logged in: "
		            "a password hash takes up to %u ms on this machine, and the broker "
		            "computes %u at a time; choose cheaper hashes, SCRAM or client "
		            "certificates (COST in broker-passwd(1))",
		            (unsigned)all_s, (unsigned)cost.users, (unsigned)cost.slowest_ms,
		            threads);
}

static void check_control_socket(const struct config_candidate *c)
{
	control_socket_check(c->next->conf, starts(c), c->errors);
}

static void check_persistence(const struct config_candidate *c)
{
	const char *directory = c->next->conf->persistence_directory;
	char text[STORE_ERROR_TEXT];
	int rc;

	if (directory == NULL ||
	    conf_check_directory(directory, "persistence.directory", c->errors) != 0)
		return;
	rc = store_lock_check_files(directory, text);
	if (rc == 0)
		return;
	errors_add(c->errors, directory, 0, 0, "persistence.directory: %s", text);
	errors_note_cause(c->errors, -rc);
}

static void check_names(const struct config_candidate *c)
{
	check_paths(c->next->conf, c->errors);
}

static void check_users_and_rules(const struct config_candidate *c)
{
	if (c->next->identities != NULL && c->next->acl != NULL)
		check_access(c->next, c->errors);
}

static void check_limits(const struct config_candidate *c)
{
	check_machine(c->next->conf, c->errors);
}

static bool roles_of_user(void *arg, struct acl_who *who)
{
	who->assumed = identity_source_is_assumed(arg, who->user);
	return identity_source_roles(arg, who->user, &who->roles, &who->role_count);
}

/* The tests of the ACL file. */
static void check_acl_tests(const struct config_candidate *c)
{
	const struct config_snapshot *next = c->next;

	if (next->identities != NULL && next->acl != NULL)
		acl_run_tests(next->acl, roles_of_user, next->identities, c->errors);
}

/* The first row whose filter matches decides. */
static void check_durable_topics(const struct config_candidate *c)
{
	const struct conf *conf = c->next->conf;

	for (size_t i = 0; i < conf->persistence_topic_count; i++) {
		const char *later = conf->persistence_topics[i].filter;

		for (size_t j = 0; j < i; j++) {
			const char *earlier = conf->persistence_topics[j].filter;

			if (!rule_filter_covers(slice_of_str(earlier), slice_of_str(later)))
				continue;
			errors_warn(c->errors, conf->path, 0, 0,
			            "persistence.topics: '%s' never decides: '%s' comes first and "
			            "covers it; move it up or remove it",
			            later, earlier);
			break;
		}
	}
}

static void check_issued(const struct config_candidate *c)
{
	issued_certificates_check(c->next->conf, c->errors);
}

/* At a reload: the certificates that are in use are better than new ones that clients refuse. */
static void check_new_certificates(const struct config_candidate *c)
{
	if (starts(c))
		return;
	for (size_t i = 0; i < c->next->conf->listener_count; i++) {
		/* mutant: new_certificate_is_valid */
		if (c->next->tls[i] != NULL)
			tls_context_check_new(c->before->tls, c->before->conf->listener_count,
			                      c->next->tls[i], c->errors);
	}
}

typedef void check_fn(const struct config_candidate *c);

static check_fn *const checks[] = {
    check_user,           check_audit,       check_chain,
    check_names,          check_listeners,   check_identities,
    check_control_socket, check_persistence, check_users_and_rules,
    check_acl_tests,      check_limits,      check_durable_topics,
    check_login_cost,     check_issued,      check_new_certificates,
};

void config_check_explain_audit(const char *path, int failed, const char *otherwise,
                                struct errors *errors)
{
	struct buf why = {0};

	REQUIRE(failed < 0);
	if (failed == -EACCES)
		trust_describe_denial(path, W_OK, &why);
	if (why.len > 0)
		errors_add(errors, path, 0, 0, "log.audit: %.*s", (int)why.len,
		           (const char *)why.data);
	else if (failed == -EPERM)
		errors_add(
		    errors, path, 0, 0,
		    "log.audit: the audit file belongs to somebody else, or others may write it: "
		    "move it away, and a new one is made");
	else
		errors_add(errors, path, 0, 0, "log.audit: cannot be opened: %s; %s",
		           strerror(-failed), otherwise);
	errors_note_cause(errors, -failed);
	buf_fini(&why);
}

void config_check(const struct config_snapshot *next, const struct config_snapshot *before,
                  struct errors *errors)
{
	struct config_candidate check = {.next = next, .before = before, .errors = errors};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		checks[i](&check);
}
