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
#include "bench/baseline.h"
#include "bench/lead.h"
#include "bench/workload_file.h"
#include "conf/errors.h"
#include "program/command_line.h"

static const char usage_text[] =
    "usage: broker-bench [-h HOST] [-p PORT] [--cafile FILE] [-u USER --password-file FILE]\n"
    "                    [--publishers N] [--subscribers N] [--rate N] [OPTION]...\n"
    "       broker-bench --file FILE [--scenario NAME] [OPTION]...\n"
    "\n"
    "The run:\n"
    "  --pid N                    the broker's process: what it uses is measured\n"
    "  --null-sink                measure first, for some seconds, what the generator can do\n"
    "                             without a broker, and compare\n"
    "  -f, --file FILE            scenarios; options change what the file says\n"
    "  --scenario NAME            which of them\n"
    "  --json FILE                the results as a line of JSON; - is standard output\n"
    "  --quiet                    no line of progress each second\n";

static const char usage_of_connections[] =
    "Only here:\n"
    "  --websocket PATH           MQTT over WebSocket, at that path (with the port of HTTPS)\n"
    "  --plain                    TCP without TLS (port 1883): everybody on the way can read\n"
    "                             the password\n"
    "  --tls-groups LIST          key exchange, like X25519\n"
    "  --tls-ciphers LIST         cipher suites, like TLS_AES_128_GCM_SHA256\n"
    "\n"
    "The load:\n";

struct options {
	struct client_options client; /* first */
	const char *websocket, *tls_groups, *tls_ciphers;
	const char *file, *scenario, *json;
	pid_t pid;
	bool null_sink;
	/* Those of the load: they count after what the file says. */
	const char *values[WORKLOAD_KEYS];
};

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
	client_options_usage_to_connect(to);
	fputs(usage_of_connections, to);
	workload_print_usage(to);
}

COMMAND_TAKE_TEXT(take_websocket, options, websocket)
COMMAND_TAKE_TEXT(take_tls_groups, options, tls_groups)
COMMAND_TAKE_TEXT(take_ciphers, options, tls_ciphers)
COMMAND_TAKE_TEXT(take_file, options, file)
COMMAND_TAKE_TEXT(take_scenario, options, scenario)
COMMAND_TAKE_TEXT(take_json, options, json)

static int take_plain(void *options, const char *value)
{
	(void)value;
	((struct options *)options)->client.plain = true;
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

static int take_null_sink(void *options, const char *value)
{
	(void)value;
	((struct options *)options)->null_sink = true;
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
		rc =
		    report_error(EXIT_USAGE, "--%s: %.*s, not '%s'%s", name, (int)why.len,
		                 (const char *)why.data, value,
		                 key == WORKLOAD_KEY_qos
		                     ? " (-q is the quality of service, as of broker-pub; no lines "
		                       "of progress: --quiet)"
		                     : "");
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

/* The words of the other clients for the same. */
static int take_keepalive(void *options, const char *value)
{
	return take_value(options, WORKLOAD_KEY_keep_alive, value);
}

static int take_expiry(void *options, const char *value)
{
	return take_value(options, WORKLOAD_KEY_session_expiry, value);
}

static int take_max_inflight(void *options, const char *value)
{
	return take_value(options, WORKLOAD_KEY_window, value);
}

static const struct command_option own_options[] = {
    {"websocket", 0, true, take_websocket},
    {"plain", 0, false, take_plain},
    {"tls-groups", 0, true, take_tls_groups},
    {"tls-ciphers", 0, true, take_ciphers},
    {"pid", 0, true, take_pid},
    {"null-sink", 0, false, take_null_sink},
    {"file", 'f', true, take_file},
    {"scenario", 0, true, take_scenario},
    {"json", 0, true, take_json},
    {"keepalive", 'k', true, take_keepalive},
    {"session-expiry-interval", 'x', true, take_expiry},
    {"max-inflight", 'M', true, take_max_inflight},
};

/* Of the load; their names are those of the table, with dashes. */
static struct command_option load_options[] = {
#define WORKLOAD(key, KIND, preset, least, most, value, help) {NULL, 0, true, take_##key},
#include "bench/workload.def"
#undef WORKLOAD
};

static struct command_option
    options[ARRAY_LEN(own_options) + WORKLOAD_KEYS + CLIENT_OPTION_ROWS_MAX];

/* All of them; how many. */
static size_t gather_options(void)
{
	static char names[WORKLOAD_KEYS][32];

	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s",
		               workload_name((enum workload_key)i));
		put_dashes(names[i]);
		load_options[i].name = names[i];
		load_options[i].has_value = !workload_is_flag((enum workload_key)i);
	}
	load_options[WORKLOAD_KEY_qos].letter = 'q';
	load_options[WORKLOAD_KEY_retain].letter = 'r';
	memcpy(options, own_options, sizeof(own_options));
	memcpy(options + ARRAY_LEN(own_options), load_options, sizeof(load_options));
	return ARRAY_LEN(own_options) + WORKLOAD_KEYS +
	       client_options_rows_to_connect(options + ARRAY_LEN(own_options) + WORKLOAD_KEYS);
}

