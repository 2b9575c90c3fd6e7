/* bench_load: loads a broker that keeps things on disk, for tests/bench/durable, and measures the
 * machine: its disk, and OpenSSL. tests/bench/compare uses broker-bench. See load.h and
 * README.md. */
#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

char load_group[] = "X25519"; /* OpenSSL's macro casts its const away */

struct word {
	const char *name;
	size_t offset;
	bool is_text;
	const char *help;
};

#define NUMBER(name, field, help)                                                                  \
	{                                                                                          \
		name, offsetof(struct options, field), false, help                                 \
	}
#define TEXT(name, field, help)                                                                    \
	{                                                                                          \
		name, offsetof(struct options, field), true, help                                  \
	}

static const struct word words[] = {
    TEXT("host", host, "the broker's IPv4 address"),
    NUMBER("port", port, "its port"),
    NUMBER("pid", pid, "its process"),
    TEXT("ca", ca, "the CA of its certificate"),
    TEXT("user", user, "who logs in"),
    TEXT("password", password, "with what"),
    TEXT("certificate", certificate, "floor: of the server"),
    TEXT("key", key, "floor: its key"),
    NUMBER("version", version, "4: MQTT 3.1.1; 5: MQTT 5.0"),
    NUMBER("limit", limit_s, "seconds after which the run has failed"),
    NUMBER("payload", payload_bytes, "bytes of each message"),
    NUMBER("subscribers", subscribers, "1: there is one, 0: it is away"),
    NUMBER("depth", depth, "messages of a publisher on their way"),
    NUMBER("warm", warm_ms, "milliseconds of traffic before it is measured"),
    NUMBER("measure", measure_ms, "milliseconds that are measured"),
    NUMBER("count", count, "values, messages or handshakes in all"),
    NUMBER("at_once", at_once, "connections on their way at a time"),
    NUMBER("clients", clients, "connections in all"),
    NUMBER("rate", rate, "messages a second, 0: as many as go"),
    TEXT("note", note, "the store's note; disk: a file to write"),
    NUMBER("rounds", rounds, "repetitions; the median is reported"),
};

struct scenario {
	const char *name;
	void (*run)(const struct options *o);
	struct options defaults;
	const char *help;
};

#define TRAFFIC .warm_ms = 500, .measure_ms = 2000, .payload_bytes = 100

static const struct scenario scenarios[] = {
    {"retained",
     run_retained,
     {.count = 10000, .payload_bytes = 100, .rounds = 5},
     "subscribe to many retained values"},
    {"queue",
     run_queue,
     {.count = 50000, .payload_bytes = 128},
     "memory of messages for a client that is away"},
    {"kept",
     run_kept,
     {TRAFFIC, .clients = 100, .subscribers = 1, .depth = 1},
     "QoS 1 to a session that is kept (subscribers=0: and away), acknowledged from the disk"},
    {"disk", run_disk, {0}, "no broker: commits a second that the disk gives"},
    {"floor", run_floor, {.count = 1000}, "no broker: OpenSSL's own CPU for a server's handshake"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench_load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void report(const char *name, double value)
{
	printf("%s %.4f\n", name, value);
}

static _Noreturn void usage(void)
{
	puts("usage: bench_load SCENARIO port=N pid=N ca=FILE user=NAME password=TEXT "
	     "[NAME=VALUE]...");
	for (size_t i = 0; i < COUNT(scenarios); i++)
		printf("  %-14s %s\n", scenarios[i].name, scenarios[i].help);
	puts("where NAME is one of");
	for (size_t i = 0; i < COUNT(words); i++)
		printf("  %-14s %s\n", words[i].name, words[i].help);
	exit(2);
}

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		die("not a number: %s", text);
	return value;
}

static void take_word(struct options *o, const char *argument)
{
	const char *equals = strchr(argument, '=');
	size_t len = equals == NULL ? 0 : (size_t)(equals - argument);

	for (size_t i = 0; i < COUNT(words) && equals != NULL; i++) {
		char *field = (char *)o + words[i].offset;

		if (strlen(words[i].name) != len || strncmp(words[i].name, argument, len) != 0)
			continue;
		if (words[i].is_text) {
			const char *text = equals + 1;

			memcpy(field, &text, sizeof(text));
		} else {
			uint64_t value = number_of(equals + 1);

			memcpy(field, &value, sizeof(value));
		}
		return;
	}
	die("unknown word: %s", argument);
}

static void set_defaults(struct options *o)
{
	if (o->host == NULL)
		o->host = "127.0.0.1";
	if (o->version == 0)
		o->version = 4;
	if (o->limit_s == 0)
		o->limit_s = 120;
	if (o->at_once == 0)
		o->at_once = 20;
}

static bool is_told_the_broker(const struct options *o)
{
	return o->port != 0 && o->pid != 0 && o->ca != NULL && o->user != NULL &&
	       o->password != NULL;
}

/* As many descriptors as this process may have. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	const struct scenario *found = NULL;
	struct options o;

	for (size_t i = 0; i < COUNT(scenarios) && argc > 1; i++) {
		if (strcmp(scenarios[i].name, argv[1]) == 0)
			found = &scenarios[i];
	}
	if (found == NULL)
		usage();
	o = found->defaults;
	for (int i = 2; i < argc; i++)
		take_word(&o, argv[i]);
	set_defaults(&o);
	if (found->run != run_floor && found->run != run_disk && !is_told_the_broker(&o))
		usage();
	(void)signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	(void)alarm((unsigned)o.limit_s); /* nothing here waits for ever */
	found->run(&o);
	return 0;
}
