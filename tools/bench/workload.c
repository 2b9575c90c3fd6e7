/* The kinds of values, by the table. */
#include "workload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/require.h"
#include "program/command_line.h"
#include "proto/topic.h"
#include "stamp.h"

enum workload_kind {
	KIND_COUNT,
	KIND_RATE,
	KIND_TIME,
	KIND_FLAG,
	KIND_CHOICE,
	KIND_SIZES,
	KIND_TEXT,
};

struct workload_row {
	const char *name;
	enum workload_kind kind;
	size_t offset;
	const char *preset;
	uint64_t least, most;
	const char *value, *help;
};

static const struct workload_row rows[WORKLOAD_KEYS] = {
#define WORKLOAD(key, KIND, preset, least, most, value, help)                                      \
	{#key, KIND_##KIND, offsetof(struct workload, key), preset, least, most, value, help},
#include "workload.def"
#undef WORKLOAD
};

_Static_assert(ARRAY_LEN(rows) == WORKLOAD_KEYS, "a key has a row");

enum workload_key workload_find(const char *name)
{
	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		size_t n = 0;

		while (name[n] != '\0' &&
		       (rows[i].name[n] == name[n] || (rows[i].name[n] == '_' && name[n] == '-')))
			n++;
		if (name[n] == '\0' && rows[i].name[n] == '\0')
			return (enum workload_key)i;
	}
	return WORKLOAD_KEYS;
}

const char *workload_name(enum workload_key key)
{
	REQUIRE(key < WORKLOAD_KEYS);
	return rows[key].name;
}

bool workload_is_flag(enum workload_key key)
{
	return rows[key].kind == KIND_FLAG;
}

/* --- parsing --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits only, up to `most`; *end stands after them. */
static bool parse_digits(const char *text, const char **end, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > most)
			return false;
	}
	*end = text;
	*out = value;
	return true;
}

static bool parse_count(const struct workload_row *row, const char *text, uint64_t *out)
{
	const char *end;
	uint64_t value;

	if (!parse_digits(text, &end, row->most, &value) || *end != '\0' || value < row->least)
		return false;
	*out = value;
	return true;
}

#define RATE_LIMIT 1e9

static bool parse_rate(const struct workload_row *row, const char *text, double *out)
{
	char *end;
	double value;

	if (strcmp(text, "max") == 0 && strstr(row->value, "max") != NULL) {
		*out = WORKLOAD_RATE_MAX;
		return true;
	}
	/* strtod alone would take "inf", "0x1p3" and blanks. */
	if (!is_digit(text[0]) || strspn(text, "0123456789.") != strlen(text))
		return false;
	value = strtod(text, &end);
	if (*end != '\0' || value > RATE_LIMIT || value <= 0)
		return false;
	*out = value;
	return true;
}

static bool parse_time(const struct workload_row *row, const char *text, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	const char *end;
	uint64_t value;

	if (!parse_digits(text, &end, row->most * 1000, &value))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (value * units[i].ms > row->most * 1000)
			return false;
		*out = value * units[i].ms;
		return true;
	}
	return false;
}

static bool parse_flag(const char *text, bool *out)
{
	bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return false;
	*out = yes;
	return true;
}

static bool parse_choice(const struct workload_row *row, const char *text, unsigned *out)
{
	const char *at = row->value;
	size_t len = strlen(text);

	for (unsigned n = 0; *at != '\0'; n++) {
		size_t word = strcspn(at, "|");

		if (word == len && strncmp(at, text, len) == 0) {
			*out = n;
			return true;
		}
		at += word + (at[word] == '|');
	}
	return false;
}

static bool parse_sizes(const struct workload_row *row, const char *text,
                        struct workload_sizes *out)
{
	struct workload_sizes sizes = {0};
	const char *end = text;
	char between = '\0';

