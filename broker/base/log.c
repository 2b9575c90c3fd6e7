/* The line encoder, and where lines go: stderr, the audit file (log_output.c), a test. */
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_area.h"
#include "base/log_journal.h"
#include "base/log_output.h"
#include "base/log_tap.h"
#include "base/require.h"
#include "base/utf8.h"

#define VALUE_MAX 512
/* At the end: the lines that wait are written, unless nobody takes them. */
#define FLUSH_MS 1000
#define DRAIN_MS 200

struct event_row {
	const char *name;
	enum log_level level;
	bool audit;
	const char *text;
	void (*put_fields)(struct buf *out, const void *fields, bool json);
	/* Whom it is about. */
	void (*find_who)(const void *fields, struct log_tap_line *line);
};

static const struct event_row rows[EVENT_COUNT];

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static _Atomic int level_in_force = LOG_LEVEL_INFO;
static atomic_bool as_json;
static log_sink_fn *sink;
static void *sink_arg;
static log_output_dropped_fn put_dropped;
static struct log_output errors = LOG_OUTPUT_INITIALIZER("log", STDERR_FILENO, put_dropped);
static struct log_output audit = LOG_OUTPUT_INITIALIZER("audit", -1, put_dropped);
static atomic_bool audit_on;
static log_chain_fn *_Atomic chain;
static _Atomic uint64_t suppressed_lines[EVENT_COUNT];

atomic_bool log_debug;

bool log_level_is_debug(void)
{
	return atomic_load_explicit(&level_in_force, memory_order_relaxed) >= LOG_LEVEL_DEBUG ||
	       log_area_is_debug();
}

void log_update_debug(void)
{
	atomic_store_explicit(&log_debug,
	                      log_level_is_debug() || log_tap_wants_level(LOG_LEVEL_DEBUG),
	                      memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&level_in_force, (int)level, memory_order_relaxed);
	log_update_debug();
}

void log_set_areas(const char *const *items, size_t count)
{
	log_area_set(items, count);
	log_update_debug();
}

void log_set_json(bool json)
{
	atomic_store_explicit(&as_json, json, memory_order_relaxed);
}

void log_set_sink(log_sink_fn *fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

const char *event_name(enum event e)
{
	return rows[e].name;
}

static bool level_wants(enum event e)
{
	int level = atomic_load_explicit(&level_in_force, memory_order_relaxed);

	/* mutant: log_area_level */
	return (int)rows[e].level <= log_area_level((unsigned)e, level);
}

bool log_wants(enum event e)
{
	return level_wants(e) || log_tap_wants_level((int)rows[e].level) ||
	       (rows[e].audit && (atomic_load_explicit(&audit_on, memory_order_relaxed) ||
	                          atomic_load_explicit(&chain, memory_order_relaxed) != NULL));
}

static void encode_escape(struct buf *out, uint32_t cp, bool json)
{
	if (cp == '\n')
		buf_put_slice(out, SLICE("\\n"));
	else if (cp == '\t')
		buf_put_slice(out, SLICE("\\t"));
	else if (json && cp > 0xffff) /* a pair of surrogates */
		buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (cp >> 10)),
		           (unsigned)(0xdc00 | (cp & 0x3ff)));
	else if (json || (cp > 0xff && cp <= 0xffff))
		buf_printf(out, "\\u%04x", (unsigned)cp);
	else
		buf_printf(out, cp > 0xff ? "\\U%08x" : "\\x%02x", (unsigned)cp);
}

/* One code point, or one byte that is no UTF-8. Returns how many bytes it took. */
static size_t encode_one(struct buf *out, struct slice s, bool json)
{
	uint32_t cp;
	size_t len = utf8_decode(s, &cp);

	REQUIRE(s.len > 0 && s.data != NULL);
	if (len == 0) {
		if (json)
			buf_put_slice(out, SLICE("\xef\xbf\xbd")); /* U+FFFD: JSON has no bytes */
		else
			buf_printf(out, "\\x%02x", (unsigned)s.data[0]);
		return 1;
	}
	if (cp == '"' || cp == '\\') {
		buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)cp);
	} else if (utf8_is_unsafe(cp)) {
		encode_escape(out, cp, json);
	} else {
		buf_put(out, s.data, len);
	}
	return len;
}

static bool is_bare(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return s.len > 0;
}

void log_encode(struct buf *out, struct slice s, bool json)
{
	size_t shown = s.len > VALUE_MAX ? VALUE_MAX : s.len;

	if (!json && shown == s.len && is_bare(s)) {
		buf_put_slice(out, s);
		return;
	}
	buf_put_u8(out, '"');
	for (size_t i = 0; i < shown;)
		i += encode_one(out, slice_skip(s, i), json);
	if (shown < s.len)
		buf_printf(out, "... (%zu bytes)", s.len);
	buf_put_u8(out, '"');
}

