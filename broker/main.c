/* The command line, the process around the broker, and its exit status: 0 fine, 1 failed while
 * running, 2 wrong use or configuration. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "audit/audit_log.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/log.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "net/inherited_sockets.h"
#include "net/socket_bind.h"
#include "net/tls/tls_tickets.h"
#include "program/audit_file.h"
#include "program/command_line.h"
#include "program/privileges.h"
#include "sandbox/sandbox.h"
#include "server/check_sessions.h"
#include "server/check_user_ids.h"
#include "server/config_load.h"
#include "server/exposure.h"
#include "server/server.h"
#include "store/store_files.h"
#include "store/store_open.h"
#include "store/store_sigbus.h"
#include "worker/config_snapshot.h"

enum command {
	COMMAND_RUN,
	COMMAND_CHECK,
	COMMAND_DUMP,
};

struct broker_options {
	enum command command;
	const char *config;
};

static void print_usage(FILE *to)
{
	fputs("usage: broker -c broker.yaml            run in the foreground\n"
	      "       broker --check -c broker.yaml    check everything that a start checks, print "
	      "who can connect\n"
	      "       broker --dump -c broker.yaml     print the effective configuration\n"
	      "\n"
	      "  --trust-owner USER   also trust files that belong to this user (name or number)\n"
	      "  --trust-group GROUP  also trust files that this group may write\n"
	      "                       Both may be given more than once.\n",
	      to);
}

/* No ptrace by others: keys and passwords are in this memory. */
static void harden(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (!VAKT_SANITIZED) /* a leak checker has to look into the process */
		(void)prctl(PR_SET_DUMPABLE, 0);
}

static char *became; /* the user, where root has started the broker; NULL: nobody else */

static void print_errors(struct errors *errors)
{
	char *text = errors_text(errors);

	fputs(text, stderr);
	free(text);
	errors_fini(errors);
}

static int dump(const char *path)
{
	struct errors errors = {0};
	struct conf *conf = conf_load(path, &errors);
	char *text;

	print_errors(&errors);
	if (conf == NULL)
		return 2;
	text = conf_dump(conf);
	fputs(text, stdout);
	free(text);
	conf_free(conf);
	return 0;
}

/* Root becomes the user that broker.yaml names: whatever is read from here on is read as that user,
 * as each reload will. What is wrong with broker.yaml otherwise is reported when it is used. False:
 * it could not, and the process must not go on. */
static bool become_user(const char *path, bool starts)
{
	struct errors errors = {0}, ignored = {0};
	struct conf *conf = conf_load(path, &ignored);
	char text[PRIVILEGES_TEXT_MAX];
	bool ok = true;

	if (conf != NULL && conf->user != NULL && geteuid() == 0) {
		for (size_t i = 0; i < conf->listener_count; i++)
			ok &= socket_bind_early(&conf->listeners[i], starts ? &errors : &ignored,
			                        path) == 0 ||
			      !starts;
		if (!privileges_drop(conf->user, text)) {
			errors_add(&errors, path, 0, 0, "user: %s", text);
			ok = false;
		}
		became = ok ? xstrdup(conf->user) : NULL;
	}
	print_errors(&errors);
	errors_fini(&ignored);
	conf_free(conf);
	return ok;
}

/* As root it could be read, perhaps. */
static void explain_user(struct errors *errors, const char *path)
{
	if (became != NULL)
		errors_add(
		    errors, path, 0, 0,
		    "user: the broker reads all files as %s: where one cannot be read, give it "
		    "to a group of that user ('chgrp GROUP FILE; chmod g+r FILE')",
		    became);
}

static struct config_snapshot *load(const char *path, struct tls_tickets *tickets)
{
	struct errors errors = {0};
	struct config_snapshot *snapshot = config_load(path, tickets, NULL, &errors);

	if (snapshot == NULL)
		explain_user(&errors, path);
	print_errors(&errors);
	if (snapshot == NULL)
		fprintf(stderr, "broker: %s is not used: fix the errors above\n", path);
	return snapshot;
}

