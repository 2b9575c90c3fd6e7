/* Fills a manual page: a line `.\" fill: NAME` gives way to what the program's own tables say, so
 * that the page cannot say anything else.  Run when the pages are built. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "conf/conf_manual.h"

#define FILL ".\\\" fill: "

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A line may end after a hyphen, but not after this one. */
static void put_unbroken(const char *text)
{
	bool macro = false;

	for (const char *c = text; *c != '\0'; c++) {
		if (c == text || c[-1] == '\n')
			macro = *c == '.';
		if (!macro && *c == '-' && c > text && is_word(c[-1]) && is_word(c[1]))
			putchar('\\');
		putchar(*c);
	}
}

static int put_options(void)
{
	char *text = conf_manual();

	put_unbroken(text);
	free(text);
	return 0;
}

static const struct {
	const char *name;
	const char *level;
	bool audit;
	const char *text;
	const char *fields; /* a blank before each */
} events[] = {
#define BYTES(field)                                " " #field
#define STRING(field)                               " " #field
#define NUMBER(field)                               " " #field
#define SIGNED(field)                               " " #field
#define COUNT(field)                                " " #field
#define OPTIONAL(field)                             " " #field
#define EVENT(id, name, level, audit, text, fields) {name, #level, audit, text, "" fields},
#include "base/events.def"
#undef BYTES
#undef STRING
#undef NUMBER
#undef SIGNED
#undef COUNT
#undef OPTIONAL
#undef EVENT
};

static void put_lower(const char *s)
{
	for (; *s != '\0'; s++)
		putchar(*s >= 'A' && *s <= 'Z' ? *s - 'A' + 'a' : *s);
}

static int put_events(void)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		printf(".It Ic %s Pq ", events[i].name);
		put_lower(events[i].level);
		printf("%s\n%c%s.\n", events[i].audit ? ", audit" : "",
		       events[i].text[0] >= 'a' && events[i].text[0] <= 'z'
		           ? events[i].text[0] - 'a' + 'A'
		           : events[i].text[0],
		       events[i].text + 1);
		if (events[i].fields[0] != '\0')
			printf("Fields:%s.\n", events[i].fields);
	}
	puts(".El");
	return 0;
}

static const struct {
	const char *topic; /* "": it is not in $SYS */
	const char *text;
} figures[] = {
#define COUNTER(member, topic, status, text) {topic, text},
#define FIGURE(member, topic, status, text)  {topic, text},
#define STORE(member, topic, status, text)   {topic, text},
#define ALIAS(member, topic)                 {topic, "The same figure under another name."},
#include "worker/figures.def"
};

static const char *const rates[] = {
#define RATE(member, topic) topic,
#include "worker/figures.def"
};

static int put_figures(void)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		if (figures[i].topic[0] != '\0')
			printf(".It Ic %s\n%s\n", figures[i].topic, figures[i].text);
	}
	puts(".It Ic load/ Ns Ar WHAT Ns Ic /1min , /5min , /15min\n"
	     "Moving averages per minute of");
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		printf(".Ic %s%s\n", rates[i], i + 1 < ARRAY_LEN(rates) ? " ," : " .");
	return 0;
}

static const struct {
	const char *name, *labels, *text;
} metrics[] = {
#define METRIC_COUNTER(name, member, text)                 {name, "", text},
#define METRIC_GAUGE(name, member, text)                   {name, "", text},
#define METRIC_SET(name, label, names, member, text)       {name, label, text},
#define METRIC_GAUGE_SET(name, label, names, member, text) {name, label, text},
#define METRIC_HISTOGRAM(name, function, text)             {name, "le", text},
#define METRIC(type, name, labels, function, text)         {name, labels, text},
#include "admin/metrics.def"
};

static int put_metrics(void)
{
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		printf(".It Ic %s", metrics[i].name);
		if (metrics[i].labels[0] != '\0')
			printf(" Ns { Ns Ar %s Ns }", metrics[i].labels);
		printf("\n%s\n", metrics[i].text);
	}
	return 0;
}

enum command_option {
#define OPTION(id, ...) OPTION_##id,
#include "admin/control/commands.def"
};

static const struct {
	const char *name, *word, *text;
	unsigned options; /* 1 << enum command_option */
} commands[] = {
#define TAKES(id)  (1U << OPTION_##id)
#define NO_OPTIONS 0U
#define COMMAND(id, name, scope, access, function, argument, word, what, options, done, summary,   \
                columns, text)                                                                     \
	{name, word, text, options},
#include "admin/control/commands.def"
};

static const struct {
	const char *name, *word;
} command_options[] = {
#define OPTION(id, name, word, member, text) {name, word},
#include "admin/control/commands.def"
};

static void put_command_options(unsigned options)
{
	for (size_t i = 0; i < ARRAY_LEN(command_options); i++) {
		const char *word = command_options[i].word;

		if ((options & 1U << i) == 0)
			continue;
		printf(" Op Fl Fl %s", command_options[i].name);
		if (word != NULL)
			printf(" Ar %s", word);
	}
}

static int put_commands(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		printf(".It Cm %s", commands[i].name);
		if (commands[i].word != NULL)
			printf(" Ar %s", commands[i].word);
		put_command_options(commands[i].options);
		printf("\n%s", commands[i].text);
	}
	return 0;
}

static const struct {
	const char *key, *preset, *value, *help;
} workload[] = {
#define WORKLOAD(key, KIND, preset, least, most, value, help) {#key, preset, value, help},
#include "tools/bench/workload.def"
};

/* Options of broker-bench; the key of a file has underscores. */
static int put_workload(void)
{
	for (size_t i = 0; i < ARRAY_LEN(workload); i++) {
		printf(".It Fl Fl ");
		for (const char *c = workload[i].key; *c != '\0'; c++) {
			if (*c == '_')
				fputs("\\-", stdout);
			else
				putchar(*c);
		}
		if (workload[i].value[0] != '\0')
			printf(" Ar %s", workload[i].value);
		printf("\n%c", workload[i].help[0] - 'a' + 'A');
		put_unbroken(workload[i].help + 1);
		printf(".\n");
		if (workload[i].value[0] != '\0' && strcmp(workload[i].preset, "0") != 0)
			printf("The default is %s.\n", workload[i].preset);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*put)(void);
} fills[] = {{"options", put_options}, {"events", put_events},     {"figures", put_figures},
             {"metrics", put_metrics}, {"commands", put_commands}, {"workload", put_workload}};

static int put_line(char *line)
{
	if (strncmp(line, FILL, strlen(FILL)) != 0) {
		fputs(line, stdout);
		return 0;
	}
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
		if (strcmp(line + strlen(FILL), fills[i].name) == 0)
			return fills[i].put();
	}
	fprintf(stderr, "fill: nothing is called '%s'\n", line + strlen(FILL));
	return 1;
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *page = argc == 2 ? fopen(argv[1], "re") : NULL;
	int status = 0;

	if (page == NULL) {
		fprintf(stderr, "usage: fill PAGE.in\n");
		return 1;
	}
	while (status == 0 && fgets(line, sizeof(line), page) != NULL)
		status = put_line(line);
	if (ferror(page) || fclose(page) != 0 || fflush(stdout) != 0)
		status = 1;
	return status;
}