	do {
		uint64_t value;

		if (sizes.count > 0)
			between = *end++;
		if (sizes.count == WORKLOAD_SIZES_MAX ||
		    !parse_digits(end, &end, row->most, &value))
			return false;
		sizes.bytes[sizes.count++] = (uint32_t)value;
	} while (*end == ',' && between != '-' ? true : *end == '-' && sizes.count == 1);
	sizes.uniform = between == '-';
	if (*end != '\0' || (sizes.uniform && sizes.bytes[0] > sizes.bytes[1]))
		return false;
	*out = sizes;
	return true;
}

/* It becomes the beginning of topic names and filters. */
static bool parse_text(const char *text, struct workload_text *out)
{
	if (strlen(text) >= WORKLOAD_TEXT_MAX || !topic_name_valid(slice_of_str(text)) ||
	    text[0] == '$')
		return false;
	(void)snprintf(out->text, sizeof(out->text), "%s", text);
	return true;
}

static bool parse(const struct workload_row *row, const char *text, void *field)
{
	switch (row->kind) {
	case KIND_COUNT:
		return parse_count(row, text, field);
	case KIND_RATE:
		return parse_rate(row, text, field);
	case KIND_TIME:
		return parse_time(row, text, field);
	case KIND_FLAG:
		return parse_flag(text, field);
	case KIND_CHOICE:
		return parse_choice(row, text, field);
	case KIND_SIZES:
		return parse_sizes(row, text, field);
	case KIND_TEXT:
		return parse_text(text, field);
	}
	return false;
}

static void put_words(struct buf *out, const char *words)
{
	for (; *words != '\0'; words++) {
		if (*words != '|')
			buf_put_u8(out, (uint8_t)*words);
		else
			buf_put_slice(out,
			              strchr(words + 1, '|') == NULL ? SLICE(" or ") : SLICE(", "));
	}
}

static void put_expected(const struct workload_row *row, struct buf *out)
{
	switch (row->kind) {
	case KIND_COUNT:
		buf_printf(out, "a whole number from %" PRIu64 " to %" PRIu64, row->least,
		           row->most);
		break;
	case KIND_RATE:
		buf_printf(out, "a number above 0, like 1000 or 0.5%s",
		           strstr(row->value, "max") == NULL ? "" : ", or max");
		break;
	case KIND_TIME:
		buf_printf(out, "a time like 10s, 500ms, 2m or 1h, at most %" PRIu64 "s",
		           row->most);
		break;
	case KIND_FLAG:
		buf_put_slice(out, SLICE("true or false"));
		break;
	case KIND_CHOICE:
		put_words(out, row->value);
		break;
	case KIND_SIZES:
		buf_printf(out,
		           "bytes, each up to %" PRIu64
		           ": 100, or 100-1000 (uniform), or a list of at most %d like 20,100,1000",
		           row->most, WORKLOAD_SIZES_MAX);
		break;
	case KIND_TEXT:
		buf_printf(out,
		           "the beginning of a topic name: 1 to %d bytes without + and #, and no $ "
		           "in front",
		           WORKLOAD_TEXT_MAX - 1);
		break;
	}
}

bool workload_set(struct workload *w, enum workload_key key, const char *value, struct buf *why)
{
	const struct workload_row *row = &rows[key];

	if (parse(row, value, (char *)w + row->offset))
		return true;
	buf_put_slice(why, SLICE("expected "));
	put_expected(row, why);
	return false;
}

void workload_init(struct workload *w)
{
	*w = (struct workload){0};
	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		/* The rates that are not set are 0, which nobody may write. */
		if (rows[i].kind == KIND_RATE && strcmp(rows[i].preset, "0") == 0)
			continue;
		REQUIRE(parse(&rows[i], rows[i].preset, (char *)w + rows[i].offset));
	}
}

/* --- writing --- */

static void format_sizes(const struct workload_sizes *sizes, struct buf *out)
{
	for (size_t i = 0; i < sizes->count; i++)
		buf_printf(out, "%s%u", i == 0 ? "" : sizes->uniform ? "-" : ",", sizes->bytes[i]);
}