/* Does whoever reads standard error expect JSON? Also of a configuration that is refused, where
 * that much of it can be read. */
static bool wants_json(const char *path)
{
	struct errors ignored = {0};
	struct conf *conf = conf_load(path, &ignored);
	bool json = conf != NULL && conf->log_json;

	conf_free(conf);
	errors_fini(&ignored);
	return json;
}

/* The same for a start, whose standard error is the log. */
static struct config_snapshot *load_for_start(const char *path, struct tls_tickets *tickets)
{
	struct errors errors = {0};
	struct config_snapshot *snapshot;

	if (!wants_json(path))
		return load(path, tickets);
	log_set_json(true);
	snapshot = config_load(path, tickets, NULL, &errors);
	if (snapshot == NULL) {
		explain_user(&errors, path);
		errors_add(&errors, path, 0, 0, "it is not used: fix the errors above");
	}
	errors_log(&errors);
	errors_fini(&errors);
	return snapshot;
}

/* Can a start read the store? */
static bool check_store(const struct config_snapshot *snapshot)
{
	const struct conf *conf = snapshot->conf;
	const char *directory = conf->persistence_directory;
	struct store_options options = {.directory = directory,
	                                .max_bytes = conf->persistence_max_bytes};
	char text[STORE_ERROR_TEXT];
	struct errors errors = {0};
	uint32_t format;
	bool ok;
	int rc;

	if (directory == NULL)
		return true;
	rc = store_open_check(&options, text);
	if (rc != 0 && rc != -EBUSY) {
		errors_add(&errors, directory, 0, 0, "persistence.directory: %s", text);
		print_errors(&errors);
		return false;
	}
	if (rc == -EBUSY)
		printf("%s: a broker runs there: the store is not verified\n", directory);
	if (store_files_format(directory, &format, text) != 0) {
		errors_add(&errors, directory, 0, 0, "persistence.directory: %s", text);
		print_errors(&errors);
		return false;
	}
	if (text[0] != '\0')
		errors_warn(&errors, directory, 0, 0, "persistence.directory: %s", text);
	store_files_describe_upgrade(format, STORE_FORMAT, text);
	if (text[0] != '\0')
		printf("%s: the store is of format %" PRIu32 ": %s\n", directory, format, text);
	if (format == 0)
		return true;
	check_sessions(conf, &errors);
	check_user_ids(snapshot, &errors);
	ok = errors.error_count == 0;
	print_errors(&errors);
	return ok;
}

/* A start goes on with a warning: the clients decide. */
static bool check_certificates(const struct config_snapshot *snapshot)
{
	struct errors errors = {0};
	bool ok;

	for (size_t i = 0; i < snapshot->conf->listener_count; i++) {
		if (snapshot->tls[i] != NULL)
			tls_context_check_new(NULL, 0, snapshot->tls[i], &errors);
	}
	ok = errors.error_count == 0;
	print_errors(&errors);
	return ok;
}

/* Before anybody is served. */
static void enter_sandbox(const struct conf *conf)
{
	const char *why = "";

	if (conf->sandbox == CONF_SANDBOX_OFF)
		return;
	if (sandbox_enter(&why))
		LOG_NO_FIELDS(SANDBOX_ENTERED);
	else
		LOG(SANDBOX_MISSING, .cause = why);
}

static void print_sandbox(const struct conf *conf)
{
	const char *why = "";

	if (conf->sandbox == CONF_SANDBOX_OFF)
		printf("Sandbox: off\n");
	else if (sandbox_is_possible(&why))
		printf("Sandbox: on\n");
	else
		printf("Sandbox: not in force: %s\n", why);
}

static int check(const char *path)
{
	struct tls_tickets *tickets = tls_tickets_new();
	struct config_snapshot *snapshot = load(path, tickets);
	int status =
	    snapshot == NULL || !check_certificates(snapshot) || !check_store(snapshot) ? 2 : 0;

	if (status == 0) {
		char *text = exposure_text(snapshot);

		printf("%s is valid. Access:\n%s\n", path, text);
		if (became != NULL)
			printf("User: %s\n", became);
		print_sandbox(snapshot->conf);
		free(text);
	}
	config_snapshot_unref(&snapshot);
	tls_tickets_free(tickets);
	return status;
}

