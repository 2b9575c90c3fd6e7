/* broker-bench(1): the command line. What it does is in bench/. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/text_input.h"
#include "bench/lead.h"
#include "bench/workload_file.h"
#include "conf/errors.h"
#include "program/command_line.h"
#include "program/trust.h"

#define PASSWORD_MAX 65535

static const char usage_text[] =
    "usage: broker-bench [--host HOST] [--port N] [--cafile FILE] [-u USER --password-file FILE]\n"
    "                    [--publishers N] [--subscribers N] [--rate N] [OPTION]...\n"
    "       broker-bench --file FILE [--scenario NAME] [OPTION]...\n"
    "\n"
    "The broker:\n"
    "  --host HOST                where it is, and what its certificate must name (localhost)\n"
    "  -p, --port N               its port (8883; with --plain 1883)\n"
    "  --unix PATH                a Unix socket in place of TLS\n"
    "  --websocket PATH           MQTT over WebSocket, at that path (with the port of HTTPS)\n"
    "  --plain                    TCP without TLS: everybody on the way can read the password\n"
    "  --cafile FILE              the CA of its certificate (default: those of the system)\n"
    "  --capath DIR               a directory of CAs\n"
    "  --insecure                 do not verify: whoever answers gets the password\n"
    "  --cert FILE, --key FILE    a client certificate\n"
    "  --tls-groups LIST          key exchange, like X25519\n"
    "  --pin sha256/BASE64        the key that its certificate must have\n"
    "  --tls-ciphers LIST         cipher suites, like TLS_AES_128_GCM_SHA256\n"
    "  -u, --username USER        who logs in\n"
    "  --password-file FILE       with the password that is its only line\n"
    "  -V, --protocol-version V   of MQTT: 5 or 3.1.1 (5)\n"
    "  --pid N                    its process: what it uses is measured\n"
    "\n"
    "What to do:\n"
    "  --file FILE                scenarios; options change what the file says\n"
    "  --scenario NAME            which of them\n"
    "  --json FILE                the results as a line of JSON; - is standard output\n"
    "  -q, --quiet                no line of progress each second\n"
    "\n"
    "The load:\n";

struct options {
	struct link_options link;
	const char *user, *password_file, *file, *scenario, *json;
	enum mqtt_version version;
	pid_t pid;
	bool quiet;
	/* Those of the load: they count after what the file says. */
	const char *values[WORKLOAD_KEYS];
};

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
	workload_print_usage(to);
}

#define TAKE_TEXT(name, member)                                                                    \
	static int name(void *options, const char *value)                                          \
	{                                                                                          \
		((struct options *)options)->member = value;                                       \
		return 0;                                                                          \
	}

#define TAKE_FLAG(name, member)                                                                    \
	static int name(void *options, const char *value)                                          \
	{                                                                                          \
		(void)value;                                                                       \
		((struct options *)options)->member = true;                                        \
		return 0;                                                                          \
	}

TAKE_TEXT(take_host, link.host)
TAKE_TEXT(take_port, link.port)
TAKE_TEXT(take_unix, link.unix_path)
TAKE_TEXT(take_websocket, link.websocket)
TAKE_FLAG(take_plain, link.plain)
TAKE_FLAG(take_insecure, link.tls.insecure)
TAKE_TEXT(take_ca_file, link.tls.ca_file)
TAKE_TEXT(take_ca_path, link.tls.ca_directory)
TAKE_TEXT(take_certificate, link.tls.certificate)
TAKE_TEXT(take_key, link.tls.key)
TAKE_TEXT(take_tls_groups, link.tls.groups)
TAKE_TEXT(take_ciphers, link.tls.ciphers)
TAKE_TEXT(take_pin, link.tls.pin)
TAKE_TEXT(take_user, user)
TAKE_TEXT(take_password_file, password_file)
TAKE_TEXT(take_file, file)
TAKE_TEXT(take_scenario, scenario)
TAKE_TEXT(take_json, json)
TAKE_FLAG(take_quiet, quiet)

static int take_version(void *options, const char *value)
{
	struct options *o = options;

	if (strcmp(value, "5") == 0 || strcmp(value, "5.0") == 0 || strcmp(value, "mqttv5") == 0)
		o->version = MQTT_5_0;
	else if (strcmp(value, "3.1.1") == 0 || strcmp(value, "4") == 0 ||
	         strcmp(value, "311") == 0 || strcmp(value, "mqttv311") == 0)
		o->version = MQTT_3_1_1;
	else
		return report_usage("--protocol-version: expected 5 or 3.1.1, not '%s'", value);
	return 0;
}