static void put_field(struct buf *out, const char *name, bool json)
{
	if (json)
		buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	else
		buf_printf(out, "%s%s=", out->len > 0 ? " " : "", name);
}

static void put_text(struct buf *out, const char *name, const char *value, bool json)
{
	put_field(out, name, json);
	log_encode(out, slice_of_str(value), json);
}

static void put_time(struct buf *out, bool json)
{
	int64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	char text[64];
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(now % 1000));
	put_text(out, "time", text, json);
}

/* --- the fields of each event, from the table --- */

static void put_bytes(struct buf *out, const char *name, struct slice value, bool json)
{
	put_field(out, name, json);
	log_encode(out, value, json);
}

static void put_unsigned(struct buf *out, const char *name, uint64_t value, bool json)
{
	put_field(out, name, json);
	buf_printf(out, "%" PRIu64, value);
}

static void put_signed(struct buf *out, const char *name, int64_t value, bool json)
{
	put_field(out, name, json);
	buf_printf(out, "%" PRId64, value);
}

static void put_count(struct buf *out, const char *name, uint64_t value, bool json)
{
	if (value != 0)
		put_unsigned(out, name, value, json);
}

static void put_optional(struct buf *out, const char *name, struct slice value, bool json)
{
	if (value.len > 0)
		put_bytes(out, name, value, json);
}

#define BYTES(field)    put_bytes(out, #field, f->field, json);
#define STRING(field)   put_text(out, #field, f->field, json);
#define NUMBER(field)   put_unsigned(out, #field, f->field, json);
#define SIGNED(field)   put_signed(out, #field, f->field, json);
#define COUNT(field)    put_count(out, #field, f->field, json);
#define OPTIONAL(field) put_optional(out, #field, f->field, json);
#define EVENT(id, name, level, audit, text, fields)                                                \
	static void put_##id(struct buf *out, const void *event, bool json)                        \
	{                                                                                          \
		const struct log_##id *f = event;                                                  \
                                                                                                   \
		(void)f, (void)out, (void)json;                                                    \
		fields                                                                             \
	}
#include "base/events.def"
#undef BYTES
#undef STRING
#undef NUMBER
#undef SIGNED
#undef COUNT
#undef OPTIONAL
#undef EVENT

/* The client id and the user among the fields. */
static void note_who(struct log_tap_line *line, const char *name, struct slice value)
{
	if (strcmp(name, "client_id") == 0)
		line->client_id = value;
	else if (strcmp(name, "user") == 0)
		line->user = value;
}

#define BYTES(field) note_who(line, #field, f->field);
#define STRING(field)
#define NUMBER(field)
#define SIGNED(field)
#define COUNT(field)
#define OPTIONAL(field) BYTES(field)
#define EVENT(id, name, level, audit, text, fields)                                                \
	static void who_##id(const void *event, struct log_tap_line *line)                         \
	{                                                                                          \
		const struct log_##id *f = event;                                                  \
                                                                                                   \
		(void)f, (void)line;                                                               \
		fields                                                                             \
	}
#include "base/events.def"
#undef BYTES
#undef STRING
#undef NUMBER
#undef SIGNED
#undef COUNT
#undef OPTIONAL
#undef EVENT

#define ERROR   LOG_LEVEL_ERROR
#define WARNING LOG_LEVEL_WARNING
#define INFO    LOG_LEVEL_INFO
#define DEBUG   LOG_LEVEL_DEBUG
static const struct event_row rows[EVENT_COUNT] = {
#define EVENT(id, name, level, audit, text, fields) {name, level, audit, text, put_##id, who_##id},
#include "base/events.def"
#undef EVENT
};
#undef ERROR
#undef WARNING
#undef INFO
#undef DEBUG

static struct buf encode_line_as(enum event e, const void *fields, bool json)
{
	const struct event_row *row = &rows[e];
	struct buf line = {0};

	buf_reserve(&line, 256);
	if (json)
		buf_put_u8(&line, '{');
	put_time(&line, json);
	put_text(&line, "level", level_names[row->level], json);
	put_text(&line, "event", row->name, json);
	put_text(&line, "msg", row->text, json);
	row->put_fields(&line, fields, json);
	if (json)
		buf_put_u8(&line, '}');
	buf_put_u8(&line, '\n');
	return line;
}

static struct buf encode_line(enum event e, const void *fields)
{
	return encode_line_as(e, fields, atomic_load_explicit(&as_json, memory_order_relaxed));
}

void log_set_chain(log_chain_fn *fn)
{
	atomic_store(&chain, fn);
}

void log_encode_json(struct buf *out, enum event e, const void *fields)
{
	struct buf line;

	REQUIRE(e < EVENT_COUNT);
	line = encode_line_as(e, fields, true);
	buf_put_slice(out, buf_slice(&line));
	buf_fini(&line);
}