/* The chained audit, if it is configured. */
static bool open_chain(const struct conf *conf)
{
	const struct audit_options options = {.path = conf->audit_file,
	                                      .key_path = conf->audit_key};
	struct buf why = {0};
	int failed;

	if (conf->audit_file == NULL)
		return true;
	failed = audit_log_start(&options, &why);
	buf_put_u8(&why, 0);
	if (failed != 0)
		LOG(CONFIG_ERROR, .where = SLICE("audit"), .error = (const char *)why.data);
	buf_fini(&why);
	return failed == 0;
}

static bool open_log(const struct conf *conf)
{
	int failed;

	log_set_level(conf->log_level);
	log_set_areas((const char *const *)conf->log_areas.items, conf->log_areas.count);
	log_set_json(conf->log_json);
	failed = audit_file_open(conf->log_audit);
	if (failed != 0) /* it was possible a moment ago, as config_check says */
		LOG(CONFIG_ERROR, .where = slice_of_str(conf->log_audit),
		    .error = "log.audit: the audit file cannot be opened");
	if (failed == 0 && log_start() != 0) {
		fprintf(stderr, "broker: cannot start a thread for the log\n");
		return false;
	}
	return failed == 0 && open_chain(conf);
}

static int run(const char *path)
{
	struct tls_tickets *tickets = tls_tickets_new();
	struct config_snapshot *snapshot = load_for_start(path, tickets);
	int status = 2;

	store_sigbus_explain("broker");
	if (snapshot != NULL && open_log(snapshot->conf)) {
		if (became != NULL)
			LOG(USER_CHANGED, .user = became);
		enter_sandbox(snapshot->conf);
		status = server_run(snapshot, tickets);
	}
	audit_log_stop();
	log_stop();
	audit_file_close();
	config_snapshot_unref(&snapshot);
	tls_tickets_free(tickets);
	return status;
}

static int take_config(void *options, const char *value)
{
	((struct broker_options *)options)->config = value;
	return 0;
}

static int take_check(void *options, const char *value)
{
	(void)value;
	((struct broker_options *)options)->command = COMMAND_CHECK;
	return 0;
}

static int take_dump(void *options, const char *value)
{
	(void)value;
	((struct broker_options *)options)->command = COMMAND_DUMP;
	return 0;
}

static const struct command_option command_options[] = {
    {"config", 'c', true, take_config},
    {"check", 0, false, take_check},
    {"dump", 0, false, take_dump},
};

int main(int argc, char **argv)
{
	static const struct foreign_option foreign[] = {
	    {'d', "it runs in the foreground, and a service manager starts it"},
	    {'p', "'bind' of a listener in broker.yaml has the port"},
	    {'v', "'log: { level: debug }' in broker.yaml logs more"},
	    {0, NULL},
	};
	static const struct command_line line = {.program = "broker",
	                                         .foreign = foreign,
	                                         .print_usage = print_usage,
	                                         .options = command_options,
	                                         .option_count = ARRAY_LEN(command_options),
	                                         .is_broker = true};
	struct broker_options o = {.command = COMMAND_RUN};
	int status;

	command_line_start(&line);
	status = command_line_read(&o, argc, argv);
	if (status != -1)
		return status;
	if (optind < argc)
		return report_excess(argv[optind]);
	if (o.config == NULL)
		return report_usage("name the configuration with -c broker.yaml");
	harden();
	inherited_sockets_take();
	if (o.command == COMMAND_DUMP)
		return command_line_finish(dump(o.config));
	if (!become_user(o.config, o.command == COMMAND_RUN))
		return 2;
	status = o.command == COMMAND_RUN ? run(o.config) : command_line_finish(check(o.config));
	free(became);
	return status;
}
