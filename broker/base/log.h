/* The log: one event, one line, at the place that decided.  An event is a row of events.def; its
 * name and its fields are a stable interface.  Payloads, passwords and keys have no field type.
 * Text is logfmt, or JSON; every value is escaped, so that an event is always exactly one printable
 * line. Nobody who logs waits for who reads the log (log_output.h).  Thread: any. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum event {
#define EVENT(id, name, level, audit, text, fields) EVENT_##id,
#include "base/events.def"
#undef EVENT
	EVENT_COUNT
};

/* The fields of an event: struct log_CLIENT_CONNECTED and so on. Bytes may be anything: they are
 * escaped, and cut after 512. */
#if defined(__has_attribute) && __has_attribute(designated_init)
#define LOG_BY_NAME __attribute__((designated_init))
#else
#define LOG_BY_NAME
#endif
#define BYTES(field)    struct slice field;
#define STRING(field)   const char *field;
#define NUMBER(field)   uint64_t field;
#define SIGNED(field)   int64_t field;
#define COUNT(field)    uint64_t field;
#define OPTIONAL(field) struct slice field;
#define EVENT(id, name, level, audit, text, fields)                                                \
	struct log_##id {                                                                          \
		fields char end; /* no struct is empty */                                          \
	} LOG_BY_NAME;
#include "base/events.def"
#undef BYTES
#undef STRING
#undef NUMBER
#undef SIGNED
#undef COUNT
#undef OPTIONAL
#undef EVENT

/* How many they are: a sum of them stands behind 0. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define BYTES(field)    +1
#define STRING(field)   +1
#define NUMBER(field)   +1
#define SIGNED(field)   +1
#define COUNT(field)    +1
#define OPTIONAL(field) +1
enum log_field_count {
#define EVENT(id, name, level, audit, text, fields) LOG_FIELDS_##id = 0 fields,
#include "base/events.def"
#undef EVENT
};
/* NOLINTEND(bugprone-macro-parentheses) */
#undef BYTES
#undef STRING
#undef NUMBER
#undef SIGNED
#undef COUNT
#undef OPTIONAL

#define LOG_COUNT(...)                                                                             \
	LOG_COUNT_UP_TO_16(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define LOG_COUNT_UP_TO_16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count

/* LOG(CLIENT_CONNECTED, .client_id = id, .user = user, ...);  The compiler requires each field of
 * the row once, by its name and with its type. Nothing is evaluated below the level in force. */
#define LOG(id, ...)                                                                               \
	do {                                                                                       \
		_Static_assert(LOG_COUNT(__VA_ARGS__) == (int)LOG_FIELDS_##id,                     \
		               "a log event wants each of its fields, once");                      \
		if (log_wants(EVENT_##id))                                                         \
			log_event(EVENT_##id, &(const struct log_##id){__VA_ARGS__});              \
	} while (0)
#define LOG_NO_FIELDS(id)                                                                          \
	do {                                                                                       \
		_Static_assert((int)LOG_FIELDS_##id == 0, "a log event wants its fields");         \
		if (log_wants(EVENT_##id))                                                         \
			log_event(EVENT_##id, &(const struct log_##id){.end = 0});                 \
	} while (0)

__attribute__((cold)) bool log_wants(enum event e);
/* Is the level debug, or does a tap want debug (log_tap.h)? For what is not even to be computed
 * otherwise. */
extern atomic_bool log_debug;
static inline bool log_is_debug(void)
{
	return atomic_load_explicit(&log_debug, memory_order_relaxed);
}
/* For the macros above. `fields`: struct log_ID of this event. */
__attribute__((cold)) void log_event(enum event e, const void *fields);

/* The taps have changed. */
void log_update_debug(void);
/* Is the level in force debug, without the taps? */
bool log_level_is_debug(void);
void log_set_level(enum log_level level);
/* "AREA=LEVEL" each, where log_area.h finds nothing wrong: other levels for parts of the log. */
void log_set_areas(const char *const *items, size_t count);
void log_set_json(bool json);
/* From now on threads of the log write the lines; lines that nobody takes are dropped and counted.
 * 0 or -errno. log_stop writes what waits, for a bounded time.  Thread: main. */
int log_start(void);
void log_stop(void);
/* Lines of stderr and of the audit file that were dropped. */
uint64_t log_dropped(void);
/* The audit gets every event whose row says so, whatever the level; -1: none. The descriptor
 * belongs to the log from now on (program/audit_file.h opens it).  Thread: main. */
void log_set_audit(int fd);

/* The events of the audit, as JSON, whatever the format and the level are; NULL: nowhere. Any
 * thread calls it.  Thread: main, while no other one logs. */
typedef void log_chain_fn(struct slice line);
void log_set_chain(log_chain_fn *fn);
/* Append the line of an event as JSON, for who keeps lines of its own. */
void log_encode_json(struct buf *out, enum event e, const void *fields);

/* Tests and tools: lines go here instead of stderr; NULL: stderr again. */
typedef void log_sink_fn(void *arg, enum event e, struct slice line);
void log_set_sink(log_sink_fn *fn, void *arg);

const char *event_name(enum event e);

/* The encoding alone, for tests: append `s` as a quoted and escaped value of the format. */
void log_encode(struct buf *out, struct slice s, bool json);

/* At most `burst` lines per window of window_ms. The first line of the next window says how many
 * were left out. Zero-initialised. */
struct log_limit {
	uint64_t window_start_ms;
	uint32_t passed;
	uint32_t suppressed;
};

/* True: log this one, of that event; *suppressed says how many were left out since the last that
 * passed. */
bool log_limit_pass(enum event e, struct log_limit *limit, uint64_t now_ms, uint64_t window_ms,
                    uint32_t burst, uint32_t *suppressed);
/* How many lines of this event were left out since the start; events of which some may be. Any
 * thread. */
uint64_t log_suppressed(enum event e);
bool log_is_limited(enum event e);

#endif