static int take_pid(void *options, const char *value)
{
	struct options *o = options;
	char *end;
	long pid = strtol(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || pid <= 0 || pid > INT32_MAX)
		return report_usage("--pid: expected the number of a process, not '%s'", value);
	o->pid = (pid_t)pid;
	return 0;
}

/* A key as an option. */
static void put_dashes(char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == '_')
			*name = '-';
	}
}

static int take_value(struct options *o, enum workload_key key, const char *value)
{
	struct buf why = {0};
	struct workload scratch;
	int rc = 0;

	if (value == NULL)
		value = "true";
	workload_init(&scratch);
	if (!workload_set(&scratch, key, value, &why)) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%s", workload_name(key));
		put_dashes(name);
		rc = report_error(EXIT_USAGE, "--%s: %.*s, not '%s'", name, (int)why.len,
		                  (const char *)why.data, value);
	}
	buf_fini(&why);
	o->values[key] = value;
	return rc;
}

#define WORKLOAD(key, KIND, preset, least, most, value_name, help)                                 \
	static int take_##key(void *options, const char *value)                                    \
	{                                                                                          \
		return take_value(options, WORKLOAD_KEY_##key, value);                             \
	}
#include "bench/workload.def"
#undef WORKLOAD

#define OWN_OPTIONS 21

/* Their names are those of the table, with dashes; written there by main. */
static char names[WORKLOAD_KEYS][32];
static struct command_option options[OWN_OPTIONS + WORKLOAD_KEYS] = {
    {"host", 0, true, take_host},
    {"port", 'p', true, take_port},
    {"unix", 0, true, take_unix},
    {"websocket", 0, true, take_websocket},
    {"plain", 0, false, take_plain},
    {"insecure", 0, false, take_insecure},
    {"cafile", 0, true, take_ca_file},
    {"capath", 0, true, take_ca_path},
    {"cert", 0, true, take_certificate},
    {"key", 0, true, take_key},
    {"pin", 0, true, take_pin},
    {"tls-groups", 0, true, take_tls_groups},
    {"tls-ciphers", 0, true, take_ciphers},
    {"username", 'u', true, take_user},
    {"password-file", 0, true, take_password_file},
    {"protocol-version", 'V', true, take_version},
    {"pid", 0, true, take_pid},
    {"file", 'f', true, take_file},
    {"scenario", 0, true, take_scenario},
    {"json", 0, true, take_json},
    {"quiet", 'q', false, take_quiet},
#define WORKLOAD(key, KIND, preset, least, most, value, help) {NULL, 0, true, take_##key},
#include "bench/workload.def"
#undef WORKLOAD
};

static void name_options(void)
{
	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s",
		               workload_name((enum workload_key)i));
		put_dashes(names[i]);
		options[OWN_OPTIONS + i].name = names[i];
		options[OWN_OPTIONS + i].has_value = !workload_is_flag((enum workload_key)i);
	}
}

static const struct foreign_option foreign[] = {
    {'P', "a password on the command line can be read by all users of this machine; write it "
          "into a file and name that with --password-file"},
    {'t', "the first levels of all topics are given with --topic"},
    {0, NULL},
};

/* --- */

static int load_workload(const struct options *o, struct workload *w)
{
	struct errors errors = {0};
	struct buf why = {0};
	char *text;
	bool ok = true;

	workload_init(w);
	if (o->scenario != NULL && o->file == NULL)
		return report_usage("--scenario needs --file");
	if (o->file != NULL)
		ok = workload_file_load(w, o->file, o->scenario, &errors);
	text = errors_text(&errors);
	fputs(text, stderr);
	free(text);
	errors_fini(&errors);
	if (!ok)
		return EXIT_USAGE;
	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		if (o->values[i] != NULL)
			(void)workload_set(w, (enum workload_key)i, o->values[i], &why);
	}
	ok = workload_check(w, &why);
	if (!ok)
		(void)report_error(EXIT_USAGE, "%.*s", (int)why.len, (const char *)why.data);
	buf_fini(&why);
	return ok ? 0 : EXIT_USAGE;
}