static void format_choice(const char *words, unsigned number, struct buf *out)
{
	for (; number > 0; number--)
		words += strcspn(words, "|") + 1;
	buf_put(out, words, strcspn(words, "|"));
}

void workload_format(const struct workload *w, enum workload_key key, struct buf *out)
{
	const struct workload_row *row = &rows[key];
	const void *field = (const char *)w + row->offset;
	double rate;

	switch (row->kind) {
	case KIND_COUNT:
		buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
		break;
	case KIND_RATE:
		rate = *(const double *)field;
		if (rate == WORKLOAD_RATE_MAX)
			buf_put_slice(out, SLICE("max"));
		else
			buf_printf(out, "%g", rate);
		break;
	case KIND_TIME:
		buf_printf(out, "%" PRIu64 "ms", *(const uint64_t *)field);
		break;
	case KIND_FLAG:
		buf_put_slice(out, *(const bool *)field ? SLICE("true") : SLICE("false"));
		break;
	case KIND_CHOICE:
		format_choice(row->value, *(const unsigned *)field, out);
		break;
	case KIND_SIZES:
		format_sizes(field, out);
		break;
	case KIND_TEXT:
		buf_put_slice(out, slice_of_str(((const struct workload_text *)field)->text));
		break;
	}
}

void workload_print_usage(FILE *to)
{
	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		char name[64], text[512];
		size_t len = (size_t)snprintf(name, sizeof(name), "--%s%s%s", rows[i].name,
		                              rows[i].value[0] == '\0' ? "" : " ", rows[i].value);

		for (size_t n = 0; n < len && name[n] != ' '; n++) {
			if (name[n] == '_')
				name[n] = '-';
		}
		if (rows[i].kind != KIND_FLAG && strcmp(rows[i].preset, "0") != 0)
			(void)snprintf(text, sizeof(text), "%s (%s)", rows[i].help, rows[i].preset);
		else
			(void)snprintf(text, sizeof(text), "%s", rows[i].help);
		command_line_put_row(to, name, 29, text);
	}
}

/* --- what follows from it --- */

double workload_rate(const struct workload *w)
{
	return w->rate_each > 0 ? w->rate_each * (double)w->publishers : w->rate;
}

uint64_t workload_copies(const struct workload *w, size_t publisher)
{
	uint64_t quick = w->subscribers - w->slow_subscribers;

	REQUIRE(publisher < w->publishers && w->slow_subscribers <= w->subscribers);
	if (w->layout == LAYOUT_SHARED)
		return w->subscribers == 0 ? 0 : w->groups;
	if (w->layout == LAYOUT_ALL)
		return quick;
	return quick / w->publishers + (quick % w->publishers > publisher);
}

uint32_t workload_draw_size(const struct workload *w, struct prng *prng)
{
	const struct workload_sizes *s = &w->payload;

	REQUIRE(s->count > 0 && s->count <= WORKLOAD_SIZES_MAX);
	if (s->count == 1)
		return s->bytes[0];
	if (s->uniform)
		return s->bytes[0] +
		       (uint32_t)prng_below(prng, (uint64_t)s->bytes[1] - s->bytes[0] + 1);
	return s->bytes[prng_below(prng, s->count)];
}

uint32_t workload_largest_size(const struct workload *w)
{
	uint32_t most = 0;

	for (size_t i = 0; i < w->payload.count; i++)
		most = w->payload.bytes[i] > most ? w->payload.bytes[i] : most;
	return most;
}

/* --- values together --- */

static bool has_small_payload(const struct workload *w)
{
	for (size_t i = 0; i < w->payload.count; i++) {
		if (w->payload.bytes[i] < STAMP_BYTES)
			return true;
	}
	return false;
}

