/* A mistake is reported with its line and its column in characters. */
#include "acl/rule_error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* The column of a byte of the line: YAML counts characters. */
static unsigned column_of(const struct yaml_node *node, size_t offset)
{
	unsigned column = node->column + (node->quoted ? 1 : 0);

	for (size_t i = 0; i < offset; i++)
		column += ((uint8_t)node->text[i] & 0xc0) != 0x80;
	return column;
}

void rule_error(struct rule_source *source, size_t offset, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	errors_add(source->errors, source->file, source->node->line,
	           column_of(source->node, offset), "%s", text);
	source->failed = true;
}

void rule_error_percent(struct rule_source *source, size_t offset, struct slice text, size_t bad)
{
	rule_error(source, offset,
	           "unknown '%.*s': %%u is the user name, %%c the client id, %%%% a percent sign",
	           text.len - bad < 2 ? 1 : 2, (const char *)text.data + bad);
}