/* Others may not read it. */
static int load_password(const char *path, struct buf *out)
{
	struct trust_request request = {.path = path, .flags = O_RDONLY, .is_secret = true};
	struct buf why = {0};
	int fd = trust_open(&request, &why), rc = 0;
	struct slice text = SLICE_EMPTY;
	const char *refused = NULL;
	ssize_t n;

	buf_reserve(out, PASSWORD_MAX + 1);
	n = fd < 0 ? -1 : read(fd, out->data, PASSWORD_MAX + 1);
	if (fd < 0 && why.len > 0)
		rc = report_error(EXIT_USAGE, "%s: %.*s", path, (int)why.len,
		                  (const char *)why.data);
	else if (n < 0)
		rc = report_error(EXIT_USAGE, "cannot read the password from %s: %s", path,
		                  strerror(fd < 0 ? -fd : errno));
	else
		text = slice_of(out->data, (size_t)n);
	if (rc == 0)
		refused = text_input_only_line(&text, PASSWORD_MAX);
	if (refused != NULL)
		rc = report_error(EXIT_USAGE, "%s has no password: %s", path, refused);
	if (rc == 0) {
		memmove(out->data, text.data, text.len);
		out->len = text.len;
	}
	if (fd >= 0)
		close(fd);
	buf_fini(&why);
	return rc;
}

static int prepare(struct options *o, const struct workload *w, struct link_settings *s,
                   struct buf *password)
{
	int rc = 0;

	if (o->password_file != NULL && o->user == NULL)
		return report_usage("--password-file needs --username");
	if (o->password_file != NULL)
		rc = load_password(o->password_file, password);
	s->mqtt = (struct mqtt_options){.version = o->version,
	                                .clean_start = true,
	                                .keep_alive_s = (uint16_t)((w->keep_alive + 999) / 1000),
	                                .send_maximum = (uint16_t)w->window,
	                                .has_user_name = o->user != NULL,
	                                .has_password = password->len > 0,
	                                .user_name = slice_of_str(o->user),
	                                .password = buf_slice(password)};
	s->mqtt_kept = s->mqtt;
	s->mqtt_kept.clean_start = false;
	s->mqtt_kept.session_expiry_s = (uint32_t)((w->session_expiry + 999) / 1000);
	s->websocket_cuts = (unsigned)w->websocket_frames;
	o->link.tls.has_tickets = w->resume;
	return rc != 0 ? rc : link_settings_init(s, &o->link);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int write_json(const struct options *o, const struct results *r)
{
	struct buf line = {0};
	FILE *to = strcmp(o->json, "-") == 0 ? stdout : fopen(o->json, "we");
	int rc = 0;

	if (to == NULL)
		return report_error(EXIT_FAILED, "cannot write %s: %s", o->json, strerror(errno));
	results_put_json(r, &line);
	(void)fwrite(line.data, 1, line.len, to);
	if (to != stdout && fclose(to) != 0)
		rc = report_error(EXIT_FAILED, "cannot write %s: %s", o->json, strerror(errno));
	buf_fini(&line);
	return rc;
}

static int report(const struct options *o, struct results *r)
{
	bool json_only = o->json != NULL && strcmp(o->json, "-") == 0;
	int rc;

	results_finish(r);
	if (r->failure != NULL)
		(void)report_error(EXIT_FAILED, "%s", r->failure);
	results_print(r, json_only ? stderr : stdout);
	rc = o->json != NULL ? write_json(o, r) : 0;
	return rc != 0 ? rc : results_status(r);
}

static int run(const struct options *o, const struct workload *w, const struct link_settings *s)
{
	struct lead_options lead_options = {
	    .workload = w, .settings = s, .broker = o->pid, .progress = !o->quiet};
	struct results r;
	int rc;

	results_init(&r, w);
	lead(&lead_options, &r);
	rc = report(o, &r);
	results_fini(&r);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct command_line line = {.program = "broker-bench",
	                                         .print_usage = print_usage,
	                                         .options = options,
	                                         .option_count = ARRAY_LEN(options),
	                                         .foreign = foreign};
	struct options o = {.version = MQTT_5_0};
	struct link_settings settings = {0};
	struct buf password = {0};
	struct workload w = {0};
	int rc;

	name_options();
	command_line_start(&line);
	(void)signal(SIGPIPE, SIG_IGN);
	rc = command_line_read(&o, argc, argv);
	if (rc == -1)
		rc = optind < argc ? report_excess(argv[optind]) : load_workload(&o, &w);
	else
		return rc;
	if (rc == 0)
		rc = prepare(&o, &w, &settings, &password);
	if (rc == 0) {
		raise_descriptors();
		rc = run(&o, &w, &settings);
	}
	buf_fini_secret(&password);
	return command_line_finish(rc);
}