static const char *check_traffic(const struct workload *w)
{
	if (w->publishers + w->subscribers + w->idle == 0 && !workload_has_storm(w))
		return "there is nothing to do: say how many publishers, subscribers, idle clients "
		       "or "
		       "connects";
	if (w->layout == LAYOUT_PAIRS && w->publishers > 0 && w->subscribers % w->publishers != 0)
		return "with layout pairs each publisher has as many subscribers as any other: "
		       "make "
		       "subscribers a multiple of publishers, or use layout all";
	if (w->layout == LAYOUT_SHARED && w->subscribers > 0 && w->groups > w->subscribers)
		return "there are more groups than subscribers";
	if (w->layout != LAYOUT_SHARED && w->groups > 1)
		return "groups need layout shared";
	if (w->publishers > 0 && w->threads > w->publishers)
		return "there are more threads than publishers";
	if (w->slow_subscribers > w->subscribers)
		return "slow_subscribers are some of the subscribers, and there are fewer of those";
	if (w->layout != LAYOUT_PAIRS && w->publishers * w->subscribers > 2000000)
		return "publishers times subscribers is more than 2,000,000: each flow of one to "
		       "one "
		       "is checked for loss, which takes memory";
	return NULL;
}

static const char *check_closed(const struct workload *w)
{
	bool waits_for_acks = workload_waits_for_acks(w);

	if (w->next_after == NEXT_AFTER_ACK && (!workload_is_closed(w) || w->qos == 0))
		return "next_after ack needs rate max, and qos 1 or 2";
	if (!workload_is_closed(w))
		return NULL;
	if (w->rate_each > 0)
		return "rate max and rate_each exclude each other";
	if (!waits_for_acks &&
	    (w->layout == LAYOUT_SHARED || (w->layout == LAYOUT_ALL && w->publishers > 1)))
		return "rate max needs layout pairs, next_after ack, or one publisher: a publisher "
		       "goes on when "
		       "all "
		       "its own subscribers have its message";
	if (w->threads > 1)
		return "rate max needs one thread";
	if (w->arrivals != ARRIVALS_CONSTANT || w->ramp > 0)
		return "rate max knows neither arrivals nor ramp";
	if (w->subscribers == 0 && w->qos == 0)
		return "rate max with QoS 0 needs subscribers: nothing else says when to go on";
	if (w->away && w->qos == 0)
		return "rate max with QoS 0 needs subscribers that are not away";
	if (w->slow_subscribers > 0 && !waits_for_acks)
		return "rate max with slow_subscribers measures only how slow these are";
	if (w->qos > 0 && w->bunch * w->in_flight > w->window)
		return "bunch times in_flight is more than the window allows";
	return NULL;
}

static const char *check_sessions(const struct workload *w)
{
	if (w->away && (w->session_expiry == 0 || w->qos == 0))
		return "away needs session_expiry, and qos 1 or 2: nothing is queued without";
	if (w->replays > 0 && !w->retain)
		return "replays need retain";
	if (w->connect_rate == WORKLOAD_RATE_MAX && w->connects == 0)
		return "connect_rate max needs connects: how many";
	if (w->resume && !workload_has_storm(w))
		return "resume needs connects or connect_rate";
	if (w->messages > 0 && w->publishers == 0)
		return "messages need publishers";
	if (w->warm_up_count > 0 && w->messages == 0 && w->connects == 0 && w->idle == 0)
		return "warm_up_count needs something that is counted: messages, connects or idle";
	return NULL;
}

bool workload_check(const struct workload *w, struct buf *why)
{
	static const char *(*const checks[])(const struct workload *w) = {
	    check_traffic, check_closed, check_sessions};
	const char *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(checks) && text == NULL; i++)
		text = checks[i](w);
	if (text == NULL && has_small_payload(w))
		buf_printf(why,
		           "payload: the smallest that can be measured is %u bytes (whose it is, "
		           "its number, and when it was due)",
		           STAMP_BYTES);
	else if (text != NULL)
		buf_put_slice(why, slice_of_str(text));
	return why->len == 0;
}