static const struct foreign_option foreign[] = {
    {'t', "the first levels of all topics are given with --topic"},
    {'m', "what is published begins with a stamp; --payload BYTES says how long it is"},
    {'i', "each client has an id of its own, which begins with vb"},
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

static int prepare(struct options *o, const struct workload *w, struct link_settings *s)
{
	int rc;

	s->websocket = o->websocket;
	s->websocket_cuts = (unsigned)w->websocket_frames;
	rc = link_settings_init(s, &o->client);
	if (rc != 0)
		return rc;
	s->tls.groups = o->tls_groups;
	s->tls.ciphers = o->tls_ciphers;
	s->tls.has_tickets = w->resume;
	s->mqtt.clean_start = true;
	s->mqtt.resends = false;
	s->mqtt.keep_alive_s = (uint16_t)((w->keep_alive + 999) / 1000);
	s->mqtt.receive_maximum = 0;
	s->mqtt.send_maximum = (uint16_t)w->window;
	s->mqtt_kept = s->mqtt;
	s->mqtt_kept.clean_start = false;
	s->mqtt_kept.session_expiry_s = (uint32_t)((w->session_expiry + 999) / 1000);
	return link_settings_check(s);
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
	    .workload = w, .settings = s, .broker = o->pid, .progress = !o->client.quiet};
	struct results r;
	int rc = 0;

	results_init(&r, w);
	r.has_alone = o->null_sink;
	if (o->null_sink)
		rc = baseline_measure(w, s, &r.alone);
	if (rc == 0) {
		lead(&lead_options, &r);
		rc = report(o, &r);
	}
	results_fini(&r);
	return rc;
}

int main(int argc, char **argv)
{
	struct command_line line = {.program = "broker-bench",
	                            .print_usage = print_usage,
	                            .options = options,
	                            .foreign = foreign};
	static struct options o;
	struct link_settings settings = {0};
	struct workload w = {0};
	int rc;

	line.option_count = gather_options();
	command_line_start(&line);
	(void)signal(SIGPIPE, SIG_IGN);
	client_options_init(&o.client);
	rc = client_options_read(&o.client, argc, argv);
	if (rc >= 0)
		return rc;
	rc = optind < argc ? report_excess(argv[optind]) : 0;
	if (rc == 0 && o.client.url_topic != NULL)
		rc = take_topic(&o, o.client.url_topic);
	if (rc == 0)
		rc = load_workload(&o, &w);
	if (rc == 0 && o.websocket != NULL && o.client.port == 0 && o.client.socket == NULL &&
	    o.client.profile == NULL)
		rc = report_usage("--websocket needs --port: the one of the HTTPS listener");
	if (rc == 0 && o.null_sink && w.publishers == 0 && !workload_has_storm(&w))
		rc = report_usage("--null-sink needs a load: --publishers, --connects or "
		                  "--connect-rate");
	if (rc == 0)
		rc = client_options_finish(&o.client);
	if (rc == 0 && o.client.scram)
		rc = report_usage("the profile says scram: yes, which this program does not speak; "
		                  "it would send the password");
	if (rc == 0)
		rc = prepare(&o, &w, &settings);
	if (rc == 0) {
		raise_descriptors();
		rc = run(&o, &w, &settings);
	}
	client_options_fini(&o.client);
	return command_line_finish(rc);
}