static void put_to_chain(enum event e, const void *fields)
{
	log_chain_fn *fn = atomic_load(&chain);
	struct buf line;

	if (fn == NULL)
		return;
	line = encode_line_as(e, fields, true);
	fn(buf_slice(&line));
	buf_fini(&line);
}

static void put_to_taps(enum event e, const void *fields)
{
	struct log_tap_line line = {.level = (int)rows[e].level};
	struct buf text;

	rows[e].find_who(fields, &line);
	if (!log_tap_wants(line.level, line.client_id, line.user, false))
		return;
	text = encode_line_as(e, fields, true);
	line.text = buf_slice(&text);
	log_tap_put(&line);
	buf_fini(&text);
}

void log_event(enum event e, const void *fields)
{
	struct buf line;

	REQUIRE(e < EVENT_COUNT);
	if (log_tap_wants_level((int)rows[e].level))
		put_to_taps(e, fields);
	if (rows[e].audit)
		put_to_chain(e, fields);
	if (!level_wants(e) && !rows[e].audit)
		return;
	line = encode_line(e, fields);
	if (rows[e].audit)
		log_output_put(&audit, buf_slice(&line));
	if (level_wants(e)) {
		if (sink != NULL)
			sink(sink_arg, e, buf_slice(&line));
		else
			log_output_put(&errors, buf_slice(&line));
	}
	buf_fini(&line);
}

/* --- outputs --- */

/* Where lines are missing it is said there, and in the other output. */
static void put_dropped(struct log_output *o, uint64_t lines, struct buf *out)
{
	struct log_LOG_DROPPED fields = {.output = o->name, .lines = lines};
	struct log_output *other = o == &errors ? &audit : &errors;
	struct buf line = encode_line(EVENT_LOG_DROPPED, &fields);

	buf_put_slice(out, buf_slice(&line));
	if (other == &audit || level_wants(EVENT_LOG_DROPPED))
		log_output_put(other, buf_slice(&line));
	buf_fini(&line);
}

static void drain(void)
{
	log_output_drain(&errors, DRAIN_MS);
	log_output_drain(&audit, DRAIN_MS);
}

/* Where there is no journal, or it is not reached, standard error is written. */
static void find_journal(void)
{
	/* mutant: journal_is_used */
	if (log_journal_has(STDERR_FILENO) && log_journal_start(LOG_JOURNAL_SOCKET) == 0)
		errors.write = log_journal_write;
}

int log_start(void)
{
	int failed;

	find_journal();
	failed = log_output_start(&errors);
	if (failed == 0 && atomic_load(&audit_on))
		failed = log_output_start(&audit);
	require_before_abort(drain);
	return failed;
}

void log_stop(void)
{
	require_before_abort(NULL);
	log_output_stop(&audit, FLUSH_MS);
	log_output_stop(&errors, FLUSH_MS);
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&errors.dropped, memory_order_relaxed) +
	       atomic_load_explicit(&audit.dropped, memory_order_relaxed);
}

void log_set_audit(int fd)
{
	REQUIRE(fd >= -1);
	atomic_store(&audit_on, fd >= 0);
	log_output_set_fd(&audit, fd);
}

bool log_limit_pass(enum event e, struct log_limit *limit, uint64_t now_ms, uint64_t window_ms,
                    uint32_t burst, uint32_t *suppressed)
{
	REQUIRE(e < EVENT_COUNT && window_ms > 0 && burst > 0);
	if (limit->window_start_ms == 0 || now_ms - limit->window_start_ms >= window_ms) {
		limit->window_start_ms = now_ms == 0 ? 1 : now_ms;
		limit->passed = 0;
	}
	if (limit->passed >= burst) {
		limit->suppressed++;
		atomic_fetch_add_explicit(&suppressed_lines[e], 1, memory_order_relaxed);
		return false;
	}
	limit->passed++;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}

uint64_t log_suppressed(enum event e)
{
	REQUIRE(e < EVENT_COUNT);
	return atomic_load_explicit(&suppressed_lines[e], memory_order_relaxed);
}

/* Its row has a field for them; those of dropped messages are among the messages. */
#define BYTES(field)
#define STRING(field)
#define NUMBER(field) || strcmp(#field, "dropped") == 0
#define SIGNED(field)
#define COUNT(field) || strcmp(#field, "suppressed") == 0
#define OPTIONAL(field)
bool log_is_limited(enum event e)
{
	switch (e) {
#define EVENT(id, name, level, audit, text, fields)                                                \
	case EVENT_##id:                                                                           \
		return false fields;
#include "base/events.def"
#undef EVENT
	case EVENT_COUNT:
		break;
	}
	return false;
}
#undef BYTES
#undef STRING
#undef NUMBER
#undef SIGNED
#undef COUNT
#undef OPTIONAL
