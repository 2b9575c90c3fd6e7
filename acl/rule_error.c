/* A mistake is reported with its line and its column in characters. */
#include "acl/rule_error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"

void rule_error(struct rule_source *source, size_t offset, const char *format, ...)
{
	const struct yaml_node *node = source->node;
	unsigned column = node->column + (node->quoted ? 1 : 0);
	char text[512];
	va_list args;

	REQUIRE(offset <= strlen(node->text));
	for (size_t i = 0; i < offset; i++) /* YAML counts characters */
		column += ((uint8_t)node->text[i] & 0xc0) != 0x80;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	errors_add(source->errors, source->file, node->line, column, "%s", text);
	source->failed = true;
}

void rule_error_percent(struct rule_source *source, size_t offset, struct slice text, size_t bad)
{
	rule_error(source, offset,
	           "unknown '%.*s': %%u is the user name, %%c the client id, %%%% a percent sign",
	           text.len - bad < 2 ? 1 : 2, (const char *)text.data + bad);
}
