/* The format is strict: a line that is not as written here is a broken line. */
#include "conf/pki_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/utf8.h"

#define FIELDS  7
#define UNKNOWN "-" /* as name: not known */
/* A file that lost its content does not have it. */
#define HEAD "# Certificates that broker-pki issued.\n"

static const char *const kind_names[] = {
    [PKI_SERVER_CA] = "server-ca",
    [PKI_CLIENT_CA] = "client-ca",
    [PKI_SERVER] = "server",
    [PKI_CLIENT] = "client",
};

const char *pki_kind_name(enum pki_kind kind)
{
	return kind_names[kind];
}

/* ---- reading ---- */

static int hex_value(uint8_t c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (hex_value(s.data[i]) < 0)
			return false;
	return s.len > 0;
}

static bool copy_hex(struct slice s, char *out, size_t size)
{
	if (!is_hex(s) || s.len >= size)
		return false;
	memcpy(out, s.data, s.len);
	out[s.len] = '\0';
	return true;
}

static bool read_kind(struct slice s, enum pki_kind *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
		if (slice_equal(s, slice_of_str(kind_names[i]))) {
			*kind = (enum pki_kind)i;
			return true;
		}
	return false;
}

/* "2026-11-30T19:00:00Z" and nothing else. */
static bool read_time(struct slice s, int64_t *seconds)
{
	struct tm tm = {0};
	char text[CLOCK_TEXT_MAX], again[CLOCK_TEXT_MAX];
	const char *end;

	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0')
		return false;
	*seconds = timegm(&tm);
	return strcmp(clock_text(*seconds * 1000, again), text) == 0;
}

/* NULL where it is not as put_name writes it. */
static char *read_name(struct slice s)
{
	char *name = xalloc(s.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];

		if (c == '%' && i + 2 < s.len && hex_value(s.data[i + 1]) >= 0 &&
		    hex_value(s.data[i + 2]) >= 0) {
			c = (uint8_t)(hex_value(s.data[i + 1]) * 16 + hex_value(s.data[i + 2]));
			i += 2;
		} else if (c == '%') {
			len = 0;
			break;
		}
		name[len++] = (char)c;
	}
	name[len] = '\0';
	if (len == 0 || !utf8_valid(slice_of(name, len))) {
		free(name);
		return NULL;
	}
	return name;
}

static bool read_state(struct slice s, struct pki_entry *e)
{
	struct slice revoked = SLICE("revoked=");

	e->is_imported = slice_equal(s, SLICE("imported"));
	if (e->is_imported || slice_equal(s, SLICE("valid")))
		return true;
	return slice_starts_with(s, revoked) &&
	       read_time(slice_skip(s, revoked.len), &e->revoked) && e->revoked > 0;
}

static bool read_entry(struct slice line, struct pki_entry *e)
{
	struct slice fields[FIELDS];

	for (size_t i = 0; i < FIELDS; i++) {
		const uint8_t *blank = line.len == 0 ? NULL : memchr(line.data, ' ', line.len);

		if ((blank == NULL) != (i == FIELDS - 1))
			return false;
		fields[i] = blank == NULL ? line : slice_of(line.data, (size_t)(blank - line.data));
		line = slice_skip(line, blank == NULL ? line.len : fields[i].len + 1);
	}
	*e = (struct pki_entry){0};
	if (!copy_hex(fields[0], e->serial, sizeof(e->serial)) || !read_kind(fields[1], &e->kind) ||
	    !read_time(fields[3], &e->issued) || !read_time(fields[4], &e->until) ||
	    !read_state(fields[5], e))
		return false;
	if (!slice_equal(fields[6], SLICE(UNKNOWN)) && !copy_hex(fields[6], e->key, sizeof(e->key)))
		return false;
	if (slice_equal(fields[2], SLICE(UNKNOWN)))
		return true;
	e->name = read_name(fields[2]);
	return e->name != NULL;
}

size_t pki_index_parse(struct pki_index *index, struct slice text)
{
	size_t bad = slice_starts_with(text, SLICE(HEAD)) ? 0 : 1;

	for (size_t number = 1; text.len > 0; number++) {
		const uint8_t *newline = memchr(text.data, '\n', text.len);
		struct slice line =
		    newline == NULL ? text : slice_of(text.data, (size_t)(newline - text.data));
		struct pki_entry e;

		text = slice_skip(text, newline == NULL ? text.len : line.len + 1);
		if (line.len == 0 || line.data[0] == '#')
			continue;
		/* A line without its end may have lost a part of it. */
		if (newline != NULL && read_entry(line, &e))
			pki_index_add(index, &e);
		else if (bad == 0)
			bad = number;
	}
	return bad;
}

/* ---- writing ---- */

static void put_name(struct buf *out, const char *name)
{
	if (name == NULL) {
		buf_put_slice(out, SLICE(UNKNOWN));
		return;
	}
	for (const char *c = name; *c != '\0'; c++) {
		uint8_t byte = (uint8_t)*c;
		bool is_only_dash = strcmp(name, UNKNOWN) == 0;

		if (byte <= ' ' || byte >= 0x7f || byte == '%' || is_only_dash)
			buf_printf(out, "%%%02x", byte);
		else
			buf_put_u8(out, byte);
	}
}

void pki_index_format(const struct pki_index *index, struct buf *out)
{
	buf_put_slice(out, SLICE(HEAD "# SERIAL KIND NAME ISSUED UNTIL STATE KEY\n"));
	for (size_t i = 0; i < index->count; i++) {
		const struct pki_entry *e = &index->entries[i];
		char issued[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX], revoked[CLOCK_TEXT_MAX];

		buf_printf(out, "%s %s ", e->serial, pki_kind_name(e->kind));
		put_name(out, e->name);
		buf_printf(out, " %s %s ", clock_text(e->issued * 1000, issued),
		           clock_text(e->until * 1000, until));
		if (e->revoked != 0)
			buf_printf(out, "revoked=%s", clock_text(e->revoked * 1000, revoked));
		else
			buf_put_slice(out, e->is_imported ? SLICE("imported") : SLICE("valid"));
		buf_printf(out, " %s\n", e->key[0] == '\0' ? UNKNOWN : e->key);
	}
}

void pki_index_add(struct pki_index *index, struct pki_entry *entry)
{
	array_extend(index->entries, index->count);
	index->entries[index->count++] = *entry;
	entry->name = NULL;
}

void pki_index_fini(struct pki_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free(index->entries[i].name);
	free(index->entries);
	*index = (struct pki_index){0};
}

/* ---- looking up ---- */

struct pki_entry *pki_index_by_serial(const struct pki_index *index, const char *serial)
{
	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->entries[i].serial, serial) == 0)
			return &index->entries[i];
	return NULL;
}

struct pki_entry *pki_index_newest(const struct pki_index *index, enum pki_kind kind,
                                   const char *name)
{
	struct pki_entry *newest = NULL;

	for (size_t i = 0; i < index->count; i++) {
		struct pki_entry *e = &index->entries[i];

		if (e->kind == kind && e->revoked == 0 && e->name != NULL &&
		    strcmp(e->name, name) == 0 && (newest == NULL || e->issued >= newest->issued))
			newest = e;
	}
	return newest;
}

int64_t pki_index_last_issued(const struct pki_index *index)
{
	int64_t last = 0;

	for (size_t i = 0; i < index->count; i++)
		if (!index->entries[i].is_imported && index->entries[i].issued > last)
			last = index->entries[i].issued;
	return last;
}
