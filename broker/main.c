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
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/descriptors.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/trust.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "net/tls_tickets.h"
#include "server/check_sessions.h"
#include "server/config_load.h"
#include "server/exposure.h"
#include "server/server.h"
#include "store/store_files.h"
#include "worker/config_snapshot.h"

enum command {
	COMMAND_RUN,
	COMMAND_CHECK,
	COMMAND_DUMP,
};

static const char usage[] =
    "usage: broker -c broker.yaml            run in the foreground\n"
    "       broker --check -c broker.yaml    check everything that a start checks, print who can "
    "connect\n"
    "       broker --dump -c broker.yaml     print the effective configuration\n"
    "       broker --version\n"
    "\n"
    "  --trust-owner USER   also trust files that belong to this user (name or number)\n"
    "  --trust-group GROUP  also trust files that this group may write\n"
    "                       Both may be given more than once.\n";

static int wrong_use(const char *what)
{
	fprintf(stderr, "broker: %s\n%s", what, usage);
	return 2;
}

static int wrong_name(const char *kind, const char *name)
{
	fprintf(stderr,
	        "broker: --trust-%s: there is no %s '%s' on this machine; a number can be given "
	        "instead\n",
	        strcmp(kind, "user") == 0 ? "owner" : kind, kind, name);
	return 2;
}

/* No core file, no ptrace by others: keys and passwords are in this memory. New files are for us
 * alone. */
static void harden(void)
{
	struct rlimit none = {0, 0};

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (VAKT_SANITIZED)
		return; /* a leak checker has to look into the process */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
}

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

static struct config_snapshot *load(const char *path, struct tls_tickets *tickets)
{
	struct errors errors = {0};
	struct config_snapshot *snapshot = config_load(path, tickets, NULL, &errors);

	print_errors(&errors);
	if (snapshot == NULL)
		fprintf(stderr, "broker: %s is not used: fix the errors above\n", path);
	return snapshot;
}

/* Can a start read the store? */
static bool check_store(const struct conf *conf)
{
	const char *directory = conf->persistence_directory;
	char text[STORE_ERROR_TEXT];
	struct errors errors = {0};
	uint32_t format;
	bool ok;

	if (directory == NULL)
		return true;
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
	ok = errors.error_count == 0;
	print_errors(&errors);
	return ok;
}

static int check(const char *path)
{
	struct tls_tickets *tickets = tls_tickets_new();
	struct config_snapshot *snapshot = load(path, tickets);
	int status = snapshot == NULL || !check_store(snapshot->conf) ? 2 : 0;

	if (status == 0) {
		char *text = exposure_text(snapshot);

		printf("%s is valid. Access:\n%s\n", path, text);
		free(text);
	}
	config_snapshot_unref(&snapshot);
	tls_tickets_free(tickets);
	return status;
}

static bool open_log(const struct conf *conf)
{
	int failed;

	log_set_level(conf->log_level);
	log_set_json(conf->log_json);
	failed = log_audit_open(conf->log_audit);
	if (failed == -EPERM)
		fprintf(stderr,
		        "%s: the audit file belongs to somebody else, or others may write it; run: "
		        "chown and chmod o-w, or move it away\n",
		        conf->log_audit);
	else if (failed != 0)
		fprintf(stderr,
		        "%s: cannot open the audit file: %s; make its directory writable for this "
		        "user, or leave log.audit out\n",
		        conf->log_audit, strerror(-failed));
	return failed == 0;
}

static int run(const char *path)
{
	struct tls_tickets *tickets = tls_tickets_new();
	struct config_snapshot *snapshot = load(path, tickets);
	int status = 2;

	if (snapshot != NULL && open_log(snapshot->conf))
		status = server_run(snapshot, tickets);
	log_audit_close();
	config_snapshot_unref(&snapshot);
	tls_tickets_free(tickets);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	                                        {"check", no_argument, NULL, 'k'},
	                                        {"dump", no_argument, NULL, 'd'},
	                                        {"version", no_argument, NULL, 'v'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {"trust-owner", required_argument, NULL, 'o'},
	                                        {"trust-group", required_argument, NULL, 'g'},
	                                        {NULL, 0, NULL, 0}};
	enum command command = COMMAND_RUN;
	const char *path = NULL;
	int option;

	descriptors_reserve_standard();
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			command = COMMAND_CHECK;
			break;
		case 'd':
			command = COMMAND_DUMP;
			break;
		case 'v':
			printf("broker %s\n", VAKT_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'o':
			if (!trust_owner(optarg))
				return wrong_name("user", optarg);
			break;
		case 'g':
			if (!trust_group(optarg))
				return wrong_name("group", optarg);
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc)
		return wrong_use("unexpected argument");
	if (path == NULL)
		return wrong_use("name the configuration with -c broker.yaml");
	harden();
	hash_init();
	if (command == COMMAND_DUMP)
		return dump(path);
	return command == COMMAND_CHECK ? check(path) : run(path);
}
