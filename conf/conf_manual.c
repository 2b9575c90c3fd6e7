/* Along the schema table. */
#include "conf/conf_manual.h"

#include <stdlib.h>
#include <string.h>

#include "conf/schema_table.h"
#include "conf/value.h"

/* Text escaped for roff: no line begins a request, a backslash is one. */
static void put_text(struct buf *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		buf_put_slice(out, SLICE("\\&"));
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\')
			buf_put_slice(out, SLICE("\\e"));
		else
			buf_put(out, p, 1);
		if (*p == '.' && p[1] == ' ') { /* a sentence, a line */
			buf_put_u8(out, '\n');
			p++;
		}
	}
	buf_put_u8(out, '\n');
}

static void put_values(struct buf *out, const struct schema_key *key)
{
	struct buf expected = {0};

	if (key->kind == SCHEMA_MAPPING || key->kind == SCHEMA_BIND)
		return;
	buf_put_slice(&expected, SLICE("Takes "));
	value_expected(key, &expected);
	if (key->default_text != NULL)
		buf_printf(&expected, "; the default is %s", key->default_text);
	else if ((key->flags & KEY_REQUIRED) != 0)
		buf_put_slice(&expected, SLICE("; required"));
	else if (key->kind == SCHEMA_PATH)
		buf_put_slice(&expected, SLICE("; left out it is off"));
	buf_put(&expected, ".", 2);
	put_text(out, (const char *)expected.data);
	buf_fini(&expected);
}

static void put_key(struct buf *out, const struct schema_key *key)
{
	buf_printf(out, ".It Ic %s\n", key->name);
	put_text(out, key->help);
	put_values(out, key);
	if ((key->flags & KEY_UNIX) != 0)
		buf_put_slice(out, SLICE("Unix sockets only.\n"));
	if ((key->flags & KEY_TCP) != 0)
		buf_put_slice(out, SLICE("TCP only.\n"));
	if ((key->flags & KEY_HTTPS) != 0)
		buf_put_slice(out, SLICE("Only with protocol: https.\n"));
	if ((key->flags & KEY_GLOBAL) != 0)
		buf_put_slice(out, SLICE("A listener cannot override it.\n"));
}

static bool is_overridable(const struct schema_section *section)
{
	for (size_t i = 0; i < schema_listener.count; i++)
		if (schema_listener.keys[i].inherits && schema_listener.keys[i].section == section)
			return true;
	return false;
}

static void put_section(struct buf *out, const struct schema_section *section)
{
	if (section != &schema_root)
		buf_printf(out, ".Ss %s\n", section->name);
	put_text(out, section->help);
	if (is_overridable(section))
		buf_put_slice(out, SLICE("A listener may override these keys for itself.\n"));
	buf_put_slice(out, SLICE(".Bl -tag -width Ds\n"));
	for (size_t i = 0; i < section->count; i++)
		put_key(out, &section->keys[i]);
	buf_put_slice(out, SLICE(".El\n"));
}

char *conf_manual(void)
{
	struct buf out = {0};

	for (size_t i = 0; i < schema_section_count; i++)
		put_section(&out, schema_sections[i]);
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}
