/* The log: one event, one line, at the place that decided.  An event is a row of events.def; its
 * name and its fields are a stable interface.  Payloads, passwords and keys have no field type.
 * Text is logfmt, or JSON; every value is escaped, so that an event is always exactly one printable
 * line. Thread: any; a line is one write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

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

enum log_kind {
	LOG_KIND_NONE,
	LOG_KIND_TEXT,
	LOG_KIND_NUMBER,
};

struct log_field {
	const char *name;
	enum log_kind kind;
	struct slice text; /* any bytes: escaped, and cut after 512 bytes */
	int64_t number;
};

#define F_TEXT(field_name, slice_value)                                                            \
	{                                                                                          \
		.name = (field_name), .kind = LOG_KIND_TEXT, .text = (slice_value)                 \
	}
#define F_STR(field_name, c_string) F_TEXT(field_name, slice_of_str(c_string))
#define F_NUM(field_name, integer)                                                                 \
	{                                                                                          \
		.name = (field_name), .kind = LOG_KIND_NUMBER, .number = (int64_t)(integer)        \
	}

/* LOG(CLIENT_CONNECTED, F_TEXT("client_id", id), F_NUM("keep_alive_s", 60));  Nothing is evaluated
 * below the level in force. An event without fields is LOG(STOPPED, F_NONE). */
#define F_NONE                                                                                     \
	{                                                                                          \
		.kind = LOG_KIND_NONE                                                              \
	}
#define LOG(id, ...)                                                                               \
	do {                                                                                       \
		if (log_wants(EVENT_##id)) {                                                       \
			struct log_field log_fields_[] = {__VA_ARGS__};                            \
			log_event(EVENT_##id, log_fields_,                                         \
			          sizeof(log_fields_) / sizeof(log_fields_[0]));                   \
		}                                                                                  \
	} while (0)

bool log_wants(enum event e);
void log_event(enum event e, const struct log_field *fields, size_t count);

/* Level by name ("error" ...); false where there is none such. */
bool log_level_parse(struct slice name, enum log_level *out);
void log_set_level(enum log_level level);
void log_set_json(bool json);
/* The audit file gets every event whose row says so, whatever the level; NULL: none. 0 or -errno
 * (the old one stays then). */
int log_audit_open(const char *path);
int log_audit_reopen(void); /* after rotation (SIGUSR1) */
void log_audit_close(void);

/* Tests and tools: lines go here instead of stderr; NULL: stderr again. */
typedef void log_sink_fn(void *arg, enum event e, struct slice line);
void log_set_sink(log_sink_fn *fn, void *arg);

const char *event_name(enum event e);

/* The encoding alone, for tests: append `s` as a quoted and escaped value of the format. */
void log_encode(struct buf *out, struct slice s, bool json);

/* At most `burst` lines per window of window_ms; how many were left out is told with the first line
 * of the next window. Zero-initialised. */
struct log_limit {
	uint64_t window_start_ms;
	uint32_t passed;
	uint32_t suppressed;
};

/* True: log this one; *suppressed says how many were left out since the last that passed. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ms, uint64_t window_ms, uint32_t burst,
                    uint32_t *suppressed);

#endif
