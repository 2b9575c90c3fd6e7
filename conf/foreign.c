/* The first line that is no comment decides what kind of file it is. */
#include "conf/foreign.h"

#include <string.h>
#include <strings.h>

#include "base/array.h"

#define LINES_NAMED 20

static const struct foreign_name names[] = {
#define FOREIGN(broker, name, ours) {broker, name, ours},
#include "conf/foreign_names.def"
#undef FOREIGN
};

const struct foreign_name *foreign_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(names) && name.len > 0; i++) {
		if (strlen(names[i].name) == name.len &&
		    strncasecmp(names[i].name, (const char *)name.data, name.len) == 0)
			return &names[i];
	}
	return NULL;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trimmed(struct slice line)
{
	while (line.len > 0 && is_blank(line.data[0]))
		line = slice_skip(line, 1);
	while (line.len > 0 && is_blank(line.data[line.len - 1]))
		line.len--;
	return line;
}

/* The name before a blank, "=", "{" or ".", where no colon ends it; empty: this may be YAML. */
static struct slice name_of(struct slice line)
{
	size_t len = 0;

	while (len < line.len && !is_blank(line.data[len]) && line.data[len] != '=' &&
	       line.data[len] != '{' && line.data[len] != ':' && line.data[len] != '.')
		len++;
	if (len == 0 || len == line.len || line.data[len] == ':')
		return SLICE_EMPTY;
	return slice_of(line.data, len);
}

/* Settings that have our names, but not our form. */
static bool is_ours_too(struct slice name)
{
	return slice_equal(name, SLICE("listeners")) || slice_equal(name, SLICE("tls")) ||
	       slice_equal(name, SLICE("log")) || slice_equal(name, SLICE("authentication")) ||
	       slice_equal(name, SLICE("authorization")) || slice_equal(name, SLICE("limits")) ||
	       slice_equal(name, SLICE("max_packet_size")) ||
	       slice_equal(name, SLICE("max_keepalive")) || slice_equal(name, SLICE("max_qos")) ||
	       slice_equal(name, SLICE("retain_available"));
}

/* The next line that is neither empty nor a comment; false: there is none. */
static bool next_line(struct slice *rest, unsigned *number, struct slice *line)
{
	while (rest->len > 0) {
		const uint8_t *end = memchr(rest->data, '\n', rest->len);
		size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);

		*line = trimmed(slice_of(rest->data, len));
		*rest = slice_skip(*rest, end == NULL ? rest->len : len + 1);
		++*number;
		if (line->len > 0 && line->data[0] != '#')
			return true;
	}
	return false;
}

static bool is_foreign(struct slice bytes)
{
	unsigned number = 0;
	struct slice line, name;

	while (next_line(&bytes, &number, &line)) {
		if (line.data[0] == '[' && line.data[line.len - 1] == ']')
			continue; /* a section of an INI file */
		name = name_of(line);
		return name.len > 0 && (foreign_find(name) != NULL || is_ours_too(name));
	}
	return false;
}

bool foreign_refuse(const char *file, struct slice bytes, struct errors *errors)
{
	unsigned number = 0, named = 0;
	struct slice line;

	/* mutant: configuration_of_another_broker */
	if (!is_foreign(bytes))
		return false;
	errors_add(errors, file, 0, 0,
	           "this is a configuration of another broker: here it is YAML (lines of 'key: "
	           "value'), see broker.yaml(5)");
	while (named < LINES_NAMED && next_line(&bytes, &number, &line)) {
		struct slice name = name_of(line);
		const struct foreign_name *known = foreign_find(name);

		if (name.len == 0 || known == NULL)
			continue;
		named++;
		errors_add(errors, file, number, 1, "%s: %s", known->name, known->ours);
	}
	return true;
}
