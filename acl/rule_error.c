/* A mistake is reported with its line and its column in characters. */
#include "acl/rule_error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"

static unsigned column_of(const struct rule_source *source, size_t offset)
{
	const struct yaml_node *node = source->node;
	unsigned column = node->column + (node->quoted ? 1 : 0);

	REQUIRE(offset <= strlen(node->text));
	for (size_t i = 0; i < offset; i++) /* YAML counts characters */
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
	errors_add(source->errors, source->file, source->node->line, column_of(source, offset),
	           "%s", text);
	source->failed = true;
}

void rule_warn(const struct rule_source *source, size_t offset, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	errors_warn(source->errors, source->file, source->node->line, column_of(source, offset),
	            "%s", text);
}
